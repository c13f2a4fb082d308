"""Draws of the next token from the network's distribution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from longshort.sequence.sampling import Sampling

# The lowest temperature that float32 can divide by.
COLDEST = 1e-30


class Sampler:
    """Draws tokens for S texts side by side, V different ones.

    Args:
        sampling: how.
        forbidden: a token that is never drawn, or None.
        seen: tokens that occurred, (N,).
        vocabulary_size: V.
    """

    def __init__(self, sampling: Sampling, forbidden: int | None, seen: Tensor, vocabulary_size: int) -> None:
        self._sampling, self._forbidden = sampling, forbidden
        self._generator: Any = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._seen = None
        if sampling.repetition_penalty != 1:
            self._seen = torch.zeros(sampling.samples, vocabulary_size, dtype=torch.bool)
            self._seen[:, seen] = True

    def __call__(self, log_probabilities: Tensor) -> Tensor:
        """One token for each text, (S,), from (S, V); what is given may be changed."""
        logits, sampling = log_probabilities, self._sampling
        if self._forbidden is not None:
            logits[:, self._forbidden] = -torch.inf
        if self._seen is not None:
            penalty = sampling.repetition_penalty
            logits = torch.where(self._seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
        greedy = sampling.temperature == 0
        if greedy:
            drawn = logits.argmax(-1)
        else:  # from the likeliest down, so that no temperature makes the logits infinite
            drawn = self._draw((logits - logits.max(-1, keepdim=True).values) / max(sampling.temperature, COLDEST))
        if self._seen is not None:
            self._seen[torch.arange(len(drawn)), drawn] = True
        return drawn

    def _draw(self, logits: Tensor) -> Tensor:
        top_k, top_p = self._sampling.top_k, self._sampling.top_p
        ids: Tensor | None = None
        if top_k is not None and top_k < logits.size(-1):
            logits, ids = logits.topk(top_k, dim=-1)  # the likeliest first
        elif top_p is not None:
            logits, ids = logits.sort(dim=-1, descending=True)
        if top_p is not None:
            p = logits.softmax(-1)
            before = p.cumsum(-1) - p
            logits = logits.masked_fill(before >= top_p, -torch.inf)
        # The token at which the cumulative distribution passes an even draw from 0 to 1.
        cumulative = logits.double().softmax(-1).cumsum(-1)
        even = torch.rand(len(logits), 1, dtype=torch.float64, generator=self._generator)
        drawn = torch.searchsorted(cumulative, even * cumulative[:, -1:], right=True)
        return (drawn if ids is None else ids.gather(-1, drawn)).squeeze(-1)
