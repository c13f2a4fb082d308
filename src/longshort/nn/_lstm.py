"""The LSTM layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longshort.nn._base import Recurrent
from longshort.ops import LSTMTrace


class LSTM(Recurrent[tuple[Tensor, Tensor], LSTMTrace]):
    """A multi-layer long short-term memory network with the signature, parameters and numbers of `torch.nn.LSTM`.

    The equations are those of `longshort.ops.reference.lstm_step`.

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
    cell = "lstm"

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
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )
