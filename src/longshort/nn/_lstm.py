"""The LSTM layer."""

from __future__ import annotations

import math
import numbers
from typing import ClassVar

import torch
from torch import Tensor, nn

from longshort import ops
from longshort.errors import InputError
from longshort.nn._base import Recurrent
from longshort.nn._regularization import is_number
from longshort.ops import LSTMTrace


class LSTM(Recurrent[tuple[Tensor, Tensor], LSTMTrace]):
    """A multi-layer long short-term memory network with the signature, parameters and numbers of `torch.nn.LSTM`.

    The equations are those of `longshort.ops.reference.lstm_step`, and with the keyword-only options, which PyTorch's
    layer lacks, those of the steps beside it.

    Args:
        input_size: number of inputs at each step, I.
        hidden_size: number of hidden units, H.
        num_layers: number of layers L, each of which reads the output of the one below.
        bias: whether there are bias_ih and bias_hh.
        batch_first: whether batches have shape (B, T, ·) instead of (T, B, ·); states never do.
        dropout: probability of zeroing an element between two layers, in training.
        bidirectional: whether a second direction reads each sequence from its end.
        proj_size: size to which the hidden state is projected, or 0 for none.
        device: where the parameters are made.
        dtype: of the parameters.
        peephole: whether the gates see the cell state too (Gers, Schraudolph & Schmidhuber 2002); adds weight_ch.
        coupled: whether the forget gate is one minus the input gate (Greff et al. 2017); the weights then have three
            blocks, i, g and o.
        layer_norm: whether the sums and the cell state are normalised over the units (Ba, Kiros & Hinton 2016); adds
            gain_ih, gain_hh, gain_ch and bias_ch. Neither with `peephole` nor with `coupled`.
        recurrent_dropout: probability with which an element of the hidden state is hidden from the recurrent product,
            in training; drawn once for each sequence, so that all its steps lack the same (Gal & Ghahramani 2016).
        zoneout: probability with which a unit keeps its state at a step, in training; in evaluation each step keeps
            that share of it (Krueger et al. 2017). One for h and c, or a pair.
        weight_dropout: probability of zeroing a recurrent weight, in training; drawn once for each pass (DropConnect).
        checkpoint_steps: keep the state at every so many steps only and compute the others again in backward: memory
            for long sequences at the price of one more forward pass; 0 to keep all.
        forget_bias: what the forget gate's bias begins with (1 is usual, Jozefowicz et al. 2015); None for PyTorch's
            draw.
        chrono: the most steps that anything must be remembered for: the biases begin with time scales from 1 to that
            (Tallec & Ollivier 2018).
    """

    counterpart = nn.LSTM
    options = (
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    )
    extensions: ClassVar[dict[str, object]] = {
        "peephole": False,
        "coupled": False,
        "layer_norm": False,
        **Recurrent.extensions,
        "forget_bias": None,
        "chrono": None,
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        peephole: bool = False,
        coupled: bool = False,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float | tuple[float, float] = 0.0,
        weight_dropout: float = 0.0,
        checkpoint_steps: int = 0,
        forget_bias: float | None = None,
        chrono: int | None = None,
    ) -> None:
        self.peephole, self.coupled, self.layer_norm = peephole, coupled, layer_norm
        self.forget_bias, self.chrono = forget_bias, chrono
        if forget_bias is not None and chrono is not None:
            raise InputError("forget_bias and chrono both say what the forget gate's bias begins with: give one")
        if not bias and (forget_bias is not None or chrono is not None):
            raise InputError("forget_bias and chrono set biases, and there are none with bias=False")
        for name, flag in {"peephole": peephole, "coupled": coupled, "layer_norm": layer_norm}.items():
            if not isinstance(flag, bool):
                raise InputError(f"{name} should be of type bool, got {flag!r}")
        self.cell = lstm_cell(peephole, coupled, layer_norm)
        if forget_bias is not None and not (is_number(forget_bias) and math.isfinite(forget_bias)):
            raise InputError(f"forget_bias is a number, got {forget_bias!r}")
        if chrono is not None and not (is_number(chrono, numbers.Integral) and chrono >= 3):
            raise InputError(f"chrono is a number of steps, at least 3, got {chrono!r}")
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_dropout=weight_dropout,
            checkpoint_steps=checkpoint_steps,
        )

    def reset_parameters(self) -> None:
        """Draw all parameters as PyTorch does, gains 1; then the forget gate's biases as the options say."""
        super().reset_parameters()
        if self.forget_bias is None and self.chrono is None:
            return
        for layer in range(self.num_layers):
            for direction in range(2 if self.bidirectional else 1):
                weights = self._weights(layer, direction)
                if weights.bias_ih is not None and weights.bias_hh is not None:
                    begin_forgetting(self.cell, weights.bias_ih, weights.bias_hh, self.forget_bias, self.chrono)


def lstm_cell(peephole: bool, coupled: bool, layer_norm: bool) -> str:
    """The name in `longshort.ops.CELLS` of the LSTM of this kind."""
    if layer_norm and (peephole or coupled):
        raise InputError("layer_norm goes neither with peephole nor with coupled")
    parts = ["coupled"] * coupled + ["peephole"] * peephole + ["layer_norm"] * layer_norm
    return "_".join([*parts, "lstm"])


@torch.no_grad()
def begin_forgetting(
    cell: str, bias_ih: Tensor, bias_hh: Tensor, forget_bias: float | None, chrono: int | None
) -> None:
    """Set the biases, (G * H,) each, that say how long an LSTM remembers before it has learnt anything.

    The forget gate's begins with `forget_bias`, or with log(u), u drawn from U(1, chrono - 1), and then the input
    gate's with the negative of it. Coupled, the input gate alone has that negative.
    """
    gates = ops.CELLS[cell].gates
    inputs, hidden = bias_ih.view(len(gates), -1), bias_hh.view(len(gates), -1)
    i = gates.index("i")
    start = inputs[i].clone()
    if chrono is not None:
        start.uniform_(1, chrono - 1).log_()
    elif forget_bias is not None:
        start.fill_(forget_bias)
    if "f" in gates:
        f = gates.index("f")
        inputs[f], hidden[f] = start, 0
    if "f" not in gates or chrono is not None:
        inputs[i], hidden[i] = -start, 0
