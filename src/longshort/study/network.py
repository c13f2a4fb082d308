"""The network of a study: one recurrent layer and a linear readout, so that nothing but the cell differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

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
        forget_bias: of the LSTM's forget gate; None for PyTorch's numbers.
        chrono: of the LSTM, biases for time scales up to so many steps (Tallec & Ollivier 2018); None for none.
        orthogonal: whether the recurrent weights of each gate are orthogonal (Saxe et al. 2014).
        gain: factor of the recurrent weights.
    """

    forget_bias: float | None = None
    chrono: int | None = None
    orthogonal: bool = False
    gain: float = 1.0

    def __str__(self) -> str:
        said = []
        if self.forget_bias is not None:
            said.append(f"forget bias {self.forget_bias:g}")
        if self.chrono is not None:
            said.append(f"chrono {self.chrono}")
        if self.orthogonal:
            said.append("orthogonal")
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
        InputError: there is no such cell, or it has no forget gate to begin with.
    """
    if cell not in CELLS:
        raise InputError(f"there is no cell {cell!r}; those that are compared are {', '.join(CELLS)}")
    kind, options = CELLS[cell]
    biases = {"forget_bias": start.forget_bias, "chrono": start.chrono}
    given = {name: value for name, value in biases.items() if value is not None}
    if given and cell != "lstm":
        raise InputError(f"only an LSTM has a forget gate: no {', '.join(given)} for the cell {cell!r}")
    layer = kind(inputs, hidden_size, **options, **given)
    with torch.no_grad():
        if start.orthogonal:
            for block in torch.split(layer.weight_hh_l0, hidden_size):
                nn.init.orthogonal_(block)
        layer.weight_hh_l0.mul_(start.gain)
    return layer


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
