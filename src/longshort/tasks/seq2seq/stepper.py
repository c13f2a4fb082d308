"""The decoder one step at a time, for several hypotheses of every source, its state kept in the engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from longshort.tasks.seq2seq.encoder import Memory
from longshort.tasks.seq2seq.network import Seq2SeqNetwork


class Stepper:
    """Of B sources K hypotheses each: `logs = step(tokens)`.

    Args:
        network: in evaluation, whose weights are taken as they are now.
        memory: of the sources.
        width: K.
    """

    def __init__(self, network: Seq2SeqNetwork, memory: Memory, width: int) -> None:
        self._network, self._memory, self._width = network, memory, width
        decoder = network.decoder
        self._streams: list[Any] = [
            layer.stream((h.repeat_interleave(width, 1), c.repeat_interleave(width, 1)))
            for layer, (h, c) in zip(decoder.recurrent, decoder.start(memory), strict=True)
        ]
        rows = len(memory.valid) * width
        self._fed = torch.zeros(rows, network.dims.embedding_size) if decoder.feeding else None
        steps = memory.valid.size(1)
        self._coverage = torch.zeros(len(memory.valid), width, steps) if decoder.covers else None

    def __call__(self, tokens: Tensor) -> Tensor:
        """The logarithm of the probability of every token after these (B, K), (B, K, V), float32."""
        network, memory, decoder = self._network, self._memory, self._network.decoder
        shape = tokens.shape
        x = network.embed(network.target_embedding, tokens)
        flat = x.flatten(0, 1)
        h = self._streams[0](flat if self._fed is None else torch.cat((flat, self._fed), -1))
        found, weights = decoder.look(h.view(*shape, -1), memory, self._coverage)
        for stream in self._streams[1:]:
            h = stream(h if found is None else torch.cat((h, found.flatten(0, 1)), -1))
        features, gate = decoder.say(h.view(*shape, -1), found, x)
        if self._fed is not None:
            self._fed = features.flatten(0, 1)
        if self._coverage is not None and weights is not None:
            self._coverage = self._coverage + weights
        return network.log_probabilities(features, gate, weights, memory.sources)

    def select(self, parents: Tensor) -> None:
        """Go on with these hypotheses of each source, (B, K), by their place among the K before."""
        first = torch.arange(len(parents)).unsqueeze(1) * self._width
        self._take((first + parents).flatten())
        if self._coverage is not None:
            self._coverage = self._coverage.gather(1, parents.unsqueeze(-1).expand_as(self._coverage))

    def keep(self, sources: Tensor) -> None:
        """Go on with these sources only, (B',)."""
        rows = sources.unsqueeze(1) * self._width + torch.arange(self._width)
        self._take(rows.flatten())
        self._memory = self._memory.chosen(sources)
        if self._coverage is not None:
            self._coverage = self._coverage[sources]

    def _take(self, rows: Tensor) -> None:
        for stream in self._streams:
            stream.select(rows)
        if self._fed is not None:
            self._fed = self._fed[rows]
