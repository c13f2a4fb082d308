"""The lengths of the sequences in a padded batch: checked in this one place, and what backends derive from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from longshort.errors import InputError


class Lengths:
    """Lengths that are known to fit a batch of B sequences, padded to T steps.

    What follows from them is computed once, when first asked for, and shared by all layers and directions.

    Args:
        lengths: integers from 1 to T, (B,).
        steps: T.
        batch: B.
        device: where the batch is.

    Raises:
        InputError: wrong shape, not integers, or a length outside 1 to T (the message names the row).
    """

    def __init__(self, lengths: Tensor | Sequence[int], *, steps: int, batch: int, device: torch.device) -> None:
        values = torch.as_tensor(lengths)
        if values.shape != (batch,):
            raise InputError(
                f"lengths must have shape ({batch},), one for each sequence of the batch, got {tuple(values.shape)}"
            )
        if values.dtype.is_floating_point or values.dtype.is_complex or values.dtype == torch.bool:
            raise InputError(f"lengths must be integers, got {values.dtype}")
        if torch.compiler.is_compiling():  # values are not known yet: checked when the compiled code runs
            self.values = values.to(device=device, dtype=torch.int64)
            self.steps, self.full = steps, False
            valid = ((self.values >= 1) & (self.values <= steps)).all()
            torch._assert_async(valid, f"lengths must lie between 1 and the {steps} steps of the batch")
            return
        self._host = values.to(device="cpu", dtype=torch.int64)
        for row, length in enumerate(self._host.tolist()):
            if length < 1:
                raise InputError(f"lengths must be at least 1, got {length} in row {row}")
            if length > steps:
                raise InputError(f"lengths must not exceed the {steps} steps of the batch, got {length} in row {row}")
        self.values = self._host.to(device)
        self.steps = steps
        self.full = bool((self._host == steps).all())

    @cached_property
    def mask(self) -> Tensor:
        """True at valid steps, (T, B)."""
        return torch.arange(self.steps, device=self.values.device).unsqueeze(-1) < self.values

    @cached_property
    def order(self) -> Tensor:
        """The rows from the longest sequence to the shortest, (B,)."""
        return self._host.argsort(descending=True, stable=True).to(self.values.device)

    @cached_property
    def original(self) -> Tensor:
        """Undoes `order`, (B,)."""
        return self.order.argsort()

    @cached_property
    def batch_sizes(self) -> Tensor:
        """How many sequences are still running at each step up to the longest, on the CPU."""
        times = torch.arange(int(self._host.max())).unsqueeze(-1)
        return (times < self._host).sum(1)

    def packed(self, reverse: bool) -> Tensor:
        """Rows of the batch, flattened to (T * B, ·), in the order in which a packed kernel reads them.

        Sorting, dropping the padding and turning each sequence round within its length are this one gather.
        """
        return self._backward if reverse else self._forward

    @cached_property
    def _forward(self) -> Tensor:
        return self._gather(self._times.expand(-1, len(self.order)))

    @cached_property
    def _backward(self) -> Tensor:
        return self._gather(self.values[self.order] - 1 - self._times)

    @property
    def _times(self) -> Tensor:
        return torch.arange(len(self.batch_sizes), device=self.values.device).unsqueeze(-1)

    def _gather(self, times: Tensor) -> Tensor:
        """Flat positions of the sorted sequences' valid steps, read at `times` (longest, B)."""
        valid = self._times < self.values[self.order]
        return (times * len(self.order) + self.order)[valid]
