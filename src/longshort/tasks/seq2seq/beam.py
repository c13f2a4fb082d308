"""Beam search over a batch: the K best hypotheses of every source, side by side, finished sources dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.tasks.seq2seq.constraints import Constraints, progress, said_of
from longshort.tasks.seq2seq.encoder import Memory
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.stepper import Stepper

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.decoding import Decoding

# Sources are dropped when this share of them is finished: until then they cost less than to begin anew without them.
DROPPED = 0.25


class Hypothesis(NamedTuple):
    """An answer.

    Attributes:
        tokens: without begin and end, (T,).
        log_probability: natural, of the tokens and the end.
        score: what answers are ordered by.
    """

    tokens: NDArray[np.int64]
    log_probability: float
    score: float


def search(
    network: Seq2SeqNetwork, memory: Memory, decoding: Decoding, constraints: Constraints, limits: Tensor
) -> list[list[Hypothesis]]:
    """The best answers of each source, the best first; limits (B,) are the most tokens of each."""
    width, count = decoding.beam, len(memory.valid)
    begin = constraints.never[0]
    stepper = Stepper(network, memory, width)
    finished: list[list[Hypothesis]] = [[] for _ in range(count)]
    alive = torch.arange(count)  # which source each row is of
    prefix = torch.zeros(count, width, 0, dtype=torch.int64)
    totals = torch.full((count, width), -torch.inf)
    totals[:, 0] = 0.0  # all begin alike, so only one counts
    tokens = torch.full((count, width), begin)
    for step in range(int(limits.max()) + 1):
        logs = constraints.apply(stepper(tokens), prefix, limits[alive] <= step)
        scores = totals.unsqueeze(-1) + logs
        values, parents, tokens = _candidates(scores, prefix, constraints, limits[alive] <= step)
        ended = (tokens == constraints.end) & values.isfinite()
        length = (step + 1) ** decoding.length_penalty
        first = torch.arange(values.size(1)) < width
        for row, place in (ended & first).nonzero().tolist():
            total = float(values[row, place])
            said = prefix[row, parents[row, place]].numpy()
            finished[int(alive[row])].append(Hypothesis(said, total, total / length))
        # The first of those that go on, which with forced words need not be the best.
        values = values.masked_fill(tokens == constraints.end, -torch.inf)
        order = values.isinf().int().argsort(dim=1, stable=True)[:, :width]
        totals, parents, tokens = (part.gather(1, order) for part in (values, parents, tokens))
        prefix = prefix.gather(1, parents.unsqueeze(-1).expand(-1, -1, step))
        prefix = torch.cat((prefix, tokens.unsqueeze(-1)), -1)
        done = torch.tensor([len(finished[k]) >= width for k in alive.tolist()]) | ~totals.isfinite().any(1)
        if done.all():
            break
        totals = totals.masked_fill(done.unsqueeze(1), -torch.inf)
        stepper.select(parents)
        if done.float().mean() >= DROPPED:
            rows = (~done).nonzero().squeeze(1)
            stepper.keep(rows)
            alive, prefix, totals, tokens = alive[rows], prefix[rows], totals[rows], tokens[rows]

    def place_of(hypothesis: Hypothesis) -> tuple[int, float]:
        return -said_of(hypothesis.tokens.tolist(), constraints.forced), -hypothesis.score

    return [sorted(found, key=place_of) for found in finished]


def _candidates(
    scores: Tensor, prefix: Tensor, constraints: Constraints, over: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The best 2 K ways to go on: their scores, the hypotheses they go on from, and their tokens, (B, 2 K) each."""
    _, width, vocabulary = scores.shape
    if constraints.forced:
        return _forced(scores, prefix, constraints, over)
    values, flat = scores.flatten(1).topk(min(2 * width, width * vocabulary))
    return values, flat // vocabulary, flat % vocabulary


def _forced(scores: Tensor, prefix: Tensor, constraints: Constraints, over: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same with forced words: as many hypotheses for every number of their tokens that was said.

    That is grid beam search (Hokamp & Liu 2017) with a beam of fixed size (Post & Vilar 2018): where a hypothesis may
    go on with a forced word it is tried, and among the candidates that have said 0, 1, 2, … forced tokens the best of
    each are taken in turn.
    """
    sources, width, vocabulary = scores.shape
    needed = sum(map(len, constraints.forced))
    rows: list[list[tuple[float, int, int]]] = []
    for b in range(sources):
        said = prefix[b].tolist()
        found = {}
        for k in range(width):
            top = scores[b, k].topk(min(2 * width, vocabulary)).indices.tolist()
            wanted = [w[progress(said[k], w)] for w in constraints.forced if progress(said[k], w) < len(w)]
            for token in {*top, *wanted}:
                value = float(scores[b, k, token])
                told = [*said[k], token]
                met = said_of(told, constraints.forced)
                if value > -np.inf and (token != constraints.end or met == needed or bool(over[b])):
                    found[k, token] = value, met
        rows.append(_in_turn(found, 2 * width))
    size = 2 * width
    padded = [[*row, *[(-np.inf, 0, 0)] * (size - len(row))] for row in rows]
    values = torch.tensor([[value for value, _, _ in row] for row in padded])
    parents = torch.tensor([[k for _, k, _ in row] for row in padded])
    return values, parents, torch.tensor([[token for _, _, token in row] for row in padded])


def _in_turn(found: dict[tuple[int, int], tuple[float, int]], size: int) -> list[tuple[float, int, int]]:
    """The best of those that have said most forced tokens, of those that have said one less, …, and again."""
    banks: dict[int, list[tuple[float, int, int]]] = {}
    for (k, token), (value, met) in found.items():
        banks.setdefault(met, []).append((value, k, token))
    queues: Sequence[list[tuple[float, int, int]]] = [sorted(banks[met], reverse=True) for met in sorted(banks)[::-1]]
    taken = []
    for place in range(max(map(len, queues), default=0)):
        taken += [queue[place] for queue in queues if place < len(queue)]
    return taken[:size]
