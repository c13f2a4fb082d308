"""The network over tokens of `longshort.sequence`: what follows each token, and texts drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from longshort.runtime.functions import log_softmax
from longshort.runtime.layers import Readout, Recurrent, State
from longshort.runtime.sampler import Sampler
from longshort.runtime.weights import Weights
from longshort.sequence.sampling import Sampling

FloatArray = NDArray[np.float32]


class TokenNetwork:
    """V tokens, E embedding size, T steps, B sequences.

    Args:
        cell: "lstm", "gru" or "rnn".
        weights: of a `LanguageNetwork`.
    """

    def __init__(self, cell: str, weights: Weights) -> None:
        self._weights = weights
        self._embedding = weights["embedding.weight"]
        self.vocabulary_size = len(self._embedding)
        count = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
        self.layers = [Recurrent(cell, weights.under(f"layers.{k}")) for k in range(count)]
        self._adaptive = "adaptive.inner.head.weight" in weights

    def __call__(
        self, ids: NDArray[np.integer], state: Sequence[list[State]] | None = None
    ) -> tuple[FloatArray, list[list[State]]]:
        """What the softmax reads after each of the tokens (T, B), (T, B, E), and the new state of every layer."""
        x, after = self.embed(ids), []
        for k, layer in enumerate(self.layers):
            x, new = layer(x, None if state is None else state[k])
            after.append(new)
        return self.project(x), after

    def embed(self, ids: NDArray[np.integer]) -> FloatArray:
        """What the first layer reads of tokens, (…, E)."""
        x: FloatArray = self._embedding[ids]
        return x

    def project(self, x: FloatArray) -> FloatArray:
        """What the softmax reads, of the last layer's output."""
        return self._weights.linear("projection", x) if "projection.weight" in self._weights else x

    def log_probabilities(self, features: FloatArray) -> FloatArray:
        """Natural logarithm of the probability of every token, (…, V), from what the softmax reads, (…, E)."""
        if self._adaptive:
            return self._clusters(features)
        weight, bias = self.softmax
        return log_softmax(features @ weight.T + bias)

    @property
    def softmax(self) -> tuple[FloatArray, FloatArray]:
        """Weights, (V, E), and biases, (V,), of a full softmax."""
        if "output.weight" in self._weights:
            return self._weights["output.weight"], self._weights["output.bias"]
        return self._embedding, self._weights["bias"]

    def readout(self) -> Callable[[FloatArray], FloatArray]:
        """`log_probabilities` for a few rows (B, E) at a time, the weights of a full softmax packed in the core."""
        if self._adaptive:
            return self.log_probabilities
        product = Readout(*self.softmax)
        return lambda features: log_softmax(product(features))

    def _clusters(self, features: FloatArray) -> FloatArray:
        """The adaptive softmax (Grave et al. 2017): a head with an entry for each cluster of rare tokens."""
        head = log_softmax(self._weights.linear("adaptive.inner.head", features))
        tails = self._weights.under("adaptive.inner.tail")
        count = len({name.split(".")[0] for name in tails})
        parts = [head[..., : head.shape[-1] - count]]
        for k in range(count):
            within = log_softmax(tails.linear(f"{k}.1", tails.linear(f"{k}.0", features)))
            parts.append(within + head[..., [k - count]])
        return np.concatenate(parts, -1)


class Reader:
    """Reads a sequence token by token, its state kept in the core: `logs = reader(token)`, (V,)."""

    def __init__(self, network: TokenNetwork) -> None:
        self._network, self._softmax = network, network.readout()
        self._streams = [layer.stream(1) for layer in network.layers]

    def __call__(self, token: int) -> FloatArray:
        """Natural logarithm of the probability of every token after this one and all before it."""
        x = self._network.embed(np.array([token]))
        for stream in self._streams:
            x = stream(x)
        logs: FloatArray = self._softmax(self._network.project(x))[0]
        return logs


class Writer:
    """Draws tokens from a network, as `longshort.sequence.writer.Writer` does in float32."""

    def __init__(self, network: TokenNetwork) -> None:
        self._network, self._softmax = network, network.readout()

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        forbidden: int | None = None,
        restrict: Callable[[FloatArray], FloatArray] | None = None,
    ) -> Iterator[list[int]]:
        """The next token of every sample, again and again.

        Args:
            prompt: tokens to go on from, at least one.
            sampling: how to draw.
            forbidden: a token that is never drawn, or None.
            restrict: from the logits of the next tokens, (samples, V), to those that are drawn from.
        """
        network, count = self._network, sampling.samples
        seen = np.array(prompt, dtype=np.int64)
        sampler = Sampler(sampling, forbidden, seen, network.vocabulary_size)
        features, state = network(seen[:, None])
        logits = np.repeat(self._softmax(features[-1]), count, 0)
        starts = [[tuple(np.repeat(part, count, 0) for part in one) for one in layer] for layer in state]
        streams = [layer.stream(count, start) for layer, start in zip(network.layers, starts, strict=True)]
        for _ in range(sampling.length):
            drawn = sampler(logits if restrict is None else restrict(logits))
            yield drawn.tolist()
            x = network.embed(drawn)
            for stream in streams:
                x = stream(x)
            logits = self._softmax(network.project(x))
