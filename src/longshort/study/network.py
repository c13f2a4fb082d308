"""The network of a study: one recurrent layer and a linear readout, so that nothing but the cell differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from longshort import ops
from longshort.errors import InputError
from longshort.nn import GRU, LSTM, RNN

# The cells that are compared, and the layer and options of each.
CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lstm": (LSTM, {}),
    "gru": (GRU, {}),
    "rnn": (RNN, {}),
    "rnn-relu": (RNN, {"nonlinearity": "relu"}),
}
NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN, tanh", "rnn-relu": "RNN, ReLU"}


@dataclass(frozen=True)
class Start:
    """What a layer begins with.

    Attributes:
        forget_bias: of the gate that keeps the state, the LSTM's forget gate or the GRU's update gate; None for
            PyTorch's numbers.
        chrono: of that gate, biases for time scales up to so many steps (Tallec & Ollivier 2018); None for none.
        orthogonal: whether the recurrent weights of each gate are orthogonal (Saxe et al. 2014).
        identity: whether they are the identity and the biases 0 (Le, Jaitly & Hinton 2015).
        gain: factor of the recurrent weights.
    """

    forget_bias: float | None = None
    chrono: int | None = None
    orthogonal: bool = False
    identity: bool = False
    gain: float = 1.0

    def __str__(self) -> str:
        said = []
        if self.forget_bias is not None:
            said.append(f"forget bias {self.forget_bias:g}")
        if self.chrono is not None:
            said.append(f"chrono {self.chrono}")
        if self.orthogonal:
            said.append("orthogonal")
        if self.identity:
            said.append("identity")
        if self.gain != 1:
            said.append(f"gain {self.gain:g}")
        return ", ".join(said) or "PyTorch's"


def make_layer(cell: str, inputs: int, hidden_size: int, start: Start = Start()) -> Any:
    """A recurrent layer of `longshort.nn`, with the global random numbers.

    Args:
        cell: a name in `CELLS`.
        inputs, hidden_size: numbers of a step, units.
        start: what it begins with.

    Raises:
        InputError: there is no such cell, or it has no gate that keeps its state.
    """
    if cell not in CELLS:
        raise InputError(f"there is no cell {cell!r}; those that are compared are {', '.join(CELLS)}")
    kind, options = CELLS[cell]
    biases = {"forget_bias": start.forget_bias, "chrono": start.chrono}
    given = {name: value for name, value in biases.items() if value is not None}
    if given and cell not in ("lstm", "gru"):
        raise InputError(f"a plain RNN has no gate that keeps its state: no {', '.join(given)} for the cell {cell!r}")
    layer = kind(inputs, hidden_size, **options, **(given if cell == "lstm" else {}))
    with torch.no_grad():
        if cell == "gru" and given:
            _begin_keeping(layer, start)
        blocks = torch.split(layer.weight_hh_l0, hidden_size)
        for block in blocks if start.orthogonal else ():
            nn.init.orthogonal_(block)
        for block in blocks if start.identity else ():
            nn.init.eye_(block)
            layer.bias_ih_l0.zero_()
            layer.bias_hh_l0.zero_()
        layer.weight_hh_l0.mul_(start.gain)
    return layer


def _begin_keeping(layer: Any, start: Start) -> None:
    """Set the biases of a GRU's update gate, which keeps h where it is 1, as those of an LSTM's forget gate."""
    place = ops.CELLS["gru"].gates.index("z") * layer.hidden_size
    own = slice(place, place + layer.hidden_size)
    if start.chrono is not None:
        layer.bias_ih_l0[own].uniform_(1, start.chrono - 1).log_()
    else:
        layer.bias_ih_l0[own] = start.forget_bias
    layer.bias_hh_l0[own] = 0


class StudyNetwork(nn.Module):
    """Layer and readout.

    Args:
        cell: a name in `CELLS`.
        inputs, hidden_size, outputs: numbers of a step, units, numbers of an answer.
        every_step: whether there is an answer at every step, (T, B, O), or behind the last one, (B, O).
        start: what the layer begins with.
    """

    def __init__(
        self, cell: str, inputs: int, hidden_size: int, outputs: int, *, every_step: bool, start: Start = Start()
    ) -> None:
        super().__init__()
        self.every_step = every_step
        self.layer = make_layer(cell, inputs, hidden_size, start)
        self.readout = nn.Linear(hidden_size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Answers to sequences x (T, B, I), (T, B, O) or (B, O)."""
        y, _ = self.layer(x)
        answers: Tensor = self.readout(y if self.every_step else y[-1])
        return answers
