"""A text as it is read to be scored: in parts side by side, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

# A long text is read in parts side by side, each after so many tokens of the text before it; and so many steps at once.
PARTS = 16
OVERLAP = 512
WINDOW = 128


class Window(NamedTuple):
    """T steps of P parts.

    Attributes:
        inputs: tokens to read, (T, P).
        targets: the tokens that come, (T, P).
        positions: their places in the text, (T, P); −1 for those that another part answers for.
    """

    inputs: IntArray
    targets: IntArray
    positions: IntArray


def windows(ids: NDArray[np.integer], context: NDArray[np.integer]) -> Iterator[Window]:
    """A text window by window.

    Args:
        ids: its tokens, (N,).
        context: tokens before it, at least one.
    """
    text = np.concatenate([context, ids]).astype(np.int64)
    count, before = len(ids), len(context) - 1
    total = count + before  # targets, those of the context included
    parts = max(1, min(PARTS, (total - OVERLAP) // (4 * OVERLAP)))
    overlap = OVERLAP if parts > 1 else 0
    length = -(-(total - overlap) // parts)
    steps = length * np.arange(parts)[None, :] + np.arange(overlap + length)[:, None]
    # The first part answers for its overlap too; what lies behind the end is nobody's.
    own = (np.arange(overlap + length)[:, None] >= overlap) | (np.arange(parts)[None, :] == 0)
    own &= (steps >= before) & (steps < total)
    positions = np.where(own, steps - before, -1)
    steps = steps.clip(max=total - 1)
    for k in range(0, len(steps), WINDOW):
        window = steps[k : k + WINDOW]
        yield Window(text[window], text[window + 1], positions[k : k + WINDOW])
