"""How a text is found: settings of the search, and the search that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshort.data.encoding import decode_utf8, read_file
from longshort.errors import InputError
from longshort.settings import Settings, is_number
from longshort.tasks.transcribe.search import Greedy, Guide, PrefixBeam, Search
from longshort.tasks.transcribe.units import Units

# Texts that are followed where something guides the search.
GUIDED = 16


@dataclass(frozen=True)
class Decoding(Settings):
    """Settings of the search.

    Attributes:
        beam: texts that are followed; 1 for the likeliest path alone. By default 1, and 16 with a guide.
        language: run directory of a language model over characters or words, or a fitted `LanguageModel`.
        words: words that can be written: a list, or the path of a file with one on each line.
        language_weight: of the language model's log-probabilities.
        word_bonus: for every word, in nats; above 0 it makes up for what the language model takes.
    """

    beam: int | None = None
    language: Any = None
    words: Any = None
    language_weight: float = 0.5
    word_bonus: float = 1.0

    def __post_init__(self) -> None:
        self._whole("beam", least=1, optional=True)
        self._number("language_weight")
        self._need(is_number(self.word_bonus), f"word_bonus must be a number, not {self.word_bonus!r}")

    @property
    def guided(self) -> bool:
        """Whether anything guides the search."""
        return self.language is not None or self.words is not None

    def searches(
        self, units: Units, clean: Callable[[str], str], load: Callable[[str | Path], Any] | None = None
    ) -> Callable[[], Search]:
        """What makes a fresh search for every recording.

        Args:
            units: that the network emits.
            clean: what makes a text of the list as transcripts are.
            load: opens the run directory of a language model; `longshort.tasks.load` if None.

        Raises:
            InputError: the language model or the list cannot be used.
        """
        width = self.beam or (GUIDED if self.guided else 1)
        if width == 1 and not self.guided:
            return Greedy
        guide = self._guide(units, clean, load)
        return lambda: PrefixBeam(width, guide)

    def _guide(
        self, units: Units, clean: Callable[[str], str], load: Callable[[str | Path], Any] | None
    ) -> Guide | None:
        pieces = units.pieces
        words = None if self.words is None else _word_guide(pieces, self.words, clean)
        if self.language is None:
            return words
        from longshort.tasks.transcribe.guides import Both, LanguageGuide

        model = self.language
        if isinstance(model, str | Path):
            from longshort import tasks

            model = (load or tasks.load)(model)
        language = LanguageGuide(pieces, model, self.language_weight, self.word_bonus)
        return language if words is None else Both(words, language)


def _word_guide(pieces: list[str], words: Any, clean: Callable[[str], str]) -> Guide:
    """A guide from a list of words, or from a file of them."""
    from longshort.tasks.transcribe.guides import WordGuide

    if isinstance(words, str | Path):
        if not Path(words).is_file():
            raise InputError(f"{words}: there is no such file; give the path of a list of words, one on each line")
        words = decode_utf8(read_file(Path(words)), str(words)).removeprefix("\ufeff").split("\n")
    return WordGuide(pieces, [part for word in words for part in clean(str(word)).split()])
