"""The decoder: LSTM layers over what was said, with attention to what was read (Luong, Pham & Manning 2015).

The first layer's output asks; layers above read what was found too. Without input feeding and coverage no step waits
for the attention of the one before, and in training all steps are computed at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from longshort.nn import LSTM, Attention, locked_dropout
from longshort.tasks.seq2seq.encoder import Memory

State = tuple[Tensor, Tensor]


class Decoded(NamedTuple):
    """What the decoder says of T steps of B targets.

    Attributes:
        features: what the softmax reads, (T, B, E).
        weights: of attention, (T, B, S); None without.
        gate: of saying against copying, before its sigmoid, (T, B); None without copying.
        coverage: sums of the weights before each step, (T, B, S); None without coverage.
    """

    features: Tensor
    weights: Tensor | None
    gate: Tensor | None
    coverage: Tensor | None


class Decoder(nn.Module):
    """E embedding size, H hidden size, M memory size.

    Args:
        embedding_size, hidden_size, memory_size: E, H and M.
        layers: recurrent layers.
        score: of attention, as `longshort.nn.Attention` takes it, or "none".
        feeding: whether the features of a step are read with the next one (the same, section 3.3).
        copy: whether there is a gate between saying and copying (See, Liu & Manning 2017, equation 8).
        coverage: whether attention knows where it has been (the same, equation 11).
        hidden_dropout, output_dropout: between layers, and of the features.
    """

    def __init__(
        self,
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        *,
        layers: int,
        score: str,
        feeding: bool,
        copy: bool,
        coverage: bool,
        hidden_dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__()
        self.hidden_size, self.feeding, self.covers = hidden_size, feeding, coverage
        self.hidden_dropout, self.output_dropout = hidden_dropout, output_dropout
        found = 0 if score == "none" else memory_size
        self.attention = None if score == "none" else Attention(hidden_size, memory_size, score, coverage=coverage)
        sizes = [embedding_size * (1 + feeding), *[hidden_size + found] * (layers - 1)]
        self.layers = nn.ModuleList(LSTM(size, hidden_size, forget_bias=1.0) for size in sizes)
        self.bridge = nn.Linear(2 * memory_size, 2 * layers * hidden_size)
        self.output = nn.Linear(hidden_size + found, embedding_size)
        self.gate = nn.Linear(found + hidden_size + embedding_size, 1) if copy else None

    @property
    def recurrent(self) -> list[LSTM]:
        """The recurrent layers."""
        return list(self.layers)  # type: ignore[arg-type]

    def keys(self, values: Tensor) -> Tensor:
        """What attention compares with, (B, S, K), of a memory's values (B, S, M)."""
        return values[:, :, :0] if self.attention is None else self.attention.keys(values)

    def start(self, memory: Memory) -> list[State]:
        """The state that each layer begins with, h and c, (1, B, H) each, from the encoder's last one."""
        h, c = self.bridge(torch.cat(memory.final, -1)).to(self.bridge.weight.dtype).unsqueeze(0).chunk(2, -1)
        layers = len(self.layers)
        return list(zip(h.tanh().chunk(layers, -1), c.chunk(layers, -1), strict=True))

    def forward(self, x: Tensor, memory: Memory) -> Decoded:
        """Read embedded tokens (T, B, E)."""
        state = [(h.contiguous(), c.contiguous()) for h, c in self.start(memory)]
        if not self.feeding and not self.covers:
            return self._run(x, x, memory, state, None)[0]
        fed = x.new_zeros(x.shape[1:])
        coverage = x.new_zeros(memory.valid.shape, dtype=self.bridge.weight.dtype) if self.covers else None
        steps = []
        if self.feeding:
            for one in x.unbind():
                read = torch.cat((one, fed), -1).unsqueeze(0)
                said, coverage = self._run(read, one.unsqueeze(0), memory, state, coverage)
                fed = said.features[0]
                steps.append(said)
        else:  # the first layer waits for nothing
            asked, state[0] = self.recurrent[0](x, state[0])
            for one, h in zip(x.unbind(), asked.unbind(), strict=True):
                said, coverage = self._above(h.unsqueeze(0), one.unsqueeze(0), memory, state, coverage)
                steps.append(said)
        return Decoded(
            torch.cat([said.features for said in steps]),
            *(_joined([said[k] for said in steps]) for k in range(1, 4)),
        )

    def _run(
        self, read: Tensor, x: Tensor, memory: Memory, state: list[State], coverage: Tensor | None
    ) -> tuple[Decoded, Tensor | None]:
        h, state[0] = self.recurrent[0](read, state[0])
        return self._above(h, x, memory, state, coverage)

    def _above(
        self, h: Tensor, x: Tensor, memory: Memory, state: list[State], coverage: Tensor | None
    ) -> tuple[Decoded, Tensor | None]:
        """From the first layer's output on; `state` is changed in place."""
        found, weights = self.look(h.transpose(0, 1), memory, coverage)
        if found is not None:
            found = found.transpose(0, 1)
        for k, layer in enumerate(self.recurrent[1:], 1):
            h = locked_dropout(h, self.hidden_dropout, self.training)
            h, state[k] = layer(h if found is None else torch.cat((h, found.to(h.dtype)), -1), state[k])
        features, gate = self.say(h, found, x)
        before = None if coverage is None else coverage.unsqueeze(0)
        if weights is None:
            return Decoded(features, None, gate, None), None
        across = weights.transpose(0, 1)
        after = None if coverage is None else coverage + across[0]
        return Decoded(features, across, gate, before), after

    def look(self, query: Tensor, memory: Memory, coverage: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """What attention finds for queries (B, T, H), (B, T, M), and its weights, (B, T, S).

        coverage: sums of earlier weights, (B, S) or (B, T, S).
        """
        if self.attention is None:
            return None, None
        if coverage is not None and coverage.dim() == 2:
            coverage = coverage.unsqueeze(1)
        found, weights = self.attention(query, memory.keys, memory.values, memory.valid, coverage)
        return found, weights

    def say(self, h: Tensor, found: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (…, E) and the gate (…,) from the last layer, what was found, and the token's embedding."""
        known = h if found is None else torch.cat((h, found.to(h.dtype)), -1)
        features = torch.tanh(self.output(known))
        features = torch.nn.functional.dropout(features, self.output_dropout, self.training)
        gate = None if self.gate is None else self.gate(torch.cat((known, x.to(known.dtype)), -1)).squeeze(-1)
        return features, gate


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None
