"""Features brought to mean 0 and deviation 1: over a recording, all recordings of a speaker, or what came so far.

Each of them begins from the training's own mean, which counts as a second of sound: a single short word says more about
itself than about the room and the microphone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Statistics = NDArray[np.float64]

# So many frames the training's own mean stands for: one second.
PRIOR = 100
# Deviations are taken to be at least this, so that a silent channel stays silent.
LEAST = 1e-2
KINDS = ("recording", "speaker", "running")


def mean_and_deviation(features: Sequence[FloatArray]) -> tuple[Statistics, Statistics]:
    """Over all frames of some recordings, (C,) each."""
    count = max(1, sum(map(len, features)))
    mean = sum(f.sum(0, dtype=np.float64) for f in features) / count
    square = sum(((f - mean) ** 2).sum(0) for f in features) / count
    return np.asarray(mean), np.asarray(np.sqrt(square))


@dataclass(frozen=True)
class Prior:
    """Mean of the features and of their squares in the training part, (C,) each."""

    mean: Statistics
    square: Statistics

    @classmethod
    def of(cls, features: Sequence[FloatArray]) -> Prior:
        """From the training part."""
        mean, deviation = mean_and_deviation(features)
        return cls(mean, deviation**2 + mean**2)

    def to_json(self) -> dict[str, Any]:
        """As model.json holds it."""
        return {"mean": self.mean.tolist(), "square": self.square.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Prior:
        """The inverse of `to_json`."""
        return cls(np.array(values["mean"]), np.array(values["square"]))


class Running:
    """Normalises each frame by what has been heard up to it; before that, by the training's mean.

    The sums are taken frame by frame, so that chunks make no difference.
    """

    def __init__(self, prior: Prior) -> None:
        self._sums = np.concatenate((prior.mean, prior.square)) * PRIOR
        self._count = PRIOR

    def __call__(self, features: FloatArray) -> FloatArray:
        """The next frames, (T, C), normalised."""
        if not len(features):
            return features
        x = features.astype(np.float64)
        sums = np.cumsum(np.concatenate((self._sums[None], np.concatenate((x, x * x), 1))), 0)[1:]
        counts = self._count + np.arange(1, len(x) + 1)[:, None]
        mean, square = np.split(sums / counts, 2, 1)
        self._sums, self._count = sums[-1], self._count + len(x)
        deviation = np.sqrt(np.maximum(square - mean**2, LEAST**2))
        found: FloatArray = ((x - mean) / deviation).astype(np.float32)
        return found


def by_group(features: Sequence[FloatArray], groups: Sequence[str], prior: Prior) -> list[FloatArray]:
    """Each recording normalised by the mean and the deviation of all of its group and of the prior."""
    sums: dict[str, Statistics] = {}
    counts: dict[str, int] = {}
    for group, x in zip(groups, features, strict=True):
        begun = sums.get(group, np.concatenate((prior.mean, prior.square)) * PRIOR)
        wide = x.astype(np.float64)
        sums[group] = begun + np.concatenate((wide.sum(0), (wide * wide).sum(0)))
        counts[group] = counts.get(group, PRIOR) + len(x)
    found = []
    for group, x in zip(groups, features, strict=True):
        mean, square = np.split(sums[group] / counts[group], 2)
        deviation = np.sqrt(np.maximum(square - mean**2, LEAST**2))
        found.append(((x - mean) / deviation).astype(np.float32))
    return found


def normalised(kind: str, features: Sequence[FloatArray], speakers: Sequence[str], prior: Prior) -> list[FloatArray]:
    """Recordings normalised in one of `KINDS`; without speakers each is one of its own."""
    if kind == "running":
        return [Running(prior)(f) for f in features]
    groups = speakers if kind == "speaker" and speakers else [str(k) for k in range(len(features))]
    return by_group(features, groups, prior)
