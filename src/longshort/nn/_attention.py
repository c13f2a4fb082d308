"""Attention: of each query a weighted mean over a sequence, whose weights are learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from longshort.errors import InputError

SCORES = ("dot", "general", "additive")


class Attention(nn.Module):
    """Where to look in a sequence of S steps: scores, their softmax over the valid steps, and the mean that they weigh.

    The score of query q and memory m is, by `score`:

    - "dot": q · m (Luong, Pham & Manning 2015, equation 8),
    - "general": q · W m (the same),
    - "additive": v · tanh(W m + U q + b) (Bahdanau, Cho & Bengio 2015, appendix A.1.2).

    With coverage, the sum of all weights that a step of the memory had so far, c: "additive" has w c within its tanh
    (See, Liu & Manning 2017, equation 11), the others have w c added, with one number w.

    Args:
        query_size: numbers of a query, Q.
        memory_size: numbers of a step of the memory, M; for "dot" as many as Q.
        score: one of the above.
        hidden_size: numbers within the additive score, A; Q if None.
        coverage: whether there are weights for it.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        score: str = "general",
        *,
        hidden_size: int | None = None,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if score not in SCORES:
            raise InputError(f"score must be one of {', '.join(SCORES)}, not {score!r}")
        if score == "dot" and query_size != memory_size:
            raise InputError(f'score "dot" needs queries as large as the memory, not {query_size} and {memory_size}')
        self.query_size, self.memory_size, self.score = query_size, memory_size, score
        inner = hidden_size or query_size
        self.key = nn.Linear(memory_size, inner if score == "additive" else query_size, bias=score == "additive")
        if score == "dot":
            self.key = nn.Identity()  # type: ignore[assignment]
        self.query = nn.Linear(query_size, inner, bias=False) if score == "additive" else None
        self.value = nn.Parameter(torch.empty(inner)) if score == "additive" else None
        self.cover = nn.Parameter(torch.zeros(inner if score == "additive" else 1)) if coverage else None
        if self.value is not None:
            nn.init.uniform_(self.value, -(inner**-0.5), inner**-0.5)

    def keys(self, memory: Tensor) -> Tensor:
        """What queries are compared with, (B, S, K), of a memory (B, S, M): once for all queries."""
        keys: Tensor = self.key(memory)
        return keys

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, valid: Tensor, coverage: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Look.

        Args:
            query: (B, T, Q).
            keys: what `keys` gave, (B, S, K).
            memory: (B, S, M).
            valid: which steps of the memory are no padding, bool, (B, S), at least one of each sequence.
            coverage: sums of earlier weights, (B, T, S), if the module has weights for it.

        Returns:
            The means, (B, T, M), and the weights, (B, T, S), which are 0 at padding.
        """
        scores = self.scores(query, keys, coverage)
        scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
        weights = scores.masked_fill(~valid.unsqueeze(1), -torch.inf).softmax(-1)
        return torch.bmm(weights.to(memory.dtype), memory), weights

    def scores(self, query: Tensor, keys: Tensor, coverage: Tensor | None = None) -> Tensor:
        """Scores before the softmax, (B, T, S)."""
        if self.query is None or self.value is None:
            scores = torch.bmm(query, keys.transpose(1, 2))
            return scores if self.cover is None or coverage is None else scores + self.cover * coverage
        inner = self.query(query).unsqueeze(2) + keys.unsqueeze(1)  # (B, T, S, A)
        if self.cover is not None and coverage is not None:
            inner = inner + self.cover * coverage.unsqueeze(-1)
        scored: Tensor = inner.tanh() @ self.value
        return scored

    def extra_repr(self) -> str:
        """Sizes and score."""
        covers = ", coverage=True" if self.cover is not None else ""
        return f"{self.query_size}, {self.memory_size}, score={self.score!r}{covers}"
