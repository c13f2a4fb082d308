"""A classifier for export: examples of unlike length in, the probability of every class out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.exportable import Exportable, Part, Value
from longshort.tasks.classify.network import ClassifyNetwork
from longshort.tasks.classify.numbers import NumberEncoder

if TYPE_CHECKING:
    from longshort.tasks.classify.estimator import Classifier


class Judge(nn.Module):
    """All members, their logits averaged and divided by the temperature."""

    def __init__(self, networks: Sequence[ClassifyNetwork], temperature: float) -> None:
        super().__init__()
        self.networks, self.temperature = nn.ModuleList(networks), temperature

    def forward(self, steps: Tensor, lengths: Tensor, *words: Tensor) -> tuple[Tensor]:
        """Steps (T, B, …), lengths (B,), and of texts their distinct words, as `exportable` says."""
        logits = [self._logits(network, steps, lengths, *words) for network in self.networks]
        return ((torch.stack(logits).mean(0) / self.temperature).softmax(-1),)

    @staticmethod
    def _logits(network: nn.Module, x: Tensor, lengths: Tensor, *words: Tensor) -> Tensor:
        assert isinstance(network, ClassifyNetwork)
        if network.embedding is not None:
            vectors = network.embedding(words[0])
            if network.pieces is not None:  # ONNX has no bags
                _, pieces, owners = words
                found = F.embedding(pieces, network.pieces.weight)
                sums = torch.zeros_like(vectors).scatter_add(0, owners.unsqueeze(-1).expand_as(found), found)
                counts = torch.zeros_like(vectors[:, 0]).scatter_add(0, owners, torch.ones_like(found[:, 0]))
                vectors = vectors + sums / counts.clamp(min=1).unsqueeze(-1)
            x = F.embedding(x, vectors)
        pooled = network.pooling(network.read_inputs(x, lengths), lengths)
        logits: Tensor = network.output(pooled)
        return logits


def exportable(model: Classifier) -> Exportable:
    """The members of a classifier as one network, and its vocabulary or its scales."""
    fitted, dims = model.fitted, model.fitted.networks[0].dims
    texts = fitted.plan.kind == "texts"
    lengths = Value("lengths", ("batch",), "steps of each example, from 1")
    if texts:
        inputs = [
            Value("steps", ("steps", "batch"), "words, as positions among the distinct ones; 0 behind the end"),
            lengths,
            Value("words", ("distinct",), "each distinct word's place in the vocabulary, 0 where it has none"),
        ]
        if dims.buckets:
            inputs.append(Value("pieces", ("pieces",), "buckets of the pieces of all distinct words"))
            inputs.append(Value("owners", ("pieces",), "position of the distinct word that each piece is of"))
    else:
        inputs = [Value("steps", ("steps", "batch", dims.inputs), "standardised values; 0 behind the end"), lengths]

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn = np.random.default_rng(0)
        count = np.append(drawn.integers(1, steps + 1, batch - 1), steps)
        if not texts:
            values = drawn.normal(size=(steps, batch, dims.inputs)).astype(np.float32)
            return torch.from_numpy(values), torch.from_numpy(count)
        distinct, pieces = batch * steps + 1, 3 * batch * steps
        parts = [drawn.integers(distinct, size=(steps, batch)), count, drawn.integers(dims.words, size=distinct)]
        if dims.buckets:
            parts += [drawn.integers(dims.buckets, size=pieces), drawn.integers(distinct, size=pieces)]
        return tuple(map(torch.from_numpy, parts))

    part = Part(
        module=Judge(fitted.networks, fitted.temperature).eval(),
        inputs=inputs,
        outputs=(Value("probabilities", ("batch", dims.classes), "of every class: " + ", ".join(model.classes)),),
        example=example,
    )
    longest = f"Of each example the first {model.config.max_length:,} {'words' if texts else 'steps'} are read."
    if isinstance(fitted.encoder, NumberEncoder):
        how = "Values are (value - mean) / scale by scales.json, 0 where missing; then 1 for each missing one that may."
        return Exportable({"network": part}, (how, longest), {"scales.json": fitted.encoder.to_json()})
    how = "Words, and buckets of their pieces, are found as longshort/tasks/classify/words.py does, by tokenizer.json."
    return Exportable({"network": part}, (how, longest), {"tokenizer.json": fitted.encoder.tokenizer.to_json()})
