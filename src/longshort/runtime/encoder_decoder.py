"""The network of `longshort.tasks.seq2seq`: what it reads of sources, and its decoder one step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from longshort.runtime.attention import Attention
from longshort.runtime.functions import log_sigmoid, log_softmax
from longshort.runtime.layers import Readout, Recurrent, State
from longshort.runtime.weights import Weights
from longshort.tasks.seq2seq.config import Seq2SeqConfig
from longshort.tasks.seq2seq.steps import FloatArray, IntArray, side_by_side

# The least probability of a word: a copied one has none where no source token is it.
LEAST = np.float32(1e-20)


class Memory(NamedTuple):
    """What the decoder knows of B sources of S steps at most.

    Attributes:
        values: (B, S, M).
        keys: what attention compares with, (B, S, K).
        valid: which steps are no padding, (B, S).
        sources: tokens, (B, S).
    """

    values: FloatArray
    keys: FloatArray
    valid: NDArray[np.bool_]
    sources: IntArray

    def chosen(self, rows: IntArray) -> Memory:
        """Some of the sources, (B',)."""
        return Memory(self.values[rows], self.keys[rows], self.valid[rows], self.sources[rows])


class Network:
    """The equations of `longshort.tasks.seq2seq.network`, in evaluation. E embedding size, H hidden size."""

    def __init__(self, weights: Weights, config: Seq2SeqConfig) -> None:
        self.weights, self.feeds, self.covers = weights, config.input_feeding, config.coverage
        self.decoder = weights.under("decoder")
        self.attention = None if config.attention == "none" else Attention(weights.under("decoder.attention"))
        self._encoder, self.layers = (_layers(weights.under(part)) for part in ("encoder.layers", "decoder.layers"))
        self._embedding = weights["target_embedding.weight"]
        self._softmax = Readout(self._embedding, weights["bias"])
        self.embedding_size = self._embedding.shape[1]

    def encode(self, sources: Sequence[NDArray[np.integer]]) -> tuple[Memory, list[State]]:
        """Read sources, (S_i,) each: the memory of them, and the state of each decoder layer to begin with."""
        tokens, lengths = side_by_side(sources)
        x = self._embed(self.weights["source_embedding.weight"], tokens)
        after: list[State] = []
        for layer in self._encoder:
            x, after = layer(x, lengths=lengths)
        values = np.ascontiguousarray(x.transpose(1, 0, 2))
        keys = values[:, :, :0] if self.attention is None else self.attention.keys(values)
        memory = Memory(values, keys, np.arange(len(tokens)) < lengths[:, None], tokens.T)
        final = [np.concatenate(both, -1) for both in zip(*after, strict=True)]  # of both directions h, and c
        h, c = np.split(self.decoder.linear("bridge", np.concatenate(final, -1)), 2, -1)
        count = len(self.layers)
        starts = zip(np.split(np.tanh(h), count, -1), np.split(c, count, -1), strict=True)
        return memory, list(starts)

    def embed(self, tokens: IntArray) -> FloatArray:
        """What the decoder reads of tokens (…), (…, E)."""
        return self._embed(self._embedding, tokens)

    def _embed(self, table: FloatArray, tokens: IntArray) -> FloatArray:
        x: FloatArray = table[tokens] * np.float32(table.shape[1] ** 0.5)
        return x

    def log_probabilities(
        self, features: FloatArray, gate: FloatArray | None, weights: FloatArray | None, sources: IntArray
    ) -> FloatArray:
        """As the method of that name of `Seq2SeqNetwork`; sources are (B, S)."""
        shape = features.shape[:-1]
        logs = log_softmax(self._softmax(features.reshape(-1, self.embedding_size))).reshape(*shape, -1)
        if gate is None or weights is None:
            return logs
        copied = np.zeros_like(logs)
        b, k, _ = np.ogrid[: shape[0], : shape[1], : sources.shape[1]]
        np.add.at(copied, (b, k, sources[:, None]), weights)
        gate = gate[..., None]
        both: FloatArray = np.logaddexp(
            logs + log_sigmoid(gate), np.log(np.maximum(copied, LEAST)) + log_sigmoid(-gate)
        )
        return both


class Stepper:
    """Of B sources K hypotheses each: `logs = step(tokens)`, as `longshort.tasks.seq2seq.steps.Steps` says."""

    def __init__(self, network: Network, sources: Sequence[NDArray[np.integer]], width: int) -> None:
        self._network, self._width = network, width
        self._memory, starts = network.encode(sources)
        rows = len(sources) * width
        self._streams = [
            layer.stream(rows, [tuple(np.repeat(part, width, 0) for part in start)])
            for layer, start in zip(network.layers, starts, strict=True)
        ]
        self._fed = np.zeros((rows, network.embedding_size), np.float32) if network.feeds else None
        steps = self._memory.values.shape[1]
        self._coverage = np.zeros((len(sources), width, steps), np.float32) if network.covers else None
        self.weights: FloatArray | None = None
        self.gate: FloatArray | None = None

    def __call__(self, tokens: IntArray) -> FloatArray:
        """The logarithm of the probability of every token after these (B, K), (B, K, V)."""
        network, memory, shape = self._network, self._memory, tokens.shape
        x = network.embed(tokens.ravel())
        h = self._streams[0](x if self._fed is None else np.concatenate((x, self._fed), -1))
        found = None
        if network.attention is not None:
            asked = h.reshape(*shape, -1)
            means, self.weights = network.attention(asked, memory.keys, memory.values, memory.valid, self._coverage)
            found = means.reshape(len(x), -1)
        for stream in self._streams[1:]:
            h = stream(h if found is None else np.concatenate((h, found), -1))
        known = h if found is None else np.concatenate((h, found), -1)
        features = np.tanh(network.decoder.linear("output", known))
        if "gate.weight" in network.decoder:
            self.gate = network.decoder.linear("gate", np.concatenate((known, x), -1)).reshape(shape)
        if self._fed is not None:
            self._fed = features
        if self._coverage is not None and self.weights is not None:
            self._coverage = self._coverage + self.weights
        return network.log_probabilities(features.reshape(*shape, -1), self.gate, self.weights, memory.sources)

    def select(self, parents: IntArray) -> None:
        """Go on with these hypotheses of each source, (B, K), by their place among the K before."""
        self._take((np.arange(len(parents))[:, None] * self._width + parents).ravel())
        if self._coverage is not None:
            self._coverage = np.take_along_axis(self._coverage, parents[..., None], 1)

    def keep(self, sources: IntArray) -> None:
        """Go on with these sources only, (B',)."""
        self._take((sources[:, None] * self._width + np.arange(self._width)).ravel())
        self._memory = self._memory.chosen(sources)
        if self._coverage is not None:
            self._coverage = self._coverage[sources]

    def _take(self, rows: IntArray) -> None:
        for stream in self._streams:
            stream.select(rows)
        if self._fed is not None:
            self._fed = self._fed[rows]


def _layers(weights: Weights) -> list[Recurrent]:
    count = len({name.split(".")[0] for name in weights})
    return [Recurrent("lstm", weights.under(str(k))) for k in range(count)]
