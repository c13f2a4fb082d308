"""Draws of the next token: with a seed the same ones as `longshort.sequence.sampler`, from the same probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longshort.runtime.functions import softmax
from longshort.sequence.draws import Draws
from longshort.sequence.sampling import Sampling

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# The lowest temperature that float32 can divide by.
COLDEST = 1e-30


class Sampler:
    """Draws tokens for S texts side by side, V different ones.

    Args:
        sampling: how.
        forbidden: a token that is never drawn, or None.
        seen: tokens that occurred, (N,).
        vocabulary_size: V.
    """

    def __init__(self, sampling: Sampling, forbidden: int | None, seen: IntArray, vocabulary_size: int) -> None:
        self._sampling, self._forbidden = sampling, forbidden
        self._draws = Draws(sampling.seed)
        self._seen = None
        if sampling.repetition_penalty != 1:
            self._seen = np.zeros((sampling.samples, vocabulary_size), dtype=bool)
            self._seen[:, seen] = True

    def __call__(self, log_probabilities: FloatArray) -> IntArray:
        """One token for each text, (S,), from (S, V); what is given may be changed."""
        logits, sampling = log_probabilities, self._sampling
        if self._forbidden is not None:
            logits[:, self._forbidden] = -np.inf
        if self._seen is not None:
            penalty = np.float32(sampling.repetition_penalty)
            logits = np.where(self._seen, np.where(logits > 0, logits / penalty, logits * penalty), logits)
        if sampling.temperature == 0:
            drawn: IntArray = logits.argmax(-1)
        else:  # from the likeliest down, so that no temperature makes the logits infinite
            drawn = self._draw(
                (logits - logits.max(-1, keepdims=True)) / np.float32(max(sampling.temperature, COLDEST))
            )
        if self._seen is not None:
            self._seen[np.arange(len(drawn)), drawn] = True
        return drawn

    def _draw(self, logits: FloatArray) -> IntArray:
        top_k, top_p = self._sampling.top_k, self._sampling.top_p
        ids: IntArray | None = None
        if top_p is not None or (top_k is not None and top_k < logits.shape[-1]):
            ids = np.argsort(-logits, axis=-1, kind="stable")[:, :top_k]  # the likeliest first
            logits = np.take_along_axis(logits, ids, -1)
        if top_p is not None:
            p = softmax(logits)
            before = p.cumsum(-1) - p
            logits = np.where(before >= top_p, -np.inf, logits)
        # The token at which the cumulative distribution passes an even draw from 0 to 1.
        cumulative = softmax(logits.astype(np.float64)).cumsum(-1)
        passed = cumulative > self._draws.even(len(logits), 1) * cumulative[:, -1:]
        drawn: IntArray = passed.argmax(-1)
        if ids is not None:
            drawn = np.take_along_axis(ids, drawn[:, None], -1)[:, 0]
        return drawn
