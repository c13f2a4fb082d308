"""From log-probabilities, some steps at a time, to a transcript: the search, and when each unit was said."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.transcribe.config import EDGE, Plan
from longshort.tasks.transcribe.search import Search
from longshort.tasks.transcribe.transcript import Transcript, Word
from longshort.tasks.transcribe.units import BLANK, Units

FloatArray = NDArray[np.float32]

# After so many seconds of nothing the search settles on what it has; and after so many in any case.
PAUSE, LONGEST = 0.5, 10.0
# Probabilities below this are as good as none.
LEAST = 1e-12


class Event(NamedTuple):
    """A unit that was said from one step to another, and its probability at its surest."""

    unit: int
    first: int
    last: int
    probability: float


class Recognition:
    """One recording's transcript as it grows; memory is bounded by what lies between two pauses.

    Args:
        search: fresh.
        units: that the network emits.
        plan: sizes of frames and steps.
    """

    def __init__(self, search: Search, units: Units, plan: Plan) -> None:
        self._search, self._units, self._plan = search, units, plan
        self._pieces = units.pieces
        self._pause, self._longest = (round(seconds / plan.step) for seconds in (PAUSE, LONGEST))
        self._words: list[Word] = []  # those that are settled
        self._events: list[Event] = []  # of a word that may go on, settled too
        self._logs: list[FloatArray] = []
        self._begin = 0  # step at which the stretch that is not settled begins
        self._blank = 0.0  # sum of the blank's log-probabilities
        self._quiet = self._steps = 0

    def push(self, logs: FloatArray) -> None:
        """The next steps, (S, V)."""
        begin = 0
        quiet = logs.argmax(1) == BLANK
        for step in range(len(logs)):
            self._quiet = self._quiet + 1 if quiet[step] else 0
            self._steps += 1
            long = self._steps - self._begin
            if quiet[step] and (self._quiet == self._pause or long >= self._longest):
                self._add(logs[begin : step + 1])
                self._settle()
                begin = step + 1
        self._add(logs[begin:])

    def _add(self, logs: FloatArray) -> None:
        if len(logs):
            self._search.push(logs)
            self._logs.append(logs)
            self._blank += float(logs[:, BLANK].sum())

    def _settle(self) -> None:
        *whole, last = self._groups(self._events + self._open(final=False))
        self._words += [self._word(group, math.inf) for group in whole if group]
        self._events = last
        self._search.commit()
        self._logs, self._begin, self._quiet = [], self._steps, 0

    def _open(self, final: bool) -> list[Event]:
        """What was said since the last pause."""
        units = self._search.best(final)
        if not units:
            return []
        logs = np.concatenate(self._logs)
        first, last = self._search.spans(logs, units)
        spans = zip(units, first.tolist(), last.tolist(), strict=True)
        return [
            Event(u, a + self._begin, b + self._begin, float(np.exp(logs[a : b + 1, u].max()))) for u, a, b in spans
        ]

    def transcript(self, seconds: float, *, final: bool = False, took: float = 0.0) -> Transcript:
        """What was heard so far.

        Args:
            seconds: of sound that were heard.
            final: whether nothing more will come.
            took: seconds of computing.
        """
        groups = self._groups(self._events + self._open(final))
        words = (*self._words, *(self._word(group, seconds) for group in groups if group))
        confidence = math.exp(self._blank / max(1, self._steps))
        if words:
            confidence = math.exp(sum(math.log(max(word.confidence, LEAST)) for word in words) / len(words))
        return Transcript(" ".join(word.text for word in words), words, confidence, seconds, took)

    def _groups(self, events: list[Event]) -> list[list[Event]]:
        """The units of each word, the last of which may go on; empty where there is more space than words need."""
        groups: list[list[Event]] = [[]]
        for event in events:
            piece = self._pieces[event.unit]
            if piece[:1].isspace():
                groups.append([])
            if piece.strip():
                groups[-1].append(event)
        return groups

    def _word(self, group: list[Event], seconds: float) -> Word:
        """The word of some units, which ends before the sound does."""
        text = self._units.decode([event.unit for event in group])
        log = sum(math.log(max(event.probability, LEAST)) for event in group) / len(group)
        start, end = (min(max(t, 0.0), seconds) for t in self._span(group[0].first, group[-1].last))
        return Word(text, start, end, math.exp(log))

    def _span(self, first: int, last: int) -> tuple[float, float]:
        """Seconds of the frames in the middle of the steps; before the first one lie `EDGE` frames of nothing."""
        plan = self._plan
        middle = (plan.stride + 1) / 2 - EDGE
        return (first * plan.stride + middle) * plan.features.hop, (
            (last + 1) * plan.stride + middle
        ) * plan.features.hop
