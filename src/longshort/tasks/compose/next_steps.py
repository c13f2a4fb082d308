"""What comes next in a tune, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longshort.data.rolls import LOWEST
from longshort.tasks.compose.keys import NAMES
from longshort.tasks.compose.pieces import Encoding, TokenEncoding


def labels(encoding: Encoding) -> list[str]:
    """The names of all tokens, or of all keys: "C4" is the middle one."""
    if isinstance(encoding, TokenEncoding):
        return encoding.tokens.names
    return [pitch_name(LOWEST + key) for key in range(encoding.size)]


def pitch_name(pitch: int) -> str:
    """A pitch by its name and octave."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def likeliest(encoding: Encoding, p: NDArray[np.float32], k: int) -> tuple[list[str], list[float]]:
    """The k likeliest tokens, or keys, by their probabilities, (V,) or (K,)."""
    best, names = np.argsort(-p, kind="stable")[:k], labels(encoding)
    return [names[i] for i in best], p[best].astype(np.float64).tolist()
