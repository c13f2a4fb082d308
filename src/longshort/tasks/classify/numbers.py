"""Sequences of numbers as the network reads them: standardised, with what is missing marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.classify.batch import Arrays, Batch, as_batch

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class EncodedNumbers:
    """N sequences.

    Attributes:
        values: float32, (T_i, C) each, T_i >= 1, C with the indicators of missing values.
        cut: how many sequences were longer than what is read.
    """

    values: tuple[NDArray[np.float32], ...]
    cut: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> IntArray:
        """Steps of each sequence that are read, (N,)."""
        return np.array([len(values) for values in self.values], dtype=np.int64)

    @property
    def unknown(self) -> int:
        """Numbers are never unknown."""
        return 0

    def batch(self, chosen: IntArray, targets: IntArray) -> Batch:
        """Some of the sequences, B of them, with their classes."""
        return as_batch(self.arrays(chosen), targets)

    def arrays(self, chosen: IntArray) -> Arrays:
        """Some of the sequences, B of them."""
        values = [self.values[k] for k in chosen]
        lengths = np.array([len(v) for v in values], dtype=np.int64)
        steps = np.zeros((lengths.max(), len(values), values[0].shape[1]), dtype=np.float32)
        for row, value in enumerate(values):
            steps[: len(value), row] = value
        none = np.zeros(0, dtype=np.int64)
        return {"steps": steps, "lengths": lengths, "words": none, "pieces": none, "offsets": none}


@dataclass(frozen=True)
class NumberEncoder:
    """From sequences to what the network reads.

    Attributes:
        mean, scale: of each channel in the training part, (C,).
        missing: whether a channel has missing values there, (C,): it gets an indicator, 1 where one is missing.
        longest: steps that are read of a sequence.
    """

    mean: FloatArray
    scale: FloatArray
    missing: NDArray[np.bool_]
    longest: int

    @classmethod
    def train(cls, sequences: Sequence[NDArray[np.float32]], longest: int) -> NumberEncoder:
        """With the mean and the standard deviation of these; 0 and 1 where a channel has no value or but one."""
        rows = np.concatenate([s[:longest] for s in sequences]).astype(np.float64)
        here = np.isfinite(rows)
        count = np.maximum(here.sum(0), 1)
        mean = np.where(here, rows, 0).sum(0) / count
        scale = np.sqrt(np.where(here, (rows - mean) ** 2, 0).sum(0) / count)
        return cls(mean, np.where(scale > 0, scale, 1.0), np.asarray(~here.all(0)), longest)

    @property
    def inputs(self) -> int:
        """Channels, the indicators included."""
        return len(self.mean) + int(self.missing.sum())

    def encode(self, sequences: Sequence[NDArray[np.float32]]) -> EncodedNumbers:
        """Sequences, cut to the steps that are read; missing values are 0, which is the mean."""
        encoded = []
        for sequence in sequences:
            rows = sequence[: self.longest].astype(np.float64)
            here = np.isfinite(rows)
            values = np.where(here, (rows - self.mean) / self.scale, 0)
            encoded.append(np.concatenate([values, ~here[:, self.missing]], axis=1).astype(np.float32))
        return EncodedNumbers(tuple(encoded), sum(len(s) > self.longest for s in sequences))

    def to_json(self) -> dict[str, Any]:
        """As model.json holds it."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), "missing": self.missing.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any], longest: int) -> NumberEncoder:
        """The inverse of `to_json`."""
        return cls(np.array(value["mean"]), np.array(value["scale"]), np.array(value["missing"], dtype=bool), longest)
