"""Texts as the network's tokens: subwords, begin and end, and marks that say who speaks.

A mark stands in a text as a sign of Unicode's private area, so that a conversation is a text like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from longshort.data.tokens import Tokenizer

IntArray = NDArray[np.int32]

# Between texts that are encoded together; no cleaned text holds it.
_BETWEEN = "\x1e"
_FIRST_MARK = 0xE000
_MARK = re.compile("([\ue000-\uf8ff])")


def mark(number: int) -> str:
    """The sign that stands for a mark in a text."""
    return chr(_FIRST_MARK + number)


def named(text: str, marks: Sequence[str]) -> str:
    """A text with the marks' names in place of their signs, each beginning a line."""
    return _MARK.sub(lambda found: f"\n{marks[ord(found[0]) - _FIRST_MARK]}:", text).strip()


def distinct_parts(texts: Iterable[str]) -> list[str]:
    """What stands between the marks of texts, each different one once."""
    return list(dict.fromkeys(part.strip() for text in texts for part in _MARK.split(text)[::2] if part.strip()))


@dataclass(frozen=True)
class Vocabulary:
    """Tokens of one side: the tokenizer's, then begin and end, then the marks.

    Attributes:
        tokenizer: of texts.
        marks: names of the marks, the speakers of a conversation.
    """

    tokenizer: Tokenizer
    marks: tuple[str, ...] = ()

    @classmethod
    def train(cls, texts: Iterable[str], size: int, marks: Sequence[str] = ()) -> Vocabulary:
        """With at most so many subwords of these texts, of which what is said again and again counts once."""
        spaced = [f" {part}" for part in distinct_parts(texts)]
        return cls(Tokenizer.train(spaced, "subwords", vocabulary_size=max(size, 256)), tuple(marks))

    def __len__(self) -> int:
        return len(self.tokenizer) + 2 + len(self.marks)

    @property
    def begin(self) -> int:
        """The token before every target."""
        return len(self.tokenizer)

    @property
    def end(self) -> int:
        """The token after every target."""
        return len(self.tokenizer) + 1

    def encode(self, texts: Sequence[str]) -> list[IntArray]:
        """The tokens of texts, which must be clean; () for an empty one."""
        known = distinct_parts(texts)
        ids = self.tokenizer.encode(_BETWEEN.join(f" {part}" for part in known)).ids
        cuts = np.split(ids, np.flatnonzero(ids == ord(_BETWEEN)))
        tokens = {part: cut[1:] if k else cut for k, (part, cut) in enumerate(zip(known, cuts, strict=False))}
        tokens[""] = np.zeros(0, dtype=np.int32)
        return [self._joined(_MARK.split(text), tokens) for text in texts]

    def _joined(self, parts: Sequence[str], tokens: dict[str, IntArray]) -> IntArray:
        """What stands between marks, and at every second place a mark."""
        marks = [np.array([self.end + 1 + ord(sign) - _FIRST_MARK], dtype=np.int32) for sign in parts[1::2]]
        between = [tokens[part.strip()] for part in parts[::2]]
        return np.concatenate([between[0], *(row for pair in zip(marks, between[1:], strict=True) for row in pair)])

    def decode(self, ids: ArrayLike) -> str:
        """The text of tokens; begin, end and marks are left out."""
        array = np.asarray(ids)
        return " ".join(self.tokenizer.decode(array[array < len(self.tokenizer)]).split())

    def labels(self, ids: ArrayLike) -> list[str]:
        """Each token as people read it: a space before a word is left out, an inner piece begins with "·"."""
        special = {self.begin: "⟨begin⟩", self.end: "⟨end⟩"}
        special |= {self.end + 1 + k: f"⟨{name}⟩" for k, name in enumerate(self.marks)}
        result = []
        for token in np.asarray(ids).tolist():
            if token in special:
                result.append(special[token])
            else:
                label = self.tokenizer.label(token)
                result.append(label[1:] if label.startswith("␣") and len(label) > 1 else f"·{label}")
        return result

    def to_json(self) -> dict[str, Any]:
        """All there is to know, as data for JSON."""
        return {**self.tokenizer.to_json(), "marks": list(self.marks)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_json`."""
        return cls(Tokenizer.from_json(value), tuple(value["marks"]))
