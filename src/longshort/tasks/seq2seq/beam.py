"""Beam search over a batch: the K best hypotheses of every source, side by side, finished sources dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.seq2seq.constraints import Constraints, progress, said_of
from longshort.tasks.seq2seq.steps import FloatArray, IntArray, Steps

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.decoding import Decoding

# Sources are dropped when this share of them is finished: until then they cost less than to begin anew without them.
DROPPED = 0.25
# The largest of a row are sought in blocks of so many.
BLOCK = 64


class Hypothesis(NamedTuple):
    """An answer.

    Attributes:
        tokens: without begin and end, (T,).
        log_probability: natural, of the tokens and the end.
        score: what answers are ordered by.
    """

    tokens: IntArray
    log_probability: float
    score: float


def search(steps: Steps, decoding: Decoding, constraints: Constraints, limits: IntArray) -> list[list[Hypothesis]]:
    """The best answers of each source, the best first.

    Args:
        steps: of the network, at their beginning, for as many hypotheses as the beam is wide.
        decoding: how.
        constraints: what no answer, and what every answer holds.
        limits: the most tokens of each, (B,).
    """
    width, count = decoding.beam, len(limits)
    finished: list[list[Hypothesis]] = [[] for _ in range(count)]
    alive = np.arange(count)  # which source each row is of
    prefix = np.zeros((count, width, 0), np.int64)
    totals = np.full((count, width), -np.inf, np.float32)
    totals[:, 0] = 0  # all begin alike, so only one counts
    tokens = np.full((count, width), constraints.never[0])
    for step in range(int(limits.max()) + 1):
        over = limits[alive] <= step
        scores = totals[..., None] + constraints.apply(steps(tokens), prefix, over)
        values, parents, tokens = _candidates(scores, prefix, constraints, over)
        ended = (tokens == constraints.end) & np.isfinite(values)
        length = (step + 1) ** decoding.length_penalty
        for row, place in np.argwhere(ended[:, :width]):
            total = float(values[row, place])
            said = prefix[row, parents[row, place]]
            finished[alive[row]].append(Hypothesis(said, total, total / length))
        # The first of those that go on, which with forced words need not be the best.
        values = np.where(tokens == constraints.end, np.float32(-np.inf), values)
        order = np.isinf(values).argsort(axis=1, kind="stable")[:, :width]
        totals = np.take_along_axis(values, order, 1)
        parents, tokens = (np.take_along_axis(part, order, 1) for part in (parents, tokens))
        prefix = np.concatenate((np.take_along_axis(prefix, parents[..., None], 1), tokens[..., None]), -1)
        done = np.array([len(finished[k]) >= width for k in alive]) | ~np.isfinite(totals).any(1)
        if done.all():
            break
        totals[done] = -np.inf
        steps.select(parents)
        if done.mean() >= DROPPED:
            rows = np.flatnonzero(~done)
            steps.keep(rows)
            alive, prefix, totals, tokens = alive[rows], prefix[rows], totals[rows], tokens[rows]

    def place_of(hypothesis: Hypothesis) -> tuple[int, float]:
        return -said_of(hypothesis.tokens.tolist(), constraints.forced), -hypothesis.score

    return [sorted(found, key=place_of) for found in finished]


def _candidates(
    scores: FloatArray, prefix: IntArray, constraints: Constraints, over: NDArray[np.bool_]
) -> tuple[FloatArray, IntArray, IntArray]:
    """The best 2 K ways to go on: their scores, the hypotheses they go on from, and their tokens, (B, 2 K) each."""
    sources, width, vocabulary = scores.shape
    if constraints.forced:
        return _forced(scores, prefix, constraints, over)
    values, flat = largest(scores.reshape(sources, -1), min(2 * width, width * vocabulary))
    return values, flat // vocabulary, flat % vocabulary


def largest(rows: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
    """The largest numbers of each row (B, N), the largest first, and their places, (B, count) each.

    They stand in those blocks whose own largest numbers are the largest: to find these is one pass over all numbers,
    and only what they hold need be sorted.
    """
    blocks = rows.shape[1] // BLOCK
    if blocks > count:
        heads = rows[:, : BLOCK * blocks].reshape(len(rows), BLOCK, blocks).max(1)
        chosen = np.argpartition(heads, blocks - count, 1)[:, blocks - count :]
        inside = (chosen[:, None] + blocks * np.arange(BLOCK)[:, None]).reshape(len(rows), -1)
        rest = np.arange(BLOCK * blocks, rows.shape[1])
        places = np.concatenate((inside, np.broadcast_to(rest, (len(rows), len(rest)))), 1)
    else:
        places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    values = np.take_along_axis(rows, places, 1)
    order = np.lexsort((places, -values))[:, :count]
    return np.take_along_axis(values, order, 1), np.take_along_axis(places, order, 1)


def _forced(
    scores: FloatArray, prefix: IntArray, constraints: Constraints, over: NDArray[np.bool_]
) -> tuple[FloatArray, IntArray, IntArray]:
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
        _, tops = largest(scores[b], min(2 * width, vocabulary))
        found = {}
        for k, top in enumerate(tops.tolist()):
            wanted = [w[progress(said[k], w)] for w in constraints.forced if progress(said[k], w) < len(w)]
            for token in {*top, *wanted}:
                value = float(scores[b, k, token])
                told = [*said[k], token]
                met = said_of(told, constraints.forced)
                if value > -np.inf and (token != constraints.end or met == needed or bool(over[b])):
                    found[k, token] = value, met
        row = _in_turn(found, 2 * width)
        rows.append([*row, *[(-np.inf, 0, 0)] * (2 * width - len(row))])
    values, parents, tokens = (np.array([[one[part] for one in row] for row in rows]) for part in range(3))
    return values.astype(np.float32), parents, tokens


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
