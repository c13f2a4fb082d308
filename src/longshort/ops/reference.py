"""The recurrence in plain PyTorch: the equations, and the truth that every other backend is tested against.

Shapes: T steps, B sequences, I inputs, H hidden units, P projected units, and R = P with a projection, else H. Weights
hold one block of H rows for each gate, in the order of `CELLS[cell].gates`, which is PyTorch's. Everything here can be
differentiated any number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from longshort.ops.lengths import Lengths

State: TypeAlias = tuple[Tensor, ...]
"""What a cell hands to its next step, h first: (h, c) for the LSTM, (h,) for the others. h (B, R), c (B, H)."""


class Weights(NamedTuple):
    """The parameters of one layer in one direction, G gates.

    Attributes:
        weight_ih: input to gates, (G * H, I).
        weight_hh: hidden state to gates, (G * H, R).
        bias_ih, bias_hh: (G * H,) each, or both None.
        weight_hr: projection of the LSTM's hidden state, (P, H), or None.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight_hr: Tensor | None = None


class LSTMTrace(NamedTuple):
    """Everything an LSTM computes: gates i, f, g, o and cell state c, (..., H), hidden state h, (..., R)."""

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor
    c: Tensor
    h: Tensor


class GRUTrace(NamedTuple):
    """Everything a GRU computes: gates r, z, n and hidden state h, (..., H)."""

    r: Tensor
    z: Tensor
    n: Tensor
    h: Tensor


class RNNTrace(NamedTuple):
    """Everything a plain RNN computes: its hidden state h, (..., H)."""

    h: Tensor


Trace: TypeAlias = LSTMTrace | GRUTrace | RNNTrace


def lstm_step(x: Tensor, state: State, weights: Weights) -> LSTMTrace:
    """One step of the long short-term memory. x (B, I), state (h, c).

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000 and, where `weight_hr` is
    given, the recurrent projection of Sak, Senior & Beaufays 2014, eq. 7 to 13 without peepholes::

        i = σ(W_i x + U_i h + b_i)      f = σ(W_f x + U_f h + b_f)
        g = tanh(W_g x + U_g h + b_g)   o = σ(W_o x + U_o h + b_o)
        c' = f ⊙ c + i ⊙ g              h' = o ⊙ tanh(c')           (projected: h' = W_r (o ⊙ tanh(c')))
    """
    h, c = state
    i, f, g, o = _gates(x, h, weights).chunk(4, dim=-1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c + i * g
    h = o * c.tanh()
    if weights.weight_hr is not None:
        h = F.linear(h, weights.weight_hr)
    return LSTMTrace(i, f, g, o, c, h)


def gru_step(x: Tensor, state: State, weights: Weights) -> GRUTrace:
    """One step of the gated recurrent unit. x (B, I), state (h,).

    Cho et al. 2014 in the variant of PyTorch and cuDNN, where r multiplies the product with U_n instead of h::

        r = σ(W_r x + U_r h + b_r)      z = σ(W_z x + U_z h + b_z)
        n = tanh(W_n x + b_in + r ⊙ (U_n h + b_hn))
        h' = (1 - z) ⊙ n + z ⊙ h
    """
    (h,) = state
    x_r, x_z, x_n = F.linear(x, weights.weight_ih, weights.bias_ih).chunk(3, dim=-1)
    h_r, h_z, h_n = F.linear(h, weights.weight_hh, weights.bias_hh).chunk(3, dim=-1)
    r = (x_r + h_r).sigmoid()
    z = (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return GRUTrace(r, z, n, (1 - z) * n + z * h)


def rnn_tanh_step(x: Tensor, state: State, weights: Weights) -> RNNTrace:
    """One step of the plain RNN (Elman 1990), h' = tanh(W x + U h + b). x (B, I), state (h,)."""
    return RNNTrace(_gates(x, state[0], weights).tanh())


def rnn_relu_step(x: Tensor, state: State, weights: Weights) -> RNNTrace:
    """One step of the plain RNN with h' = max(0, W x + U h + b). x (B, I), state (h,)."""
    return RNNTrace(_gates(x, state[0], weights).relu())


def _gates(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """All gates before their nonlinearity, (B, G * H)."""
    return F.linear(x, weights.weight_ih, weights.bias_ih) + F.linear(h, weights.weight_hh, weights.bias_hh)


@dataclass(frozen=True)
class Cell:
    """What the rest of the house needs to know of a cell.

    Attributes:
        step: its equations; gives every named value of one step.
        gates: the blocks of rows in the weights, in order.
        state: the values that are handed to the next step, h first.
    """

    step: Callable[[Tensor, State, Weights], Trace]
    gates: tuple[str, ...]
    state: tuple[str, ...]


CELLS: dict[str, Cell] = {
    "lstm": Cell(lstm_step, gates=("i", "f", "g", "o"), state=("h", "c")),
    "gru": Cell(gru_step, gates=("r", "z", "n"), state=("h",)),
    "rnn_tanh": Cell(rnn_tanh_step, gates=("h",), state=("h",)),
    "rnn_relu": Cell(rnn_relu_step, gates=("h",), state=("h",)),
}


def initial_state(cell: str, x: Tensor, weights: Weights) -> State:
    """Zeros to begin with. x (..., B, I)."""
    hidden = weights.weight_ih.size(0) // len(CELLS[cell].gates)
    sizes = {"h": weights.weight_hh.size(1), "c": hidden}
    return tuple(x.new_zeros(x.size(-2), sizes[name]) for name in CELLS[cell].state)


def step(cell: str, x: Tensor, state: State | None, weights: Weights) -> State:
    """One step. x (B, I); takes and gives the state."""
    return _state(cell, CELLS[cell].step(x, state or initial_state(cell, x, weights), weights))


def recurrence(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Lengths | None = None,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """All steps. x (T, B, I); gives the output (T, B, R), 0 at padded steps, and the final state."""
    steps, state = _run(cell, x, state, weights, lengths, reverse)
    return torch.stack([values.h for values in steps]), state


def trace(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Lengths | None = None,
    reverse: bool = False,
) -> tuple[Trace, State]:
    """All steps, and every named value of each. x (T, B, I); values (T, B, ·), 0 at padded steps; final state."""
    steps, state = _run(cell, x, state, weights, lengths, reverse)
    return type(steps[0])(*map(torch.stack, zip(*steps, strict=True))), state


def _run(
    cell: str, x: Tensor, state: State | None, weights: Weights, lengths: Lengths | None, reverse: bool
) -> tuple[list[Trace], State]:
    """The loop over time that all cells share; the values of each step in the order of time, and the final state.

    A padded step leaves the state as it was, so that a reversed sequence begins at its own last valid step.
    """
    state = state or initial_state(cell, x, weights)
    if lengths is not None:  # whatever stands in the padding, NaN too, must not reach a gradient either
        x = x.masked_fill(~lengths.mask.unsqueeze(-1), 0.0)
    times = range(len(x))
    steps = []
    for t in reversed(times) if reverse else times:
        values = CELLS[cell].step(x[t], state, weights)
        new = _state(cell, values)
        if lengths is None:
            state = new
        else:
            valid = lengths.mask[t].unsqueeze(-1)
            state = tuple(torch.where(valid, after, before) for after, before in zip(new, state, strict=True))
            values = type(values)(*(value.masked_fill(~valid, 0.0) for value in values))
        steps.append(values)
    return steps[::-1] if reverse else steps, state


def _state(cell: str, values: Trace) -> State:
    return tuple(getattr(values, name) for name in CELLS[cell].state)
