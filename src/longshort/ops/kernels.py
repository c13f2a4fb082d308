"""Calls of the C++ core: tensors in, addresses across, tensors out. No autograd, no dispatcher.

An argument that a cell or layer lacks is None, a result that it lacks or that nobody asked for is None too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from longshort import _core

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
CELLS = {name: index for index, name in enumerate(_core.CELLS)}
MEMORY = {"lstm"}  # cells with a cell state c
_FORWARD = {dtype: getattr(_core, f"forward_{name}") for dtype, name in DTYPES.items()}
_BACKWARD = {dtype: getattr(_core, f"backward_{name}") for dtype, name in DTYPES.items()}


class Inputs(NamedTuple):
    """One layer in one direction and what it reads. T steps, B sequences, I inputs, H hidden units, G gates.

    Attributes:
        x: input, (T, B, I).
        h0, c0: the initial state, (B, R) and (B, H), or None for zeros; R = P with a projection, else H.
        w_ih, w_hh: weights, (G * H, I) and (G * H, R).
        b_ih, b_hh: biases, (G * H,), or None.
        w_hr: projection, (P, H), or None.
    """

    x: Tensor
    h0: Tensor | None
    c0: Tensor | None
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None

    @property
    def hidden(self) -> int:
        """H."""
        return self.w_hh.size(1) if self.w_hr is None else self.w_hr.size(1)


def tape_bytes(cell: str, inputs: Inputs) -> int:
    """Size of the memory in which forward leaves what backward needs; works with symbolic T and B."""
    x, projected = inputs.x, 0 if inputs.w_hr is None else inputs.w_hr.size(0)
    each = _core.tape_bytes(CELLS[cell], DTYPES[x.dtype], inputs.hidden, projected)
    size: int = each * x.size(0) * x.size(1) + _core.TAPE_HEADER
    return size


def forward(
    cell: str, inputs: Inputs, lengths: Tensor | None, reverse: bool, tape: int = 0
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Output y (T, B, R), 0 at padded steps, and the final h (B, R) and c (B, H). `tape` is an address, 0 for none."""
    call = _Call(cell, inputs, lengths, reverse)
    x, output = inputs.x, inputs.w_hh.size(1)
    y, hn = x.new_empty(x.size(0), x.size(1), output), x.new_empty(x.size(1), output)
    cn = x.new_empty(x.size(1), inputs.hidden) if cell in MEMORY else None
    _FORWARD[x.dtype](*call.arguments(y), hn.data_ptr(), _address(cn), tape)
    return y, hn, cn


def backward(
    upstream: tuple[Tensor | None, ...],
    cell: str,
    inputs: Inputs,
    lengths: Tensor | None,
    reverse: bool,
    y: Tensor,
    tape: int,
    ask: tuple[bool, bool, bool],
) -> Inputs:
    """Gradients from those of y, h_n and c_n (None for zeros); `ask` says whether x, h0 and c0 want theirs.

    The core overwrites the tape, knows when it has, and runs forward again where backward is called once more.
    """
    call = _Call(cell, inputs, lengths, reverse)
    dy, dhn, dcn = upstream
    dy, dhn, dcn = _rows(dy), _whole(dhn), _whole(dcn)
    wanted = [*ask, True, True, True, True, True]
    found = Inputs(*(_like(t) if want else None for t, want in zip(inputs, wanted, strict=True)))  # type: ignore[arg-type]
    _BACKWARD[inputs.x.dtype](
        *call.arguments(y),
        tape,
        *_placed(dy),
        *(_address(dhn), _address(dcn)),
        *_placed(found.x),
        *map(_address, found[3:]),
        *(_address(found.h0), _address(found.c0)),
    )
    return found


class _Call:
    """The arguments that forward and backward share; holds the memory while the core looks at it."""

    def __init__(self, cell: str, inputs: Inputs, lengths: Tensor | None, reverse: bool) -> None:
        x, *parts = inputs
        self.hidden, self.projected = inputs.hidden, 0 if inputs.w_hr is None else inputs.w_hr.size(0)
        self.cell, self.reverse = CELLS[cell], reverse
        self.x = x if x.stride(-1) == 1 else x.contiguous()
        self.parts, self.lengths = [_whole(part) for part in parts], _whole(lengths)

    def arguments(self, y: Tensor) -> tuple[int, ...]:
        """As longshort._core takes them, up to y."""
        steps, batch, inputs = self.x.shape
        h0, c0, *weights = map(_address, self.parts)
        return (
            *(self.cell, steps, batch, inputs, self.hidden, self.projected),
            *(_address(self.lengths), self.reverse, torch.get_num_threads()),
            *weights,
            *_placed(self.x),
            *(h0, c0),
            *_placed(y),
        )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _whole(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _rows(tensor: Tensor | None) -> Tensor | None:
    """The tensor, or a copy, with each row (its last dimension) in one piece."""
    return tensor if tensor is None or tensor.stride(-1) == 1 else tensor.contiguous()


def _placed(tensor: Tensor | None) -> tuple[int, int, int]:
    """Address and strides of (T, B, ·)."""
    return (0, 0, 0) if tensor is None else (tensor.data_ptr(), tensor.stride(0), tensor.stride(1))


def _like(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else torch.empty_like(tensor, memory_format=torch.contiguous_format)
