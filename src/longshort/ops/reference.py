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
    """The parameters of one layer in one direction, G gates. What a cell or layer lacks is None.

    Attributes:
        weight_ih: input to gates, (G * H, I).
        weight_hh: hidden state to gates, (G * H, R).
        bias_ih, bias_hh: (G * H,) each, or both None.
        weight_hr: projection of the LSTM's hidden state, (P, H).
        weight_ch: peepholes, cell state to gates, a block of H for each of i, f and o, coupled i and o, (3 * H,).
        gain_ih, gain_hh: of the normalised products with the input and the hidden state, (G * H,).
        gain_ch, bias_ch: of the normalised cell state on its way out, (H,); no bias_ch where there are no biases.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight_hr: Tensor | None = None
    weight_ch: Tensor | None = None
    gain_ih: Tensor | None = None
    gain_hh: Tensor | None = None
    gain_ch: Tensor | None = None
    bias_ch: Tensor | None = None


class Masks(NamedTuple):
    """What regularises the state of one layer in one direction; no gradient goes into it.

    Attributes:
        hidden: factors of the hidden state on its way into the recurrent product, the same at every step, (B, R): the
            dropout of Gal & Ghahramani 2016.
        zone_h, zone_c: the share of the last h and c that each step keeps, (T, B, R) and (T, B, H), 0 or 1 in training
            and their mean afterwards: zoneout, Krueger et al. 2017. Not with a projection.
    """

    hidden: Tensor | None = None
    zone_h: Tensor | None = None
    zone_c: Tensor | None = None

    def at(self, t: int) -> Masks:
        """Those of one step, the zones (B, ·)."""
        return Masks(self.hidden, *(None if zone is None else zone[t] for zone in self[1:]))


NO_MASKS = Masks()


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


def lstm_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> LSTMTrace:
    """One step of the long short-term memory. x (B, I), state (h, c), mask of h (B, R).

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000 and, where `weight_hr` is
    given, the recurrent projection of Sak, Senior & Beaufays 2014, eq. 7 to 13 without peepholes::

        i = σ(W_i x + U_i h + b_i)      f = σ(W_f x + U_f h + b_f)
        g = tanh(W_g x + U_g h + b_g)   o = σ(W_o x + U_o h + b_o)
        c' = f ⊙ c + i ⊙ g              h' = o ⊙ tanh(c')           (projected: h' = W_r (o ⊙ tanh(c')))
    """
    h, c = state
    i, f, g, o = _gates(x, h, weights, mask).chunk(4, dim=-1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c + i * g
    return LSTMTrace(i, f, g, o, c, _project(o * c.tanh(), weights))


def peephole_lstm_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> LSTMTrace:
    """One step of the LSTM whose gates see the cell state (Gers, Schraudolph & Schmidhuber 2002), as `lstm_step` but::

    i = σ(… + p_i ⊙ c)    f = σ(… + p_f ⊙ c)    o = σ(… + p_o ⊙ c')
    """
    h, c = state
    i, f, g, o = _gates(x, h, weights, mask).chunk(4, dim=-1)
    p_i, p_f, p_o = _given(weights.weight_ch).chunk(3)
    i, f, g = (i + p_i * c).sigmoid(), (f + p_f * c).sigmoid(), g.tanh()
    c = f * c + i * g
    o = (o + p_o * c).sigmoid()
    return LSTMTrace(i, f, g, o, c, _project(o * c.tanh(), weights))


def coupled_lstm_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> LSTMTrace:
    """One step of the LSTM that forgets as much as it takes in, f = 1 - i (Greff et al. 2017, CIFG)."""
    h, c = state
    i, g, o = _gates(x, h, weights, mask).chunk(3, dim=-1)
    i, g, o = i.sigmoid(), g.tanh(), o.sigmoid()
    f = 1 - i
    c = f * c + i * g
    return LSTMTrace(i, f, g, o, c, _project(o * c.tanh(), weights))


def coupled_peephole_lstm_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> LSTMTrace:
    """One step of the LSTM with both: f = 1 - i, and peepholes to i and o."""
    h, c = state
    i, g, o = _gates(x, h, weights, mask).chunk(3, dim=-1)
    p_i, p_o = _given(weights.weight_ch).chunk(2)
    i, g = (i + p_i * c).sigmoid(), g.tanh()
    f = 1 - i
    c = f * c + i * g
    o = (o + p_o * c).sigmoid()
    return LSTMTrace(i, f, g, o, c, _project(o * c.tanh(), weights))


def layer_norm_lstm_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> LSTMTrace:
    """One step of the LSTM with layer normalisation, N (Ba, Kiros & Hinton 2016, eq. 20 to 22), as `lstm_step` but::

    the gates' sums are  γ_x ⊙ N(W x) + b + γ_h ⊙ N(U h) + b'
    h' = o ⊙ tanh(γ_c ⊙ N(c') + b_c)
    """
    h, c = state
    h = h if mask is None else h * mask
    rows, units = (len(weights.weight_ih),), (c.size(-1),)
    from_x = F.layer_norm(F.linear(x, weights.weight_ih), rows, weights.gain_ih, weights.bias_ih)
    from_h = F.layer_norm(F.linear(h, weights.weight_hh), rows, weights.gain_hh, weights.bias_hh)
    i, f, g, o = (from_x + from_h).chunk(4, dim=-1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c + i * g
    normal = F.layer_norm(c, units, weights.gain_ch, weights.bias_ch)
    return LSTMTrace(i, f, g, o, c, _project(o * normal.tanh(), weights))


def gru_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> GRUTrace:
    """One step of the gated recurrent unit. x (B, I), state (h,), mask of h (B, H).

    Cho et al. 2014 in the variant of PyTorch and cuDNN, where r multiplies the product with U_n instead of h::

        r = σ(W_r x + U_r h + b_r)      z = σ(W_z x + U_z h + b_z)
        n = tanh(W_n x + b_in + r ⊙ (U_n h + b_hn))
        h' = (1 - z) ⊙ n + z ⊙ h
    """
    (h,) = state
    read = h if mask is None else h * mask
    x_r, x_z, x_n = F.linear(x, weights.weight_ih, weights.bias_ih).chunk(3, dim=-1)
    h_r, h_z, h_n = F.linear(read, weights.weight_hh, weights.bias_hh).chunk(3, dim=-1)
    r = (x_r + h_r).sigmoid()
    z = (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return GRUTrace(r, z, n, (1 - z) * n + z * h)


def rnn_tanh_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> RNNTrace:
    """One step of the plain RNN (Elman 1990), h' = tanh(W x + U h + b). x (B, I), state (h,), mask of h (B, H)."""
    return RNNTrace(_gates(x, state[0], weights, mask).tanh())


def rnn_relu_step(x: Tensor, state: State, weights: Weights, mask: Tensor | None = None) -> RNNTrace:
    """One step of the plain RNN with h' = max(0, W x + U h + b). x (B, I), state (h,), mask of h (B, H)."""
    return RNNTrace(_gates(x, state[0], weights, mask).relu())


def _gates(x: Tensor, h: Tensor, weights: Weights, mask: Tensor | None) -> Tensor:
    """All gates before their nonlinearity, (B, G * H)."""
    h = h if mask is None else h * mask
    return F.linear(x, weights.weight_ih, weights.bias_ih) + F.linear(h, weights.weight_hh, weights.bias_hh)


def _project(h: Tensor, weights: Weights) -> Tensor:
    return h if weights.weight_hr is None else F.linear(h, weights.weight_hr)


def _given(weight: Tensor | None) -> Tensor:
    assert weight is not None, "this cell has more parameters"
    return weight


@dataclass(frozen=True)
class Cell:
    """What the rest of the house needs to know of a cell.

    Attributes:
        step: its equations; gives every named value of one step.
        gates: the blocks of rows in the weights, in order.
        state: the values that are handed to the next step, h first.
        peepholes: the gates that see the cell state, in the order of `Weights.weight_ch`.
        normalized: whether its sums are normalised over the units, with gains.
    """

    step: Callable[[Tensor, State, Weights, Tensor | None], Trace]
    gates: tuple[str, ...]
    state: tuple[str, ...]
    peepholes: tuple[str, ...] = ()
    normalized: bool = False


_GATES, _COUPLED, _STATE = ("i", "f", "g", "o"), ("i", "g", "o"), ("h", "c")
CELLS: dict[str, Cell] = {
    "lstm": Cell(lstm_step, _GATES, _STATE),
    "peephole_lstm": Cell(peephole_lstm_step, _GATES, _STATE, peepholes=("i", "f", "o")),
    "coupled_lstm": Cell(coupled_lstm_step, _COUPLED, _STATE),
    "coupled_peephole_lstm": Cell(coupled_peephole_lstm_step, _COUPLED, _STATE, peepholes=("i", "o")),
    "layer_norm_lstm": Cell(layer_norm_lstm_step, _GATES, _STATE, normalized=True),
    "gru": Cell(gru_step, gates=("r", "z", "n"), state=("h",)),
    "rnn_tanh": Cell(rnn_tanh_step, gates=("h",), state=("h",)),
    "rnn_relu": Cell(rnn_relu_step, gates=("h",), state=("h",)),
}


def initial_state(cell: str, x: Tensor, weights: Weights) -> State:
    """Zeros to begin with. x (..., B, I)."""
    hidden = weights.weight_ih.size(0) // len(CELLS[cell].gates)
    sizes = {"h": weights.weight_hh.size(1), "c": hidden}
    return tuple(x.new_zeros(x.size(-2), sizes[name]) for name in CELLS[cell].state)


def step(cell: str, x: Tensor, state: State | None, weights: Weights, *, masks: Masks = NO_MASKS) -> State:
    """One step. x (B, I), zones (B, ·); takes and gives the state."""
    return _state(cell, _step(cell, x, state or initial_state(cell, x, weights), weights, masks))


def recurrence(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Lengths | None = None,
    reverse: bool = False,
    masks: Masks = NO_MASKS,
    checkpoint: int = 0,
) -> tuple[Tensor, State]:
    """All steps. x (T, B, I); gives the output (T, B, R), 0 at padded steps, and the final state.

    Autograd keeps every step here, whatever `checkpoint` says.
    """
    steps, state = _run(cell, x, state, weights, lengths, reverse, masks)
    return torch.stack([values.h for values in steps]), state


def trace(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Lengths | None = None,
    reverse: bool = False,
    masks: Masks = NO_MASKS,
) -> tuple[Trace, State]:
    """All steps, and every named value of each. x (T, B, I); values (T, B, ·), 0 at padded steps; final state."""
    steps, state = _run(cell, x, state, weights, lengths, reverse, masks)
    return type(steps[0])(*map(torch.stack, zip(*steps, strict=True))), state


def _step(cell: str, x: Tensor, state: State, weights: Weights, masks: Masks) -> Trace:
    """Every named value of one step, the state as it is handed on."""
    values = CELLS[cell].step(x, state, weights, masks.hidden)
    for name, before, zone in zip(CELLS[cell].state, state, masks[1:], strict=False):
        if zone is not None:
            values = values._replace(**{name: zone * before + (1 - zone) * getattr(values, name)})
    return values


def _run(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    lengths: Lengths | None,
    reverse: bool,
    masks: Masks,
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
        values = _step(cell, x[t], state, weights, masks.at(t))
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
