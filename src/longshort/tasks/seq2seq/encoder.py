"""The encoder: what is read, in both directions, becomes a memory and the state that the decoder begins with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from longshort.nn import LSTM, locked_dropout
from longshort.tasks.seq2seq.batch import valid


class Memory(NamedTuple):
    """What the decoder knows of B sources of S steps at most.

    Attributes:
        values: (B, S, M).
        keys: what attention compares with, (B, S, K); made by the decoder, of no steps before.
        valid: which steps are no padding, bool, (B, S).
        final: the last state of each direction, h and c, (B, M) each.
        sources: tokens, (S, B).
    """

    values: Tensor
    keys: Tensor
    valid: Tensor
    final: tuple[Tensor, Tensor]
    sources: Tensor

    def chosen(self, rows: Tensor) -> Memory:
        """Some of the sources, (B',)."""
        final = self.final[0][rows], self.final[1][rows]
        return Memory(self.values[rows], self.keys[rows], self.valid[rows], final, self.sources[:, rows])


class Encoder(nn.Module):
    """Bidirectional LSTM layers; each direction has half of the hidden size.

    Args:
        input_size: numbers of an embedding, E.
        hidden_size: of both directions together, rounded up to an even number: M.
        layers: how many.
        dropout: between two layers.
    """

    def __init__(self, input_size: int, hidden_size: int, layers: int, dropout: float) -> None:
        super().__init__()
        half = -(-hidden_size // 2)
        self.memory_size, self.dropout = 2 * half, dropout
        sizes = [input_size, *[self.memory_size] * (layers - 1)]
        self.layers = nn.ModuleList(LSTM(size, half, bidirectional=True, forget_bias=1.0) for size in sizes)

    def forward(self, x: Tensor, sources: Tensor, lengths: Tensor) -> Memory:
        """Read embedded tokens (S, B, E) of lengths (B,); the tokens themselves, (S, B), are only kept."""
        for k, layer in enumerate(self.layers):
            if k:
                x = locked_dropout(x, self.dropout, self.training)
            x, (h, c) = layer(x, lengths=lengths)
        values = locked_dropout(x, self.dropout, self.training).transpose(0, 1).contiguous()
        final = torch.cat((h[0], h[1]), -1), torch.cat((c[0], c[1]), -1)
        return Memory(values, values[:, :0], valid(lengths, sources.size(0)), final, sources)
