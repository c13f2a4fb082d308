"""From log-probabilities to units: the likeliest path, or a beam over what is written so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.transcribe.units import BLANK, IntArray

FloatArray = NDArray[np.float32]

# Units that are tried at each step, and by how many nats they may be less likely than the likeliest.
TRIED, RANGE = 16, 12.0
NEVER = -math.inf


class Guide(Protocol):
    """What else speaks for or against a text: a language model, a list of words. Its states are whatever it likes."""

    def start(self) -> Any:
        """The state before the first unit."""

    def extend(self, state: Any, unit: int) -> tuple[Any, float] | None:
        """The state after another unit and what that adds to the score, in nats; None where it cannot follow."""

    def finish(self, state: Any) -> float | None:
        """What the end adds to the score; None where the text cannot end here."""


class Search(Protocol):
    """Reads log-probabilities (S, V), some steps at a time."""

    def push(self, logs: FloatArray) -> None:
        """The next steps."""

    def best(self, final: bool = False) -> tuple[int, ...]:
        """The best units since the last commit."""

    def spans(self, logs: FloatArray, units: Sequence[int]) -> tuple[IntArray, IntArray]:
        """First and last step of each of the best units, (L,) each, in all steps since the last commit."""

    def commit(self) -> None:
        """Settle on what is best, and go on from there."""


class Greedy:
    """The likeliest unit of each step; repetitions are one, blanks are none."""

    def __init__(self) -> None:
        self._last = BLANK
        self.commit()

    def push(self, logs: FloatArray) -> None:
        """The next steps, (S, V)."""
        for unit in logs.argmax(1).tolist():
            if unit not in (BLANK, self._last):
                self._units.append(unit)
                self._spans.append((self._steps, self._steps))
            elif unit != BLANK and self._spans:
                self._spans[-1] = (self._spans[-1][0], self._steps)
            self._last = unit
            self._steps += 1

    def best(self, final: bool = False) -> tuple[int, ...]:
        """The units since the last commit."""
        return tuple(self._units)

    def spans(self, logs: FloatArray, units: Sequence[int]) -> tuple[IntArray, IntArray]:
        """Those of the likeliest path."""
        first, last = np.array(self._spans, dtype=np.int64).reshape(-1, 2).T
        return first, last

    def commit(self) -> None:
        """Begin anew."""
        self._units: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._steps = 0


class _Node:
    """Units that were written, as the last one and those before it."""

    __slots__ = ("before", "children", "extra", "state", "unit")

    def __init__(self, before: _Node | None, unit: int, state: Any, extra: float) -> None:
        self.before, self.unit, self.state, self.extra = before, unit, state, extra
        self.children: dict[int, _Node | None] = {}

    def units(self) -> tuple[int, ...]:
        """All of them, the root's left out."""
        found, node = [], self
        while node.before is not None:
            found.append(node.unit)
            node = node.before
        return tuple(reversed(found))


class PrefixBeam:
    """Prefix beam search: the paths of the same text count together (Hannun et al. 2014, algorithm 1).

    Args:
        width: texts that are followed.
        guide: scores texts beside the network, or None.
    """

    def __init__(self, width: int, guide: Guide | None = None) -> None:
        self._width, self._guide = width, guide
        root = _Node(None, BLANK, guide.start() if guide else None, 0.0)
        # Logarithms of the probability of all paths of a text that end in a blank, and of those that do not.
        self._beam: dict[_Node, tuple[float, float]] = {root: (0.0, NEVER)}

    def push(self, logs: FloatArray) -> None:
        """The next steps, (S, V)."""
        for row in logs:
            self._step(row.astype(np.float64))

    def _step(self, row: NDArray[np.float64]) -> None:
        order = np.argsort(-row)[:TRIED]
        tried = [(int(k), float(row[k])) for k in order if k != BLANK and row[k] > row[order[0]] - RANGE]
        blank = float(row[BLANK])
        ending: dict[_Node, list[float]] = {}
        for node, (with_blank, without) in self._beam.items():
            total = _add(with_blank, without)
            here = ending.setdefault(node, [NEVER, NEVER])
            here[0] = _add(here[0], total + blank)
            if node.unit != BLANK:
                here[1] = _add(here[1], without + float(row[node.unit]))
            for unit, log in tried:
                child = self._child(node, unit)
                if child is not None:
                    there = ending.setdefault(child, [NEVER, NEVER])
                    there[1] = _add(there[1], (with_blank if unit == node.unit else total) + log)
        kept = sorted(ending.items(), key=lambda item: -(_add(*item[1]) + item[0].extra))[: self._width]
        self._beam = {node: (both[0], both[1]) for node, both in kept}

    def _child(self, node: _Node, unit: int) -> _Node | None:
        if unit not in node.children:
            made = None
            if self._guide is None:
                made = _Node(node, unit, None, 0.0)
            else:
                after = self._guide.extend(node.state, unit)
                if after is not None:
                    made = _Node(node, unit, after[0], node.extra + after[1])
            node.children[unit] = made
        return node.children[unit]

    def best(self, final: bool = False) -> tuple[int, ...]:
        """The best units since the last commit; at the end those of a text that may end there, if there is one."""
        return self._best(final).units()

    def _best(self, final: bool) -> _Node:
        scores = {}
        for node, both in self._beam.items():
            end: float | None = 0.0
            if final and self._guide is not None:
                end = self._guide.finish(node.state)
            scores[node] = (end is not None, _add(*both) + node.extra + (end or 0.0))
        return max(scores, key=lambda node: scores[node])

    def spans(self, logs: FloatArray, units: Sequence[int]) -> tuple[IntArray, IntArray]:
        """Those of the likeliest path that writes the units."""
        return align(logs, units)

    def commit(self) -> None:
        """Keep the best text alone."""
        best = self._best(final=False)
        self._beam = {_Node(None, best.unit, best.state, 0.0): self._beam[best]}


def _add(a: float, b: float) -> float:
    """Logarithm of the sum of two numbers, given as logarithms."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))


def align(logs: FloatArray, units: Sequence[int]) -> tuple[IntArray, IntArray]:
    """First and last step of every unit on the likeliest path that writes them (Viterbi), (L,) each.

    Args:
        logs: log-probabilities, (S, V); S is enough for the units.
        units: L of them.
    """
    labels = np.full(2 * len(units) + 1, BLANK)
    labels[1::2] = units
    # From the unit before without a blank between, where the two differ.
    skips = np.zeros(len(labels), bool)
    skips[3::2] = labels[3::2] != labels[1:-2:2]
    emitted = logs[:, labels].astype(np.float64)
    score = np.full(len(labels), NEVER)
    score[:2] = emitted[0, :2]
    came = np.zeros((len(logs), len(labels)), np.int8)
    for step in range(1, len(logs)):
        one = np.concatenate(([NEVER], score[:-1]))
        two = np.where(skips, np.concatenate(([NEVER, NEVER], score[:-2]))[: len(labels)], NEVER)
        options = np.stack((score, one, two))
        came[step] = options.argmax(0)
        score = options.max(0) + emitted[step]
    place = len(labels) - 1 if len(labels) == 1 or score[-1] >= score[-2] else len(labels) - 2
    first = np.full(len(units), len(logs))
    last = np.zeros(len(units), np.int64)
    for step in range(len(logs) - 1, -1, -1):
        if place % 2:
            first[place // 2] = step
            last[place // 2] = max(last[place // 2], step)
        place -= int(came[step, place])
    return first, last
