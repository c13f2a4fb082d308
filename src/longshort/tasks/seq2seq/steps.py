"""What a decoding asks of a network, on arrays: whoever can answer it, with PyTorch or without, can be decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


class Steps(Protocol):
    """The decoder one step at a time, K hypotheses of each of B sources of S steps side by side.

    Attributes:
        weights: of the last step's attention, (B, K, S); None without.
        gate: of saying against copying in the last step, before its sigmoid, (B, K); None without copying.
    """

    weights: FloatArray | None
    gate: FloatArray | None

    def __call__(self, tokens: IntArray) -> FloatArray:
        """The logarithm of the probability of every token after these (B, K), (B, K, V), to be changed at will."""

    def select(self, parents: IntArray) -> None:
        """Go on with these hypotheses of each source, (B, K), by their place among the K before."""

    def keep(self, sources: IntArray) -> None:
        """Go on with these sources only, (B',)."""


# Reads sources, tokens (S_i,) each, for so many hypotheses of each.
Begin = Callable[[Sequence[NDArray[np.integer]], int], Steps]


def side_by_side(sequences: Sequence[NDArray[np.integer]]) -> tuple[IntArray, IntArray]:
    """Sequences padded with 0, (longest, B), and their lengths, (B,)."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    result = np.zeros((lengths.max(), len(sequences)), dtype=np.int64)
    for column, sequence in enumerate(sequences):
        result[: len(sequence), column] = sequence
    return result, lengths
