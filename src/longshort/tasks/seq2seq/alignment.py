"""Where the network looked while it wrote, and what it copied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.seq2seq.steps import Begin, FloatArray
from longshort.tasks.seq2seq.vocabulary import Vocabulary

# A word is said to be copied if more than this share of its probability came from copying.
COPIED = 0.5
# The least probability that is divided by.
LEAST = np.float32(1e-20)


@dataclass(frozen=True)
class Alignment:
    """Of a source of S tokens and an answer of T tokens, its end included.

    Attributes:
        source, answer: the tokens as people read them; the inner pieces of a word begin with "·".
        weights: of attention, (T, S); each row adds up to 1.
        copied: of each token the share of its probability that came from copying, (T,); 0 without copying.
    """

    source: list[str]
    answer: list[str]
    weights: NDArray[np.float32]
    copied: NDArray[np.float32]

    def words(self) -> str:
        """For each word of the answer the word of the source that was looked at most, "0-0 1-2 …", counted from 0.

        Words are what stands between white space; that is the format of Pharaoh and its successors.
        """
        read, written = _words(self.source), _words(self.answer[:-1])
        pairs = []
        for number in range(written[-1] + 1 if len(written) else 0):
            looked = self.weights[:-1][written == number].mean(0)
            pairs.append(f"{int(np.bincount(read, looked).argmax())}-{number}")
        return " ".join(pairs)

    def bracketed(self) -> str:
        """The answer with its copied words in brackets."""
        written, text = _words(self.answer[:-1]), []
        for number in range(written[-1] + 1 if len(written) else 0):
            here = np.flatnonzero(written == number)
            word = "".join(self.answer[k].removeprefix("·") for k in here)
            text.append(f"[{word}]" if self.copied[here].mean() > COPIED else word)
        return " ".join(text)


def align(
    begin: Begin,
    sources: Vocabulary,
    targets: Vocabulary,
    read: NDArray[np.integer],
    written: NDArray[np.integer],
) -> Alignment:
    """Read a source's tokens, (S,), and write an answer's, (T − 1,), with an eye on the attention."""
    steps = begin([read], 1)
    said = np.append(written, targets.end).astype(np.int64)
    weights, copied = [], np.zeros(len(said), np.float32)
    for place, (before, token) in enumerate(zip((targets.begin, *written), said, strict=True)):
        logs = steps(np.array([[before]], dtype=np.int64))
        assert steps.weights is not None
        weights.append(steps.weights[0, 0])
        if steps.gate is not None:
            copies: FloatArray = weights[-1][read == token].sum() / (1 + np.exp(steps.gate[0, 0]))
            copied[place] = copies / np.maximum(np.exp(logs[0, 0, token]), LEAST)
    return Alignment(sources.labels(read), targets.labels(said), np.stack(weights), copied.clip(0, 1))


def _words(tokens: list[str]) -> NDArray[np.int64]:
    """Of each token the number of its word, (T,): inner pieces of a word begin with "·"."""
    return np.cumsum([k == 0 or not token.startswith("·") for k, token in enumerate(tokens)], dtype=np.int64) - 1
