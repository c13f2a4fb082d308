"""Examples of unlike length in batches of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

# Lengths are taken up to so much longer than they are, at random: who shares a batch differs from epoch to epoch.
SPREAD = 0.2


def batches_by_length(
    lengths: Sequence[int] | IntArray, batch_size: int, seed: int | Sequence[int], spread: float = SPREAD
) -> list[IntArray]:
    """One epoch: each example in one batch, sorted by roughly their length, the batches in random order.

    Padded to its longest example each, the batches of N examples of lengths l take at most
    (1 + spread) * (sum of l + 2 * batch_size * longest) + N + 2 * batch_size steps, whatever the lengths are.

    Args:
        lengths: of every example, 0 or above, (N,).
        batch_size: examples of a batch; one batch may have fewer.
        seed: of the order; the same one gives the same batches.
        spread: by which share lengths are blurred before they are sorted.

    Returns:
        Indices of the examples of each batch, (batch_size,) each.
    """
    length = np.asarray(lengths, dtype=np.float64)
    rng = np.random.default_rng(seed)
    blur = rng.random(len(length))
    order = np.argsort(length * (1 + spread * blur) + blur, kind="stable")
    batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def batches_by_budget(
    lengths: Sequence[int] | IntArray, budget: int, seed: int | Sequence[int], spread: float = SPREAD
) -> list[IntArray]:
    """One epoch as `batches_by_length`, but each batch filled up to a number of steps, its padding included.

    Args:
        lengths: of every example, 0 or above, (N,).
        budget: steps of a batch; an example that is longer is a batch of its own.
        seed: of the order; the same one gives the same batches.
        spread: by which share lengths are blurred before they are sorted.

    Returns:
        Indices of the examples of each batch.
    """
    length = np.asarray(lengths, dtype=np.int64)
    rng = np.random.default_rng(seed)
    blur = rng.random(len(length))
    order = np.argsort(length * (1 + spread * blur) + blur, kind="stable")
    cuts, longest, begin = [], 0, 0
    for place, steps in enumerate(length[order].tolist()):
        longest = max(longest, steps)
        if place > begin and longest * (place + 1 - begin) > budget:
            cuts.append(place)
            begin, longest = place, steps
    batches = np.split(order, cuts) if len(order) else []
    return [batches[k] for k in rng.permutation(len(batches))]
