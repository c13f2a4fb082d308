"""The plain RNN layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longshort.nn._base import Recurrent
from longshort.nn._torch import rnn_cell
from longshort.ops import RNNTrace


class RNN(Recurrent[Tensor, RNNTrace]):
    """A multi-layer plain (Elman) network with the signature, parameters and numbers of `torch.nn.RNN`.

    The equations are those of `longshort.ops.reference.rnn_tanh_step` and `rnn_relu_step`; for the arguments see
    `LSTM`, but mind that the fourth is `nonlinearity`, "tanh" or "relu".
    """

    counterpart = nn.RNN
    options = (
        "input_size",
        "hidden_size",
        "num_layers",
        "nonlinearity",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
    )

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        checkpoint_steps: int = 0,
    ) -> None:
        self.cell = rnn_cell(nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            device,
            dtype,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_dropout=weight_dropout,
            checkpoint_steps=checkpoint_steps,
        )
        self.nonlinearity = nonlinearity
