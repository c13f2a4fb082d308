"""Layers of the core, one step at a time: packed weights and a state that stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from longshort import _core
from longshort.ops import kernels
from longshort.ops.reference import State, Weights

# Outputs come out of one allocation for so many steps: to allocate takes nearly as long as to compute a small layer.
BLOCK = 64


class Steps:
    """Runs layers of one cell from step to step on B sequences: `y = steps(x)`, x (B, I), y (B, R).

    Args:
        cell: a name in `kernels.CELLS`.
        layers: the weights of each layer, which are copied, on the CPU in one of `kernels.DTYPES`.
        batch: B.
        states: of each layer, h (B, R) and c (B, H); None for zeros.
        zoneout: the shares of the last h and c that each step keeps.
        rounds: whether products may round their two sides to bfloat16; then y is bfloat16, and x may be.
    """

    def __init__(
        self,
        cell: str,
        layers: Sequence[Weights],
        batch: int,
        states: Sequence[State | None],
        zoneout: tuple[float, float],
        *,
        rounds: bool,
    ) -> None:
        self._rounds = rounds
        self._state_type = layers[0].weight_ih.dtype
        self._dtype = torch.float32 if rounds else self._state_type
        self._shape = torch.Size((batch, layers[0].weight_ih.size(1)))
        self._memory = cell in kernels.MEMORY
        name = kernels.DTYPES[self._dtype]
        make = getattr(_core, f"stream_{name}")
        self._layers = []
        self._sizes = []  # of each layer's h, and c where it has one
        for weights, state in zip(layers, states, strict=True):
            parts = [None if part is None else self._own(part) for part in weights]
            addresses = tuple(0 if part is None else part.data_ptr() for part in parts)
            output = weights.weight_hh.size(1)
            hidden, projected = (output, 0) if weights.weight_hr is None else (weights.weight_hr.size(1), output)
            self._sizes.append((output, hidden)[: 1 + self._memory])
            sizes = (batch, weights.weight_ih.size(1), hidden, projected)
            layer = make(kernels.CELLS[cell], *sizes, addresses, *zoneout, rounds)
            if state is not None:
                self._write(layer, state)
            self._layers.append(layer)
        self._step = self._layers[0].step
        self._output = self._sizes[-1][0]
        self._between = [torch.empty(batch, output, dtype=self._dtype) for output, *_ in self._sizes[:-1]]
        self._outputs: Iterator[Tensor] = iter(())

    def fits(self, x: Tensor) -> bool:
        """Whether x can be read as it is."""
        return x.shape == self._shape and x.dtype is self._dtype and x.is_cpu and x.is_contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """One step; x must have the shape, and be contiguous."""
        if self._rounds:
            return self._run(x.float()).bfloat16()
        return self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        y = next(self._outputs, None)
        if y is None:
            self._outputs = iter(torch.empty(BLOCK, self._shape[0], self._output, dtype=self._dtype).unbind())
            y = next(self._outputs)
        if not self._between:
            self._step(x.data_ptr(), y.data_ptr())
            return y
        address = x.data_ptr()
        for layer, out in zip(self._layers, [*self._between, y], strict=True):
            layer.step(address, out.data_ptr())
            address = out.data_ptr()
        return y

    @property
    def states(self) -> list[State]:
        """The state of each layer after the last step."""
        states: list[State] = []
        for layer, sizes in zip(self._layers, self._sizes, strict=True):
            parts = [torch.empty(self._shape[0], size, dtype=self._dtype) for size in sizes]
            layer.read(*(part.data_ptr() for part in parts), *([] if self._memory else [0]))
            states.append(tuple(part.to(self._state_type) for part in parts))
        return states

    def write(self, states: Sequence[State]) -> None:
        """Go on from other states of the same shape, of each layer h (B, R) and c (B, H)."""
        for layer, state in zip(self._layers, states, strict=True):
            self._write(layer, state)

    def _write(self, layer: Any, state: State) -> None:
        kept = [self._own(part) for part in state]
        layer.write(*(part.data_ptr() for part in kept), *([] if self._memory else [0]))

    def _own(self, tensor: Tensor) -> Tensor:
        return tensor.detach().to(self._dtype).contiguous()
