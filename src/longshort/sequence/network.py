"""The network of a language model: embedding, recurrent layers with locked dropout, softmax.

The regularisation is that of Merity, Keskar & Socher 2018 (arXiv 1708.02182), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import GRU, LSTM, RNN, linear_cross_entropy, locked_dropout
from longshort.sequence.adaptive import AdaptiveSoftmax

LAYERS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
# Weights that are both embedding and softmax begin this small, so that the first distributions are nearly even.
INITIAL = 0.1

State = tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the network.

    Attributes:
        vocabulary_size: tokens.
        embedding_size, hidden_size, num_layers: as in the settings.
        cutoffs: ranks at which the adaptive softmax begins a new cluster; () for a full softmax.
        tied: whether a full softmax has the embedding's weights, or else weights of its own.
    """

    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    cutoffs: tuple[int, ...] = ()
    tied: bool = True


@dataclass(frozen=True)
class Dropout:
    """Probabilities with which something is left out in training.

    Attributes:
        words: whole words of the vocabulary.
        input: numbers of an embedding.
        hidden: numbers between two recurrent layers.
        output: numbers of the last layer's output.
        weights: recurrent weights (DropConnect).
    """

    words: float = 0.0
    input: float = 0.0
    hidden: float = 0.0
    output: float = 0.0
    weights: float = 0.0


class LanguageNetwork(nn.Module):
    """V tokens, E embedding size, H hidden size, T steps, B streams."""

    def __init__(self, dims: Dimensions, cell: str, dropout: Dropout) -> None:
        super().__init__()
        self.dims, self.dropout = dims, dropout
        self.embedding = nn.Embedding(dims.vocabulary_size, dims.embedding_size)
        inputs = [dims.embedding_size, *[dims.hidden_size] * (dims.num_layers - 1)]
        more = {"forget_bias": 1.0} if cell == "lstm" else {}  # begins by remembering (Jozefowicz et al. 2015)
        self.layers = nn.ModuleList(
            LAYERS[cell](size, dims.hidden_size, weight_dropout=dropout.weights, **more) for size in inputs
        )
        own = not (dims.tied or dims.cutoffs)
        if dims.tied and not dims.cutoffs:
            nn.init.uniform_(self.embedding.weight, -INITIAL, INITIAL)
        self.projection = (
            nn.Identity()
            if own or dims.hidden_size == dims.embedding_size
            else nn.Linear(dims.hidden_size, dims.embedding_size, bias=False)
        )
        # The softmax has the embedding's weights (Press & Wolf 2017) and a bias, or its own, or is an adaptive one.
        self.output = nn.Linear(dims.hidden_size, dims.vocabulary_size) if own else None
        self.adaptive = (
            AdaptiveSoftmax(dims.embedding_size, dims.vocabulary_size, dims.cutoffs) if dims.cutoffs else None
        )
        self.bias = None if own or dims.cutoffs else nn.Parameter(torch.zeros(dims.vocabulary_size))

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """Read tokens.

        Args:
            ids: tokens, (T, B).
            state: of every layer, as this method returned it; None for the beginning.

        Returns:
            What the softmax reads, (T, B, E), untied (T, B, H); the last layer's output before dropout, (T, B, H); the
            new state.
        """
        return self.read(self.embed(ids), state)

    def read(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """The same from embedded tokens, (T, B, E)."""
        x = locked_dropout(x, self.dropout.input, self.training)
        new = []
        for k, layer in enumerate(self.recurrent):
            if k:
                x = locked_dropout(x, self.dropout.hidden, self.training)
            x, after = layer(x, None if state is None else _as_hx(state[k]))
            new.append(after if isinstance(after, tuple) else (after,))
        features = self.projection(locked_dropout(x, self.dropout.output, self.training))
        return features, x, tuple(new)

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats, of targets (T, B) given features (T, B, E), or (T, B, H) untied."""
        flat, targets = features.flatten(0, -2), targets.flatten()
        if self.adaptive is not None:
            return self.adaptive.loss(flat, targets)
        return linear_cross_entropy(flat, *self.full_softmax, targets)

    def embed(self, ids: Tensor) -> Tensor:
        """What the first layer reads of tokens, (…, E); in training without some words of the vocabulary."""
        x = F.embedding(ids, self.embedding.weight)
        if self.training and self.dropout.words:
            kept = torch.rand(self.dims.vocabulary_size, device=ids.device) >= self.dropout.words
            x = x * (kept[ids] / (1 - self.dropout.words)).unsqueeze(-1)
        return x

    @property
    def recurrent(self) -> list[Any]:
        """The recurrent layers, of `longshort.nn`."""
        return list(self.layers)

    def log_probabilities(self, features: Tensor) -> Tensor:
        """Natural logarithm of the probability of every token, float32, (…, V), from features as for `loss`."""
        if self.adaptive is not None:
            return self.adaptive.log_probabilities(features)
        weight, bias = self.full_softmax
        return F.linear(features, weight, bias).float().log_softmax(-1)

    @property
    def full_softmax(self) -> tuple[Tensor, Tensor]:
        """Weights, (V, E) or (V, H), and biases, (V,)."""
        if self.output is not None:
            return self.output.weight, self.output.bias
        assert self.bias is not None
        return self.embedding.weight, self.bias


def _as_hx(state: tuple[Tensor, ...]) -> Any:
    return state if len(state) > 1 else state[0]
