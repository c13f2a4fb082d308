"""Answers drawn token by token from the network's distribution, those of a batch side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from longshort.sequence.draws import Draws
from longshort.tasks.seq2seq.beam import Hypothesis
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.steps import FloatArray, IntArray, Steps

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.decoding import Decoding


def draw(
    steps: Steps, decoding: Decoding, constraints: Constraints, limits: IntArray, draws: Draws
) -> list[list[Hypothesis]]:
    """So many draws for each source as `n_best` says, the likeliest first; limits (B,) are the most tokens of each."""
    width, count = decoding.n_best, len(limits)
    tokens = np.full((count, width), constraints.never[0])
    prefix = np.zeros((count, width, 0), np.int64)
    totals, ended = np.zeros((count, width), np.float32), np.zeros((count, width), bool)
    for step in range(int(limits.max()) + 1):
        logs = constraints.apply(steps(tokens), prefix, limits <= step)
        tokens = np.where(ended, constraints.end, _drawn(logs, decoding, draws))
        totals += np.where(ended, 0, np.take_along_axis(logs, tokens[..., None], -1)[..., 0])
        ended |= tokens == constraints.end
        prefix = np.concatenate((prefix, tokens[..., None]), -1)
        if ended.all():
            break
    lengths = (prefix != constraints.end).sum(-1)
    results = []
    for said, total, length in zip(prefix, totals.tolist(), lengths.tolist(), strict=True):
        found = [Hypothesis(said[k, : length[k]], total[k], total[k]) for k in range(width)]
        results.append(sorted(found, key=lambda hypothesis: -hypothesis.score))
    return results


def _drawn(logs: FloatArray, decoding: Decoding, draws: Draws) -> IntArray:
    """One token for each row of log-probabilities (B, K, V), (B, K)."""
    logits = logs / np.float32(decoding.temperature)
    ids = np.argsort(-logits, axis=-1, kind="stable")
    p = np.exp(np.take_along_axis(logits, ids, -1) - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    if decoding.top_k is not None:
        p[..., decoding.top_k :] = 0
    if decoding.top_p is not None:
        before = p.cumsum(-1) - p
        p[before >= decoding.top_p * p.sum(-1, keepdims=True)] = 0
    # The token at which the cumulative distribution passes an even draw.
    cumulative = p.cumsum(-1, dtype=np.float64)
    passed = cumulative > draws.even(*p.shape[:-1], 1) * cumulative[..., -1:]
    drawn: IntArray = np.take_along_axis(ids, passed.argmax(-1)[..., None], -1)[..., 0]
    return drawn
