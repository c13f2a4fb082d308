"""What guides a beam search beside the network: a language model (shallow fusion), and a list of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from longshort.errors import InputError
from longshort.tasks.transcribe.search import Guide


class WordGuide:
    """Only words of a list can be written. A state is the beginning of a word.

    Args:
        pieces: what each unit adds to the text.
        words: the list.

    Raises:
        InputError: it is empty.
    """

    def __init__(self, pieces: Sequence[str], words: Iterable[str]) -> None:
        self._pieces, self._words = pieces, frozenset(words)
        if not self._words:
            raise InputError("the list of words is empty; give at least one")
        self._beginnings = frozenset(word[:k] for word in self._words for k in range(len(word) + 1))

    def start(self) -> str:
        """No word has begun."""
        return ""

    def extend(self, state: str, unit: int) -> tuple[str, float] | None:
        """The beginning of the word after a unit; None where no word of the list goes on so."""
        for sign in self._pieces[unit]:
            if sign.isspace():
                if state and state not in self._words:
                    return None
                state = ""
            else:
                state += sign
                if state not in self._beginnings:
                    return None
        return state, 0.0

    def finish(self, state: str) -> float | None:
        """Whether the last word is whole."""
        return 0.0 if not state or state in self._words else None


class _Read:
    """A token that the language model has read, and what it expects then."""

    __slots__ = ("_logs", "_model", "_state", "_token", "after")

    def __init__(self, model: Any, token: int, state: Any) -> None:
        self._model, self._token, self._state = model, token, state
        self._logs: Any = None
        self.after: dict[int, _Read] = {}

    def log(self, token: int) -> float:
        """Natural logarithm of the probability that a token comes next."""
        if self._logs is None:
            self._logs, self._state = self._model.expect(self._token, self._state)
        return float(self._logs[token])

    def read(self, token: int) -> _Read:
        """It, after another token."""
        if token not in self.after:
            self.log(token)
            self.after[token] = _Read(self._model, token, self._state)
        return self.after[token]


class LanguageGuide:
    """A language model's opinion of the text, weighted (shallow fusion; Gulcehre et al. 2015).

    Every line of its text is taken as a transcript of its own. A state is what the model has read, and the word that it
    has not read yet.

    Args:
        pieces: what each unit adds to the text.
        model: a fitted `LanguageModel` over characters or words, of the full package or of the runtime.
        weight: of its log-probabilities.
        bonus: for every word, in nats.

    Raises:
        InputError: it is no such model.
    """

    def __init__(self, pieces: Sequence[str], model: Any, weight: float, bonus: float) -> None:
        if getattr(model, "task", None) != "language" or model.tokenizer.kind not in ("characters", "words"):
            raise InputError("transcription goes with a language model over characters or words (tokens=…): fit one")
        self._pieces, self._weight, self._bonus = pieces, weight, bonus
        self._model, self._tokenizer = model, model.tokenizer
        self._by_word = self._tokenizer.kind == "words"
        self._ids: dict[str, int] = {}
        self._end = self._id("\n")

    def start(self) -> tuple[_Read, str]:
        """At the beginning of a line."""
        return _Read(self._model, self._end, None), ""

    def extend(self, state: tuple[_Read, str], unit: int) -> tuple[tuple[_Read, str], float]:
        """After a unit; the model reads words when they are whole, characters at once."""
        read, word = state
        gained = 0.0
        for sign in self._pieces[unit]:
            if sign.isspace():
                if word:
                    read, more = self._whole(read, word)
                    gained += more
                word = ""
                continue
            if not self._by_word:
                read, more = self._tell(read, sign)
                gained += more
            word += sign
        return (read, word), gained

    def finish(self, state: tuple[_Read, str]) -> float:
        """The end of the line."""
        read, word = state
        gained = 0.0
        if word and self._by_word:
            read, gained = self._whole(read, word)
        elif word:
            gained = self._bonus
        return gained + self._weight * read.log(self._end)

    def _whole(self, read: _Read, word: str) -> tuple[_Read, float]:
        """A word has ended: of words the model reads it now, of characters the space after it."""
        after, gained = self._tell(read, word if self._by_word else " ")
        return after, gained + self._bonus

    def _tell(self, read: _Read, token: str) -> tuple[_Read, float]:
        number = self._id(token)
        return read.read(number), self._weight * read.log(number)

    def _id(self, token: str) -> int:
        if token not in self._ids:
            self._ids[token] = int(self._tokenizer.encode(token).ids[0])
        return self._ids[token]


class Both:
    """Two guides at once: what both allow, and the sum of what they add."""

    def __init__(self, one: Guide, other: Guide) -> None:
        self._one, self._other = one, other

    def start(self) -> tuple[Any, Any]:
        """Both states."""
        return self._one.start(), self._other.start()

    def extend(self, state: tuple[Any, Any], unit: int) -> tuple[tuple[Any, Any], float] | None:
        """After a unit; the second is asked only where the first allows it."""
        first = self._one.extend(state[0], unit)
        if first is None:
            return None
        second = self._other.extend(state[1], unit)
        return None if second is None else ((first[0], second[0]), first[1] + second[1])

    def finish(self, state: tuple[Any, Any]) -> float | None:
        """At the end."""
        ends = self._one.finish(state[0]), self._other.finish(state[1])
        return None if ends[0] is None or ends[1] is None else ends[0] + ends[1]
