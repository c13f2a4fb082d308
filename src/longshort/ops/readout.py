"""A linear layer in the core for a few rows at a time, with packed weights that stay where they are."""

from __future__ import annotations

import torch
from torch import Tensor

from longshort import _core
from longshort.ops import kernels


class Readout:
    """`y = readout(x)`, x (B, I), y (B, O), in one thread.

    Args:
        weight: (O, I), copied, on the CPU in one of `kernels.DTYPES`.
        bias: (O,), or None.
        rounds: whether the product may round its two sides to bfloat16; sums stay as they are.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, rounds: bool) -> None:
        self._dtype = weight.dtype
        self._outputs, self._inputs = weight.shape
        kept = [None if part is None else part.detach().contiguous() for part in (weight, bias)]
        make = getattr(_core, f"readout_{kernels.DTYPES[weight.dtype]}")
        addresses = [0 if part is None else part.data_ptr() for part in kept]
        self._run = make(self._inputs, self._outputs, *addresses, rounds).run

    def __call__(self, x: Tensor) -> Tensor:
        """One product."""
        x = x.to(self._dtype).contiguous()
        y = torch.empty(len(x), self._outputs, dtype=self._dtype)
        self._run(len(x), x.data_ptr(), y.data_ptr())
        return y
