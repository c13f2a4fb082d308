"""What is written: texts as they are compared, and as the units that the network emits, 0 being CTC's blank."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.tokens import Kind, Tokenizer

IntArray = NDArray[np.int64]

BLANK = 0
# Letters, marks and digits, and apostrophes and hyphens inside words.
_APART = re.compile(r"[^\w'’\-]+|_+|(?<!\w)['’\-]+|['’\-]+(?!\w)")


def plain(text: str) -> str:
    """A text as it sounds: small letters, no signs but the apostrophes and hyphens inside words, single spaces."""
    return " ".join(_APART.sub(" ", unicodedata.normalize("NFC", text).lower().replace("’", "'")).split())


def written(text: str) -> str:
    """A text as it stands, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


CLEANERS = {"plain": plain, "written": written}


class Units:
    """The units of a tokenizer, each by its number.

    Its unknown token, if it has one, is never emitted: its number is the blank's.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._shift = 0 if tokenizer.unknown_id == BLANK else 1
        self._between = " " if tokenizer.kind == "words" else ""

    @classmethod
    def learn(cls, texts: Sequence[str], kind: Kind, vocabulary_size: int | None) -> Units:
        """From the training part's texts."""
        return cls(Tokenizer.train(texts, kind, vocabulary_size=vocabulary_size))

    def __len__(self) -> int:
        """How many there are, the blank included."""
        return len(self.tokenizer) + self._shift

    def encode(self, text: str) -> IntArray:
        """The units of a text, (L,); what is not among them is left out."""
        ids: IntArray = self.tokenizer.encode(text).ids.astype(np.int64) + self._shift
        kept: IntArray = ids[ids != BLANK]
        return kept

    def knows(self, text: str) -> bool:
        """Whether nothing of a text is left out."""
        return not self.tokenizer.encode(text).unknown

    def decode(self, units: Sequence[int]) -> str:
        """The text of units."""
        return " ".join(self.tokenizer.decode([k - self._shift for k in units]).split())

    def piece(self, unit: int) -> str:
        """What a unit adds to a text; of words a space in front."""
        return self._between + self.tokenizer.decode([unit - self._shift])

    @property
    def pieces(self) -> list[str]:
        """Of all units, the blank's empty."""
        return ["", *(self.piece(k) for k in range(1, len(self)))]

    def to_json(self) -> Any:
        """As tokenizer.json holds it."""
        return self.tokenizer.to_json()


def needed(units: IntArray) -> int:
    """Steps that CTC needs for units: one each, and a blank between two that are the same."""
    return len(units) + int((units[1:] == units[:-1]).sum())
