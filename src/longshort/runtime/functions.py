"""Functions of arrays, float32 in and out, as `torch.nn.functional` has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Of erfc in Chebyshev's form (Press et al. 1992, Numerical Recipes in C, section 6.2), the highest power first.
_ERFC = (0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368)


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(−x))."""
    y: FloatArray = 0.5 * (1 + np.tanh(0.5 * x))
    return y


def softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(x))."""
    y: FloatArray = np.logaddexp(np.float32(0), x)
    return y


def log_sigmoid(x: FloatArray) -> FloatArray:
    """The natural logarithm of `sigmoid`."""
    y: FloatArray = -softplus(-x)
    return y


def log_softmax(x: FloatArray) -> FloatArray:
    """The natural logarithm of `softmax`."""
    shifted = x - x.max(-1, keepdims=True)
    y: FloatArray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return y


def softmax(x: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """Shares by exp(x) along an axis, in the precision of x."""
    p = np.exp(x - x.max(axis, keepdims=True))
    y: NDArray[Any] = p / p.sum(axis, keepdims=True)
    return y


def gelu(x: FloatArray) -> FloatArray:
    """x Φ(x), Φ the normal distribution function, with an error of Φ below 1e-7."""
    y: FloatArray = x * (0.5 * _erfc(-x / np.sqrt(2.0).astype(np.float32))).astype(np.float32)
    return y


def _erfc(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The complementary error function, with a relative error below 1.2e-7 everywhere."""
    z = np.abs(x).astype(np.float64)
    t = 1 / (1 + 0.5 * z)
    y = t * np.exp(-z * z - 1.26551223 + t * np.polyval(_ERFC, t))
    result: NDArray[np.float64] = np.where(x >= 0, y, 2 - y)
    return result
