"""Texts as words, and words as numbers: their place in the vocabulary, and their hashed pieces.

A word is the sum of a vector of its own and the mean of the vectors of its pieces of 3 to 5 letters (Bojanowski et al.
2017, arXiv 1607.04606), so that a word that was not learnt from still says what its letters say.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.data.tokens import Tokenizer
from longshort.tasks.classify.batch import Arrays, Batch, as_batch

IntArray = NDArray[np.int64]

# Scripts without spaces: each sign is a word. And signs that belong to the letter before them.
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u109f"
_LETTER = f"(?:[^\\W{_ALONE}]|[{_MARKS}])"
_WORD = re.compile(f"[{_ALONE}]|{_LETTER}+(?:['’]{_LETTER}+)*|['’][^\\W\\d_]{{1,2}}\\b|[^\\w\\s]")
# Lengths of a word's pieces, its ends marked; and how much of a very long word is cut into them.
PIECES = (3, 4, 5)
LONGEST_WORD = 64
# Rarer words have no vector of their own.
MIN_COUNT = 2


def word_spans(text: str) -> list[tuple[int, int]]:
    """First character, and the one after the last, of every word and every sign of a text.

    Letters and digits stay together, with an apostrophe between them ("don't"), and so does one that begins a short
    ending of its own ("it 's"); Chinese and Japanese signs, punctuation and all else stand alone.
    """
    return [found.span() for found in _WORD.finditer(text)]


def words(text: str) -> list[str]:
    """The words of a text in lower case; see `word_spans`."""
    text = unicodedata.normalize("NFC", text)
    return [text[a:b].lower() for a, b in word_spans(text)]


def pieces(word: str, buckets: int) -> list[int]:
    """The buckets, 0 to `buckets` − 1, of a word's pieces, ascending."""
    whole = f"<{word[:LONGEST_WORD]}>"
    found = {whole[k : k + n] for n in PIECES for k in range(len(whole) - n + 1)}
    return sorted({zlib.crc32(piece.encode("utf-8", "replace")) % buckets for piece in found})


@dataclass(frozen=True)
class EncodedTexts:
    """N texts of D distinct words.

    Attributes:
        codes: of each text its words as positions among the distinct ones, (T_i,), T_i >= 1; an empty text is one
            unknown word without pieces.
        ids: of each distinct word its place in the vocabulary, 0 where it has none, (D,).
        pieces: buckets of all distinct words, one after the other.
        begins: where each distinct word's buckets begin, and where the last one's end, (D + 1,).
        cut: how many texts were longer than what is read.
    """

    codes: tuple[IntArray, ...]
    ids: IntArray
    pieces: IntArray
    begins: IntArray
    cut: int

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def lengths(self) -> IntArray:
        """Words of each text that are read, (N,)."""
        return np.array([len(code) for code in self.codes], dtype=np.int64)

    @property
    def unknown(self) -> int:
        """How many texts hold words, but none of the vocabulary."""
        known = self.ids > 0
        pieced = np.diff(self.begins) > 0
        return sum(not known[code].any() and bool(pieced[code].any()) for code in self.codes)

    def batch(self, chosen: IntArray, targets: IntArray) -> Batch:
        """Some of the texts, B of them, with their classes."""
        return as_batch(self.arrays(chosen), targets)

    def arrays(self, chosen: IntArray) -> Arrays:
        """Some of the texts, B of them."""
        codes = [self.codes[k] for k in chosen]
        lengths = np.array([len(code) for code in codes])
        distinct, places = np.unique(np.concatenate(codes), return_inverse=True)
        steps = np.zeros((lengths.max(), len(codes)), dtype=np.int64)
        ends = np.cumsum(lengths)
        for row, (begin, end) in enumerate(zip(ends - lengths, ends, strict=True)):
            steps[: end - begin, row] = places[begin:end]
        counts = self.begins[distinct + 1] - self.begins[distinct]
        offsets = np.cumsum(counts) - counts
        flat = np.repeat(self.begins[distinct] - offsets, counts) + np.arange(counts.sum())
        return {
            "steps": steps,
            "lengths": lengths,
            "words": self.ids[distinct],
            "pieces": self.pieces[flat],
            "offsets": offsets,
        }


@dataclass(frozen=True)
class WordEncoder:
    """From texts to what the network reads.

    Attributes:
        tokenizer: the vocabulary.
        buckets: of pieces; 0 for none.
        longest: words that are read of a text.
    """

    tokenizer: Tokenizer
    buckets: int
    longest: int

    @classmethod
    def train(cls, texts: Sequence[str], vocabulary_size: int | None, buckets: int, longest: int) -> WordEncoder:
        """With a vocabulary of the words of these texts.

        Raises:
            InputError: no text holds a word.
        """
        lines = [" ".join(words(text)) for text in texts]
        count = MIN_COUNT if vocabulary_size is None else 1
        return cls(Tokenizer.train(lines, "words", vocabulary_size=vocabulary_size, min_count=count), buckets, longest)

    @property
    def inputs(self) -> int:
        """Words of the vocabulary, the unknown one included."""
        return len(self.tokenizer)

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Texts, cut to the words that are read."""
        places: dict[str, int] = {"": 0}  # the only word of an empty text
        codes, cut = [], 0
        for text in texts:
            found = words(text)
            cut += len(found) > self.longest
            code = [places.setdefault(word, len(places)) for word in found[: self.longest]]
            codes.append(np.array(code or [0], dtype=np.int64))
        distinct = list(places)
        ids = np.zeros(len(distinct), dtype=np.int64)
        ids[1:] = self.tokenizer.encode(" ".join(distinct[1:])).ids
        cuts = [[], *(pieces(word, self.buckets) if self.buckets else [] for word in distinct[1:])]
        begins = np.cumsum([0, *map(len, cuts)])
        flat = np.array([bucket for buckets in cuts for bucket in buckets], dtype=np.int64)
        return EncodedTexts(tuple(codes), ids, flat, begins, cut)
