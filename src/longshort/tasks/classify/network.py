"""The network of a classifier: words or numbers, recurrent layers in both directions, pooling, softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import GRU, LSTM, RNN, locked_dropout
from longshort.tasks.classify.batch import Batch
from longshort.tasks.classify.pooling import Pooling

LAYERS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
# Standard deviation of fresh embeddings.
INITIAL = 0.1


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the network.

    Attributes:
        words: of the vocabulary, the unknown one first; 0 for numbers.
        buckets: of pieces of words.
        inputs: numbers at each step: the embedding's size, or channels.
        hidden_size, num_layers: as in the settings.
        classes: K.
    """

    words: int
    buckets: int
    inputs: int
    hidden_size: int
    num_layers: int
    classes: int


@dataclass(frozen=True)
class Dropout:
    """What is left out or blurred in training; see the settings of the same names."""

    words: float = 0.0
    input: float = 0.0
    hidden: float = 0.0
    pooled: float = 0.0
    weights: float = 0.0
    noise: float = 0.0


class ClassifyNetwork(nn.Module):
    """K classes, T steps, B examples, E inputs at each step, H hidden units in each direction."""

    def __init__(self, dims: Dimensions, cell: str, pools: Sequence[str], dropout: Dropout) -> None:
        super().__init__()
        self.dims, self.dropout = dims, dropout
        self.embedding = self.pieces = None
        if dims.words:
            self.embedding = nn.Embedding(dims.words, dims.inputs)
            nn.init.normal_(self.embedding.weight, std=INITIAL)
        if dims.words and dims.buckets:
            self.pieces = nn.EmbeddingBag(dims.buckets, dims.inputs, mode="mean")
            nn.init.normal_(self.pieces.weight, std=INITIAL)
        more = {"forget_bias": 1.0} if cell == "lstm" else {}
        sizes = [dims.inputs, *[2 * dims.hidden_size] * (dims.num_layers - 1)]
        self.layers = nn.ModuleList(
            LAYERS[cell](size, dims.hidden_size, bidirectional=True, weight_dropout=dropout.weights, **more)
            for size in sizes
        )
        for name, weight in self.layers.named_parameters():
            if "weight_hh" in name:  # norms neither grow nor shrink over many steps (Saxe et al. 2014)
                for block in torch.split(weight.data, dims.hidden_size):
                    nn.init.orthogonal_(block)
        self.pooling = Pooling(2 * dims.hidden_size, pools)
        self.output = nn.Linear(2 * dims.hidden_size * len(self.pooling.pools), dims.classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of every class, (B, K)."""
        pooled: Tensor = self.pooling(self.read(batch), batch.lengths)
        logits: Tensor = self.output(F.dropout(pooled, self.dropout.pooled, self.training))
        return logits.float()

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits, (B, K), and the part that every step had in them, (T, B)."""
        x = self.read(batch)
        return self.output(self.pooling(x, batch.lengths)).float(), self.pooling.shares(x, batch.lengths)

    def read(self, batch: Batch) -> Tensor:
        """Outputs of the last layer, (T, B, 2 H), 0 at padded steps."""
        return self.read_inputs(self.inputs(batch), batch.lengths)

    def read_inputs(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The same from what the first layer reads, (T, B, E), and the steps of each example, (B,)."""
        x = locked_dropout(x, self.dropout.input, self.training)
        for k, layer in enumerate(self.layers):
            if k:
                x = locked_dropout(x, self.dropout.hidden, self.training)
            x, _ = layer(x, lengths=lengths)
        return x

    def inputs(self, batch: Batch) -> Tensor:
        """What the first layer reads, (T, B, E)."""
        if self.embedding is None:
            x = batch.steps
            if self.training and self.dropout.noise:
                x = x + self.dropout.noise * torch.randn_like(x)
            return x
        words = batch.words
        if self.training and self.dropout.words:
            kept = torch.rand(words.shape, device=words.device) >= self.dropout.words
            words = torch.where(kept, words, 0)
        vectors = self.embedding(words)
        if self.pieces is not None:
            vectors = vectors + self.pieces(batch.pieces, batch.offsets)
        return F.embedding(batch.steps, vectors)
