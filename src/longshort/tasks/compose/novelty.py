"""How much of a tune is copied: the longest passage that it shares with the tunes that were learnt from.

A tune is its melody, the highest note of every onset, as the intervals from note to note: a copy in another key is a
copy. What is shared is found with a suffix automaton (Blumer et al. 1985, Theoretical Computer Science 40), which holds
every passage of all tunes in linear space, and is walked along once for every new tune.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes

# Stands between two tunes; no interval is as large.
GAP = 1_000


class Copied(NamedTuple):
    """The longest passage of a tune that is in what was learnt from.

    Attributes:
        notes: how many notes it has; 0 if there is none of two.
        begin: the number of its first note in the melody.
        tune: the number of a tune that has it, -1 for none.
    """

    notes: int
    begin: int
    tune: int


def melody(notes: Notes) -> Notes:
    """The highest note of every onset, drums left out, (N, 4)."""
    notes = notes[notes[:, 3] >= 0]
    order = np.lexsort((-notes[:, 2], notes[:, 0]))
    notes = notes[order]
    first = np.ones(len(notes), bool)
    first[1:] = np.diff(notes[:, 0]) > 1e-9
    return notes[first]


def intervals(notes: Notes) -> NDArray[np.int64]:
    """Semitones from each note of the melody to the next one."""
    return np.diff(melody(notes)[:, 2]).astype(np.int64)


class Passages:
    """All passages of some tunes.

    Args:
        tunes: intervals of each.
    """

    def __init__(self, tunes: Iterable[Sequence[int] | NDArray[np.int64]]) -> None:
        # Of every state: transitions, the state of its longest suffix that is in another one, the length of its longest
        # passage, and the tune where this was met first.
        self._next: list[dict[int, int]] = [{}]
        self._link, self._length, self._tune = [-1], [0], [-1]
        self._last = 0
        for number, tune in enumerate(tunes):
            for interval in [*(int(i) for i in tune), GAP + number]:
                self._extend(interval, number)

    def longest(self, tune: Sequence[int] | NDArray[np.int64]) -> Copied:
        """The longest passage of a tune, given by its intervals, that is in one of these."""
        state = length = 0
        best, end, where = 0, 0, -1
        for place, interval in enumerate(int(i) for i in tune):
            while state and interval not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if interval in self._next[state]:
                state = self._next[state][interval]
                length += 1
            if length > best:
                best, end, where = length, place + 1, self._tune[state]
        return Copied(best + 1, end - best, where) if best else Copied(0, 0, -1)

    def _extend(self, interval: int, tune: int) -> None:
        state = self._new({}, self._length[self._last] + 1, -1, tune)
        before = self._last
        while before >= 0 and interval not in self._next[before]:
            self._next[before][interval] = state
            before = self._link[before]
        self._link[state] = 0
        if before >= 0:
            after = self._next[before][interval]
            if self._length[after] == self._length[before] + 1:
                self._link[state] = after
            else:
                copy = self._new(
                    dict(self._next[after]), self._length[before] + 1, self._link[after], self._tune[after]
                )
                while before >= 0 and self._next[before].get(interval) == after:
                    self._next[before][interval] = copy
                    before = self._link[before]
                self._link[after] = self._link[state] = copy
        self._last = state

    def _new(self, following: dict[int, int], length: int, link: int, tune: int) -> int:
        self._next.append(following)
        self._length.append(length)
        self._link.append(link)
        self._tune.append(tune)
        return len(self._next) - 1
