"""Answers drawn token by token from the network's distribution, those of a batch side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from longshort.tasks.seq2seq.beam import Hypothesis
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.encoder import Memory
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.stepper import Stepper

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.decoding import Decoding


def draw(
    network: Seq2SeqNetwork,
    memory: Memory,
    decoding: Decoding,
    constraints: Constraints,
    limits: Tensor,
    generator: torch.Generator,
) -> list[list[Hypothesis]]:
    """So many draws for each source as `n_best` says, the likeliest first; limits (B,) are the most tokens of each."""
    width, count = decoding.n_best, len(memory.valid)
    stepper = Stepper(network, memory, width)
    tokens = torch.full((count, width), constraints.never[0])
    prefix = torch.zeros(count, width, 0, dtype=torch.int64)
    totals, ended = torch.zeros(count, width), torch.zeros(count, width, dtype=torch.bool)
    for step in range(int(limits.max()) + 1):
        logs = constraints.apply(stepper(tokens), prefix, limits <= step)
        tokens = _drawn(logs, decoding, generator).masked_fill(ended, constraints.end)
        totals += logs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1).masked_fill(ended, 0.0)
        ended |= tokens == constraints.end
        prefix = torch.cat((prefix, tokens.unsqueeze(-1)), -1)
        if ended.all():
            break
    lengths = (prefix != constraints.end).sum(-1)
    results = []
    for said, total, length in zip(prefix, totals.tolist(), lengths.tolist(), strict=True):
        found = [Hypothesis(said[k, : length[k]].numpy(), total[k], total[k]) for k in range(width)]
        results.append(sorted(found, key=lambda hypothesis: -hypothesis.score))
    return results


def _drawn(logs: Tensor, decoding: Decoding, generator: torch.Generator) -> Tensor:
    """One token for each row of log-probabilities (B, K, V), (B, K)."""
    p, ids = (logs / decoding.temperature).softmax(-1).sort(-1, descending=True)
    if decoding.top_k is not None:
        p[..., decoding.top_k :] = 0
    if decoding.top_p is not None:
        before = p.cumsum(-1) - p
        p = p.masked_fill(before >= decoding.top_p * p.sum(-1, keepdim=True), 0)
    # The token at which the cumulative distribution passes an even draw.
    cumulative = p.double().cumsum(-1)
    even = torch.rand(*p.shape[:-1], 1, dtype=torch.float64, generator=generator)
    place = torch.searchsorted(cumulative, even * cumulative[..., -1:], right=True).clamp(max=p.size(-1) - 1)
    return ids.gather(-1, place).squeeze(-1)
