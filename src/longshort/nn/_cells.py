"""The cells: one step of one layer, for loops that are written by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longshort import ops
from longshort.errors import InputError
from longshort.nn._torch import HX, Counterpart, rnn_cell


class _Cell(Counterpart[HX]):
    """Parameters and forward pass of all cells. B sequences, I inputs, H hidden units."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: torch.device | str | int | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = len(ops.CELLS[self.cell].gates) * hidden_size
        shapes = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        for name, shape in shapes.items():
            wanted = bias or not name.startswith("bias")
            empty = nn.Parameter(torch.empty(shape, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, empty)
        self.reset_parameters()

    def extra_repr(self) -> str:
        """The options that differ from their defaults, written as PyTorch writes them."""
        bias = "" if self.bias else ", bias=False"
        nonlinearity = ", nonlinearity=relu" if self.cell == "rnn_relu" else ""
        return f"{self.input_size}, {self.hidden_size}{bias}{nonlinearity}"

    def forward(self, input: Tensor, hx: HX | None = None) -> HX:
        """Do one step.

        Args:
            input: (B, I) or (I,).
            hx: the state before, h and, for the LSTM, c, (B, H) or (H,) each; None for zeros.

        Returns:
            The state after, in the form of hx.

        Raises:
            InputError: a shape that does not fit.
        """
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise InputError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise InputError(f"{name}: input has {input.size(-1)} features, expected input_size {self.input_size}")
        state = None if hx is None else self._to_state(hx)
        for part in state or ():
            wanted = (*input.shape[:-1], self.hidden_size)
            if part.shape != wanted:
                raise InputError(f"{name}: Expected hx of shape {wanted}, got {(*part.shape,)}")
        weights = ops.Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if input.dim() == 2:
            return self._from_state(ops.step(self.cell, input, state, weights))
        if state is not None:
            state = tuple(part.unsqueeze(0) for part in state)
        state = ops.step(self.cell, input.unsqueeze(0), state, weights)
        return self._from_state(tuple(part.squeeze(0) for part in state))


class LSTMCell(_Cell[tuple[Tensor, Tensor]]):
    """One step of an LSTM, with the signature, parameters and numbers of `torch.nn.LSTMCell`."""

    counterpart = nn.LSTMCell
    options = ("input_size", "hidden_size", "bias")
    cell = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)


class GRUCell(_Cell[Tensor]):
    """One step of a GRU, with the signature, parameters and numbers of `torch.nn.GRUCell`."""

    counterpart = nn.GRUCell
    options = ("input_size", "hidden_size", "bias")
    cell = "gru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)


class RNNCell(_Cell[Tensor]):
    """One step of a plain RNN, with the signature, parameters and numbers of `torch.nn.RNNCell`."""

    counterpart = nn.RNNCell
    options = ("input_size", "hidden_size", "bias", "nonlinearity")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.cell = rnn_cell(nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity
