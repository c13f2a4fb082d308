"""The decoder one step at a time, for several hypotheses of every source, its state kept in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.tasks.seq2seq.batch import padded
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.steps import FloatArray, IntArray


class Stepper:
    """Of B sources K hypotheses each: `logs = step(tokens)`, as `longshort.tasks.seq2seq.steps.Steps` says.

    Args:
        network: in evaluation, whose weights are taken as they are now.
        sources: tokens, (S_i,) each.
        width: K.
    """

    def __init__(self, network: Seq2SeqNetwork, sources: Sequence[NDArray[np.integer]], width: int) -> None:
        self._network, self._width = network, width
        decoder = network.decoder
        with torch.no_grad():
            self._memory = memory = network.encode(*padded(sources))
            self._streams: list[Any] = [
                layer.stream((h.repeat_interleave(width, 1), c.repeat_interleave(width, 1)))
                for layer, (h, c) in zip(decoder.recurrent, decoder.start(memory), strict=True)
            ]
        rows = len(memory.valid) * width
        self._fed = torch.zeros(rows, network.dims.embedding_size) if decoder.feeding else None
        steps = memory.valid.size(1)
        self._coverage = torch.zeros(len(memory.valid), width, steps) if decoder.covers else None
        self.weights: FloatArray | None = None
        self.gate: FloatArray | None = None

    def __call__(self, tokens: IntArray) -> FloatArray:
        """The logarithm of the probability of every token after these (B, K), (B, K, V)."""
        network, memory, decoder = self._network, self._memory, self._network.decoder
        shape = tokens.shape
        with torch.no_grad():
            x = network.embed(network.target_embedding, torch.from_numpy(tokens))
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
            logs: FloatArray = network.log_probabilities(features, gate, weights, memory.sources).numpy()
        self.weights, self.gate = _array(weights), _array(gate)
        return logs

    def select(self, parents: IntArray) -> None:
        """Go on with these hypotheses of each source, (B, K), by their place among the K before."""
        chosen = torch.from_numpy(parents)
        first = torch.arange(len(chosen)).unsqueeze(1) * self._width
        self._take((first + chosen).flatten())
        if self._coverage is not None:
            self._coverage = self._coverage.gather(1, chosen.unsqueeze(-1).expand_as(self._coverage))

    def keep(self, sources: IntArray) -> None:
        """Go on with these sources only, (B',)."""
        chosen = torch.from_numpy(sources)
        self._take((chosen.unsqueeze(1) * self._width + torch.arange(self._width)).flatten())
        self._memory = self._memory.chosen(chosen)
        if self._coverage is not None:
            self._coverage = self._coverage[chosen]

    def _take(self, rows: Tensor) -> None:
        for stream in self._streams:
            stream.select(rows)
        if self._fed is not None:
            self._fed = self._fed[rows]


def _array(tensor: Tensor | None) -> FloatArray | None:
    return None if tensor is None else tensor.float().numpy()
