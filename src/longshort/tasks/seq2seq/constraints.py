"""What answers must not hold, and what they must: repeated n-grams, forbidden and forced words, their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Words = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Constraints:
    """Rules for every step of a decoding.

    Attributes:
        end: the token that ends an answer.
        never: tokens that no answer holds, such as begin.
        forbidden: tokens in a row that no answer holds.
        forced: tokens in a row that every answer holds.
        min_length: tokens before the end.
        no_repeat: length of the n-grams that occur once only; 0 for no such rule.
    """

    end: int
    never: tuple[int, ...] = ()
    forbidden: Words = ()
    forced: Words = ()
    min_length: int = 0
    no_repeat: int = 0

    def apply(self, logs: FloatArray, prefix: IntArray, over: NDArray[np.bool_]) -> FloatArray:
        """Log-probabilities (B, K, V) with −inf where a rule forbids a token; what is given is changed.

        Args:
            logs: of what follows.
            prefix: what was said, (B, K, t).
            over: whether an answer is as long as it may be, (B,): nothing but the end may follow.
        """
        steps = prefix.shape[-1]
        logs[..., list(self.never)] = -np.inf
        if steps < self.min_length:
            logs[..., self.end] = -np.inf
        for row in self.forbidden:
            *before, last = row
            if steps >= len(before):
                logs[(prefix[..., steps - len(before) :] == before).all(-1), last] = -np.inf
        if self.no_repeat and steps >= self.no_repeat:
            self._forbid_repeats(logs, prefix)
        if over.any():
            ending = logs[over, :, self.end]
            logs[over] = -np.inf
            # Where even the end is forbidden it must come all the same: an answer is bounded.
            logs[over, :, self.end] = np.where(np.isfinite(ending), ending, 0)
        return logs

    def _forbid_repeats(self, logs: FloatArray, prefix: IntArray) -> None:
        n, steps = self.no_repeat, prefix.shape[-1]
        grams = np.lib.stride_tricks.sliding_window_view(prefix, n, axis=-1)  # (B, K, t − n + 1, n)
        last = prefix[..., None, steps - n + 1 :]
        b, k, place = np.nonzero((grams[..., :-1] == last).all(-1))
        logs[b, k, grams[b, k, place, -1]] = -np.inf


def progress(said: Sequence[int], word: Sequence[int]) -> int:
    """How many tokens of a forced word have been said: all if it occurs, else what its beginning has at the end."""
    said, word = list(said), list(word)
    if any(said[k : k + len(word)] == word for k in range(len(said) - len(word) + 1)):
        return len(word)
    longest = min(len(word) - 1, len(said))
    return next((k for k in range(longest, 0, -1) if said[-k:] == word[:k]), 0)


def said_of(said: Sequence[int], forced: Words) -> int:
    """How many tokens of all forced words have been said."""
    return sum(progress(said, word) for word in forced)
