"""What stands beside the network: the answer of the most similar example, first words, a central sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.errors import InputError
from longshort.tasks.seq2seq.vocabulary import named

# So many sources are compared with all examples at once.
CHUNK = 256
# TextRank's damping, and how often its ranks are passed on (Mihalcea & Tarau 2004).
DAMPING, ROUNDS = 0.85, 30
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


class Retrieval:
    """The target of the most similar training source, by the cosine of TF-IDF weights of words and pairs of words.

    Args:
        sources, targets: of the training part.
        marks: names of the marks in the sources.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str], marks: Sequence[str] = ()) -> None:
        check_scikit_learn()
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._targets, self._marks = targets, marks
        self._vectorizer: Any = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), dtype=np.float32)
        self._known = self._vectorizer.fit_transform(named(source, marks) for source in sources).T.tocsr()

    def __call__(self, sources: Sequence[str]) -> list[str]:
        """An answer for each source."""
        answers = []
        for k in range(0, len(sources), CHUNK):
            asked = self._vectorizer.transform(named(source, self._marks) for source in sources[k : k + CHUNK])
            nearest = np.asarray((asked @ self._known).argmax(axis=1)).ravel()
            answers += [self._targets[place] for place in nearest.tolist()]
        return answers


def check_scikit_learn() -> None:
    """Raise InputError where the library of the retrieval is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise InputError("the baselines need scikit-learn: pip install 'longshort[seq2seq]'") from None


def first_words(sources: Sequence[str], count: int) -> list[str]:
    """The first words of each source."""
    return [" ".join(source.split()[:count]) for source in sources]


def central_sentence(source: str, words: int) -> str:
    """The sentence that most resembles the others, cut to so many words: TextRank (Mihalcea & Tarau 2004).

    Sentences vote for those that share words with them, by the overlap over the logarithms of their lengths.
    """
    sentences = [sentence for sentence in _SENTENCE.split(source) if sentence.strip()][:200]
    if len(sentences) < 2:
        return " ".join(source.split()[:words])
    sets = [set(re.findall(r"\w+", sentence.lower())) for sentence in sentences]
    votes = np.zeros((len(sets), len(sets)))
    for i, one in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            size = np.log(max(len(one), 1)) + np.log(max(len(other), 1))
            votes[i, j] = votes[j, i] = len(one & other) / size if size > 0 else 0.0
    given: NDArray[np.float64] = votes / np.maximum(votes.sum(0), 1e-12)
    ranks = np.full(len(sets), 1 / len(sets))
    for _ in range(ROUNDS):
        ranks = (1 - DAMPING) / len(sets) + DAMPING * given @ ranks
    return " ".join(sentences[int(ranks.argmax())].split()[:words])
