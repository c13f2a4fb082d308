"""Attention on NumPy arrays: `longshort.nn.Attention` in evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longshort.runtime.functions import softmax
from longshort.runtime.weights import Weights

FloatArray = NDArray[np.float32]


class Attention:
    """Q query size, M memory size, K key size; which score it is, is told by the weights.

    Args:
        weights: of the module.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def keys(self, memory: FloatArray) -> FloatArray:
        """What queries are compared with, (B, S, K), of a memory (B, S, M)."""
        return self._weights.linear("key", memory) if "key.weight" in self._weights else memory

    def __call__(
        self,
        query: FloatArray,
        keys: FloatArray,
        memory: FloatArray,
        valid: NDArray[np.bool_],
        coverage: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        """The means, (B, T, M), and the weights, (B, T, S), for queries (B, T, Q): as `longshort.nn.Attention`."""
        scores = np.where(valid[:, None], self._scores(query, keys, coverage), np.float32(-np.inf))
        weights = softmax(scores)
        return weights @ memory, weights

    def _scores(self, query: FloatArray, keys: FloatArray, coverage: FloatArray | None) -> FloatArray:
        w = self._weights
        scores: FloatArray
        if "value" not in w:
            scores = query @ keys.transpose(0, 2, 1)
            return scores if coverage is None else scores + w["cover"] * coverage
        inner = w.linear("query", query)[:, :, None] + keys[:, None]  # (B, T, S, A)
        if coverage is not None:
            inner = inner + w["cover"] * coverage[..., None]
        scores = np.tanh(inner) @ w["value"]
        return scores
