"""The network: a bidirectional encoder, and a decoder that looks back at it with every step.

Embedding and softmax of the target share their weights (Press & Wolf 2017), and with one vocabulary for both sides so
does the embedding of the source. B pairs, S source steps, T target steps, E embedding size, H hidden size, M memory
size, V target tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import linear_cross_entropy, locked_dropout
from longshort.tasks.seq2seq.batch import Batch
from longshort.tasks.seq2seq.decoder import Decoded, Decoder
from longshort.tasks.seq2seq.encoder import Encoder, Memory

# The least probability of a word: a copied one has none where no source token is it.
LEAST = 1e-20


@dataclass(frozen=True)
class Dimensions:
    """Sizes and kind of the network.

    Attributes:
        sources, targets: tokens of each vocabulary, special ones included.
        shared: whether both are one and the same.
        embedding_size, hidden_size: E and H; each direction of the encoder has H / 2.
        encoder_layers, decoder_layers: recurrent layers.
        attention: "dot", "general", "additive" or "none".
        input_feeding: whether the decoder reads what it was about to say in the step before.
        copy: whether tokens of the source may be copied.
        coverage: whether attention knows where it has been.
    """

    sources: int
    targets: int
    shared: bool
    embedding_size: int
    hidden_size: int
    encoder_layers: int = 1
    decoder_layers: int = 1
    attention: str = "general"
    input_feeding: bool = False
    copy: bool = False
    coverage: bool = False


@dataclass(frozen=True)
class Dropout:
    """Probabilities with which something is left out in training.

    Attributes:
        words: whole tokens of what is read, on both sides.
        input: numbers of an embedding, the same at all steps.
        hidden: numbers between layers, the same at all steps.
        output: numbers of what the softmax reads.
    """

    words: float = 0.0
    input: float = 0.0
    hidden: float = 0.0
    output: float = 0.0


class Loss(NamedTuple):
    """What a batch costs, in nats per target token, (); `penalty` is that of coverage."""

    likelihood: Tensor
    penalty: Tensor | None


class Seq2SeqNetwork(nn.Module):
    """From a batch of sources to the probabilities of every target token, given those before it."""

    def __init__(self, dims: Dimensions, dropout: Dropout) -> None:
        super().__init__()
        self.dims, self.dropout = dims, dropout
        self.target_embedding = _embedding(dims.targets, dims.embedding_size)
        self.source_embedding = self.target_embedding if dims.shared else _embedding(dims.sources, dims.embedding_size)
        self.encoder = Encoder(dims.embedding_size, dims.hidden_size, dims.encoder_layers, dropout.hidden)
        self.decoder = Decoder(
            dims.embedding_size,
            dims.hidden_size,
            self.encoder.memory_size,
            layers=dims.decoder_layers,
            score=dims.attention,
            feeding=dims.input_feeding,
            copy=dims.copy,
            coverage=dims.coverage,
            hidden_dropout=dropout.hidden,
            output_dropout=dropout.output,
        )
        self.bias = nn.Parameter(torch.zeros(dims.targets))

    def encode(self, sources: Tensor, lengths: Tensor) -> Memory:
        """Read sources (S, B) of lengths (B,)."""
        memory: Memory = self.encoder(self.embed(self.source_embedding, sources), sources, lengths)
        return memory._replace(keys=self.decoder.keys(memory.values))

    def decode(self, inputs: Tensor, memory: Memory) -> Decoded:
        """Say what follows after every token of inputs (T, B), each given those before it."""
        decoded: Decoded = self.decoder(self.embed(self.target_embedding, inputs), memory)
        return decoded

    def forward(self, batch: Batch) -> Decoded:
        """Teacher forcing: encode, then decode."""
        return self.decode(batch.inputs, self.encode(batch.sources, batch.source_lengths))

    def loss(self, batch: Batch, label_smoothing: float = 0.0) -> Loss:
        """Mean negative log-likelihood of the target tokens, its target smoothed if asked for."""
        decoded, written = self(batch), batch.written
        penalty = None
        if decoded.coverage is not None and decoded.weights is not None:
            penalty = torch.minimum(decoded.weights, decoded.coverage).sum(-1)[written].mean()
        features, targets = decoded.features[written], batch.targets[written]
        if decoded.gate is None or decoded.weights is None:
            weight = self.target_embedding.weight
            return Loss(linear_cross_entropy(features, weight, self.bias, targets, label_smoothing), penalty)
        logs = _wide(F.linear(features, self.target_embedding.weight, self.bias)).log_softmax(-1)
        said = logs.gather(1, targets.unsqueeze(1)).squeeze(1)
        same = batch.sources.t().unsqueeze(0) == batch.targets.unsqueeze(-1)  # (T, B, S)
        copied = (decoded.weights * same).sum(-1)[written].clamp(min=LEAST)
        gate = _wide(decoded.gate)[written]
        mixed = torch.logaddexp(F.logsigmoid(gate) + said, F.logsigmoid(-gate) + copied.log())
        likelihood = -(1 - label_smoothing) * mixed.mean() - label_smoothing * logs.mean()
        return Loss(likelihood, penalty)

    def log_probabilities(
        self, features: Tensor, gate: Tensor | None, weights: Tensor | None, sources: Tensor
    ) -> Tensor:
        """Natural logarithm of the probability of every token, (B, K, V).

        With a gate g it is that of g P(said) + (1 − g) P(copied) (See, Liu & Manning 2017, equation 9).

        Args:
            features: what the softmax reads, (B, K, E).
            gate: before its sigmoid, (B, K); None without copying.
            weights: of attention, (B, K, S).
            sources: tokens, (S, B).
        """
        logs = _wide(F.linear(features, self.target_embedding.weight, self.bias)).log_softmax(-1)
        if gate is None or weights is None:
            return logs
        copied = torch.zeros_like(logs)
        copied.scatter_add_(-1, sources.t().unsqueeze(1).expand_as(weights), weights.to(logs.dtype))
        gate = _wide(gate).unsqueeze(-1)
        return torch.logaddexp(logs + F.logsigmoid(gate), copied.clamp_(min=LEAST).log_() + F.logsigmoid(-gate))

    def embed(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        """What the layers read of tokens (…, B), (…, B, E); in training some tokens, and numbers, are left out."""
        x: Tensor = embedding(ids) * embedding.embedding_dim**0.5
        if self.training and self.dropout.words:
            kept = torch.rand(ids.shape, device=ids.device) >= self.dropout.words
            x = x * kept.unsqueeze(-1)
        return locked_dropout(x, self.dropout.input, self.training)


def _wide(x: Tensor) -> Tensor:
    """Numbers of half the width in float32: logarithms of probabilities need it."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _embedding(tokens: int, size: int) -> nn.Embedding:
    """Small enough for a softmax that begins nearly even; what is read is multiplied by the root of the size.

    As in Vaswani et al. 2017, section 3.4. With smaller inputs attention hardly learns to look anywhere.
    """
    embedding = nn.Embedding(tokens, size)
    nn.init.normal_(embedding.weight, std=size**-0.5)
    return embedding
