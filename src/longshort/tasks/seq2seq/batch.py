"""What the network reads at once: some pairs of sequences, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.tasks.seq2seq.steps import side_by_side

IntArray = NDArray[np.int32]


class Batch(NamedTuple):
    """B pairs, of S source steps and T target steps at most; padding is 0.

    Attributes:
        sources: tokens, (S, B).
        source_lengths: (B,), at least 1.
        inputs: what the decoder reads, begin first, (T, B).
        targets: what it shall write, end last, (T, B).
        target_lengths: (B,), at least 1.
    """

    sources: Tensor
    source_lengths: Tensor
    inputs: Tensor
    targets: Tensor
    target_lengths: Tensor

    @property
    def written(self) -> Tensor:
        """Which steps of the targets are no padding, bool, (T, B)."""
        return valid(self.target_lengths, len(self.targets)).t()


def make_batch(sources: Sequence[IntArray], targets: Sequence[IntArray], begin: int, end: int) -> Batch:
    """Pad and mark.

    Args:
        sources: tokens, (S_i,) each, at least 1.
        targets: tokens without begin and end, (T_i,) each.
        begin, end: tokens that stand around every target.
    """
    read, source_lengths = padded(sources)
    inputs, lengths = padded([np.concatenate(([begin], target)) for target in targets])
    written, _ = padded([np.concatenate((target, [end])) for target in targets])
    return Batch(read, source_lengths, inputs, written, lengths)


def padded(sequences: Sequence[NDArray[np.integer]]) -> tuple[Tensor, Tensor]:
    """Sequences side by side, int64, (longest, B), and their lengths, (B,)."""
    tokens, lengths = side_by_side(sequences)
    return torch.from_numpy(tokens), torch.from_numpy(lengths)


def valid(lengths: Tensor, steps: int) -> Tensor:
    """Which steps are no padding, bool, (B, steps)."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)
