"""The GRU layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longshort.nn._base import Recurrent
from longshort.ops import GRUTrace


class GRU(Recurrent[Tensor, GRUTrace]):
    """A multi-layer gated recurrent unit network with the signature, parameters and numbers of `torch.nn.GRU`.

    The equations are those of `longshort.ops.reference.gru_step`; for the arguments see `LSTM`.
    """

    counterpart = nn.GRU
    options = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
    cell = "gru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
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
