"""What the network reads at once: some examples, padded to the longest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# The fields of a `Batch` but the classes, as NumPy arrays, by name.
Arrays = dict[str, NDArray[Any]]


class Batch(NamedTuple):
    """B examples of T steps at most, with U distinct words among them.

    Attributes:
        steps: of texts the words as positions among the distinct ones, (T, B); of numbers the values, (T, B, C).
        lengths: steps of each example, (B,).
        targets: the class of each, (B,).
        words: each distinct word's place in the vocabulary, 0 where it has none, (U,); empty for numbers.
        pieces: buckets of the pieces of all distinct words, one after the other; empty for numbers.
        offsets: where each distinct word's pieces begin, (U,); empty for numbers.
    """

    steps: Tensor
    lengths: Tensor
    targets: Tensor
    words: Tensor
    pieces: Tensor
    offsets: Tensor


def as_batch(arrays: Arrays, targets: NDArray[np.int64]) -> Batch:
    """Examples as arrays, with their classes (B,), as tensors."""
    import torch

    return Batch(targets=torch.from_numpy(targets), **{name: torch.from_numpy(part) for name, part in arrays.items()})
