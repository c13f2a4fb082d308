"""Calls of the C++ core: tensors in, addresses across, tensors out. No autograd, no dispatcher.

An argument that a cell or layer lacks is None, a result that it lacks or that nobody asked for is None too.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from longshort import _core

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
CELLS = {name: index for index, name in enumerate(_core.CELLS)}
MEMORY = {name for name in CELLS if name.endswith("lstm")}  # cells with a cell state c
_FORWARD = {dtype: getattr(_core, f"forward_{name}") for dtype, name in DTYPES.items()}
_BACKWARD = {dtype: getattr(_core, f"backward_{name}") for dtype, name in DTYPES.items()}

Placed: TypeAlias = tuple[int, int, int]


class Inputs(NamedTuple):
    """One layer in one direction and what it reads. T steps, B sequences, I inputs, H hidden units, G gates.

    Attributes:
        x: input, (T, B, I).
        h0, c0: the initial state, (B, R) and (B, H), or None for zeros; R = P with a projection, else H.
        w_ih, w_hh: weights, (G * H, I) and (G * H, R).
        b_ih, b_hh: biases, (G * H,), or None.
        w_hr: projection, (P, H), or None.
        w_ch: peepholes, (H,) for each gate that has one, or None.
        g_ih, g_hh, g_ch, b_ch: gains and a bias of a normalised cell, or None.
        h_mask, h_zone, c_zone: as `reference.Masks` has them; not differentiated.
    """

    x: Tensor
    h0: Tensor | None
    c0: Tensor | None
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None
    w_ch: Tensor | None
    g_ih: Tensor | None
    g_hh: Tensor | None
    g_ch: Tensor | None
    b_ch: Tensor | None
    h_mask: Tensor | None
    h_zone: Tensor | None
    c_zone: Tensor | None

    @property
    def states(self) -> tuple[Tensor | None, ...]:
        """x, h0 and c0."""
        return self[:3]

    @property
    def weights(self) -> tuple[Tensor | None, ...]:
        """From w_ih to b_ch."""
        return self[3:13]

    @property
    def hidden(self) -> int:
        """H."""
        return self.w_hh.size(1) if self.w_hr is None else self.w_hr.size(1)

    @property
    def projected(self) -> int:
        """P, or 0 without a projection."""
        return 0 if self.w_hr is None else self.w_hr.size(0)


DIFFERENTIABLE = 13  # of `Inputs`, the first ones


class Layer(NamedTuple):
    """A cell, what it reads, and how.

    Attributes:
        lengths: valid steps, (B,), int64, or None.
        reverse: from each sequence's last valid step to its first.
        checkpoint: steps from one state that is kept to the next, or 0.
        rounds: whether products may round their two sides to bfloat16.
    """

    cell: str
    inputs: Inputs
    lengths: Tensor | None
    reverse: bool
    checkpoint: int = 0
    rounds: bool = False


def tape_bytes(layer: Layer) -> int:
    """Size of the memory in which forward leaves what backward needs; works with symbolic T and B."""
    cell, inputs, _, _, checkpoint, rounds = layer
    steps, batch = inputs.x.size(0), inputs.x.size(1)
    size: int
    if 0 < checkpoint < steps:
        borders = -(-steps // checkpoint)
        numbers = inputs.w_hh.size(1) + (inputs.hidden if cell in MEMORY else 0)
        size = borders * batch * numbers * inputs.x.element_size() + _core.TAPE_HEADER
        return size
    one = _core.tape_bytes(DTYPES[inputs.x.dtype], (CELLS[cell], 1, 1, 1, inputs.hidden, inputs.projected, 0, rounds))
    size = (one - _core.TAPE_HEADER) * steps * batch + _core.TAPE_HEADER
    return size


def forward(layer: Layer, tape: int = 0) -> tuple[Tensor, Tensor, Tensor | None]:
    """Output y (T, B, R), 0 at padded steps, and the final h (B, R) and c (B, H). `tape` is an address, 0 for none."""
    call = _Call(layer)
    x, hidden, output = layer.inputs.x, layer.inputs.hidden, layer.inputs.w_hh.size(1)
    y, hn = x.new_empty(x.size(0), x.size(1), output), x.new_empty(x.size(1), output)
    cn = x.new_empty(x.size(1), hidden) if layer.cell in MEMORY else None
    _FORWARD[x.dtype](*call.arguments, _placed(y), hn.data_ptr(), _address(cn), tape)
    return y, hn, cn


def backward(
    upstream: tuple[Tensor | None, ...], layer: Layer, y: Tensor, tape: int, ask: tuple[bool, bool, bool]
) -> list[Tensor | None]:
    """Gradients from those of y, h_n and c_n (None for zeros); `ask` says whether x, h0 and c0 want theirs.

    The core overwrites the tape, knows when it has, and runs forward again where backward is called once more.
    """
    call = _Call(layer)
    dy, dhn, dcn = upstream
    dy, dhn, dcn = _rows(dy), _whole(dhn), _whole(dcn)
    inputs = layer.inputs
    dx, dh0, dc0 = (_like(t) if want else None for t, want in zip(inputs.states, ask, strict=True))
    weights = [_like(weight) for weight in inputs.weights]
    _BACKWARD[inputs.x.dtype](
        *call.arguments,
        *(_placed(y), tape),
        *(_placed(dy), _address(dhn), _address(dcn)),
        *(_placed(dx), tuple(map(_address, weights)), _address(dh0), _address(dc0)),
    )
    return [dx, dh0, dc0, *weights]


class _Call:
    """The arguments that forward and backward share; holds the memory while the core looks at it."""

    def __init__(self, layer: Layer) -> None:
        inputs = layer.inputs
        steps, batch, width = inputs.x.shape
        lengths = _whole(layer.lengths)
        x, h_zone, c_zone = _rows(inputs.x), _rows(inputs.h_zone), _rows(inputs.c_zone)
        states = [_whole(part) for part in (inputs.h0, inputs.c0, inputs.h_mask)]
        weights = [_whole(part) for part in inputs.weights]
        self._held = lengths, x, h_zone, c_zone, states, weights
        self.arguments = (
            (
                *(CELLS[layer.cell], steps, batch, width, inputs.hidden, inputs.projected),
                *(layer.checkpoint, layer.rounds),
            ),
            *(_address(lengths), layer.reverse, torch.get_num_threads()),
            tuple(map(_address, weights)),
            *(_placed(x), tuple(map(_address, states)), _placed(h_zone), _placed(c_zone)),
        )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _whole(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _rows(tensor: Tensor | None) -> Tensor | None:
    """The tensor, or a copy, with each row (its last dimension) in one piece."""
    return tensor if tensor is None or tensor.stride(-1) == 1 else tensor.contiguous()


def _placed(tensor: Tensor | None) -> Placed:
    """Address and strides of (T, B, ·)."""
    return (0, 0, 0) if tensor is None else (tensor.data_ptr(), tensor.stride(0), tensor.stride(1))


def _like(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else torch.empty_like(tensor, memory_format=torch.contiguous_format)
