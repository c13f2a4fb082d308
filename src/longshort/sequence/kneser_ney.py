"""Interpolated Kneser-Ney smoothing with modified discounts: the n-gram model that a language model must beat.

Chen and Goodman, An empirical study of smoothing techniques for language modeling (1999), section 3. With c the count
of an n-gram in the highest order, and in the lower ones the number of different tokens before it:

    p(w | h) = (c(h w) - D(c(h w))) / c(h ·) + γ(h) p(w | h without its first token)
    γ(h) = (D₁ N₁(h ·) + D₂ N₂(h ·) + D₃ N₃₊(h ·)) / c(h ·)

down to the uniform distribution over the vocabulary below the unigrams. The start of the text counts as one more token
before the n-gram that it begins with. Where h never occurred, p(w | h) = p(w | h without its first token).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from longshort.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """The n-grams of one length.

    Attributes:
        keys: number of the n-gram's context (all but its last token, among the n-grams one shorter) times the size of
            the vocabulary, plus its last token; sorted, shape (n-grams,).
        discounted: its count less the discount, shape (n-grams,).
        totals: sum of the counts after each context; 0 where nothing follows, shape (contexts,).
        left: γ, the share for the shorter context, shape (contexts,).
    """

    keys: Ints
    discounted: Floats
    totals: Floats
    left: Floats


class KneserNey:
    """A model of each token given the `order - 1` tokens before it.

    Texts are running: nothing is put before or after them, and a newline is a token like any other.

    Raises:
        InputError: the order is not a whole number from 1 on.
    """

    def __init__(self, order: int) -> None:
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise InputError(f"the order of a Kneser-Ney model is {order!r}; give a whole number from 1 on")
        self.order = order
        self.vocabulary_size = 0
        self._levels: list[_Level] = []

    def fit(self, ids: ArrayLike, vocabulary_size: int) -> KneserNey:
        """Count the n-grams of a text and return the model.

        Args:
            ids: the tokens of the text, shape (tokens,).
            vocabulary_size: how many different tokens there are; those that do not occur get a small probability.

        Raises:
            InputError: there are no tokens, or one is not in the vocabulary.
        """
        tokens = _tokens(ids, vocabulary_size)
        if not len(tokens):
            raise InputError("there are no tokens to count; give a text that is not empty")
        # n-gram ending at each token, as a number among those of its length; its first occurrences.
        contexts = np.zeros(len(tokens), np.int64)
        grams: list[tuple[Ints, Ints, Ints]] = []  # keys, numbers by position, positions of the first occurrences
        for length in range(1, min(self.order, len(tokens)) + 1):
            begin = length - 1
            keys, firsts, numbers = np.unique(
                contexts * vocabulary_size + tokens[begin:], return_index=True, return_inverse=True
            )
            grams.append((keys, numbers, firsts + begin))
            contexts = numbers[:-1]
        self._levels = []
        for length, (keys, numbers, _) in enumerate(grams, 1):
            if length == self.order:
                counts = np.bincount(numbers, minlength=len(keys))
            else:
                counts = np.zeros(len(keys), np.int64)
                counts[numbers[0]] = 1
                if length < len(grams):
                    longer = grams[length][2]
                    counts += np.bincount(numbers[longer - (length - 1)], minlength=len(keys))
            number = len(grams[length - 2][0]) if length > 1 else 1
            self._levels.append(_level(keys, counts, keys // vocabulary_size, number))
        self.vocabulary_size = vocabulary_size
        return self

    def log_probabilities(self, ids: ArrayLike, context: ArrayLike | None = None) -> Floats:
        """Natural logarithm of the probability of each token given those before it, shape (tokens,).

        Args:
            ids: the tokens, shape (tokens,).
            context: the tokens before them, of which the last `order - 1` matter, shape (any,).

        Raises:
            InputError: the model is not fitted, or a token is not in the vocabulary.
        """
        before = self._before(context)
        tokens = np.concatenate([before, _tokens(ids, self.vocabulary_size)])
        probabilities = np.full(len(tokens), 1 / self.vocabulary_size)
        contexts = np.zeros(len(tokens), np.int64)  # of each token; -1: does not occur
        for level in self._levels:
            keys = np.where(contexts < 0, -1, contexts * self.vocabulary_size + tokens)
            place = np.searchsorted(level.keys, keys)
            place[place == len(level.keys)] = 0
            found = level.keys[place] == keys
            followed = (contexts >= 0) & (level.totals[contexts] > 0)
            own = np.where(found, level.discounted[place], 0.0)[followed] / level.totals[contexts[followed]]
            probabilities[followed] = own + level.left[contexts[followed]] * probabilities[followed]
            contexts = np.concatenate(([-1], np.where(found, place, -1)))[: len(tokens)]
        result: Floats = np.log(probabilities[len(before) :])
        return result

    def distribution(self, context: ArrayLike | None = None) -> Floats:
        """The probability of every token after a context, shape (vocabulary_size,).

        Raises:
            InputError: the model is not fitted, or a token is not in the vocabulary.
        """
        before = self._before(context)
        probabilities = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for length, level in enumerate(self._levels):
            if length > len(before):
                break
            number = self._number(before[len(before) - length :])
            if number < 0 or not level.totals[number]:
                break
            begin, end = np.searchsorted(level.keys, np.array([number, number + 1]) * self.vocabulary_size)
            probabilities *= level.left[number]
            after = level.keys[begin:end] - number * self.vocabulary_size
            probabilities[after] += level.discounted[begin:end] / level.totals[number]
        return probabilities

    def _before(self, context: ArrayLike | None) -> Ints:
        """The part of a context that matters."""
        if not self._levels:
            raise InputError("the Kneser-Ney model has counted nothing yet; call fit first")
        tokens = _tokens([] if context is None else context, self.vocabulary_size)
        return tokens[max(0, len(tokens) - (self.order - 1)) :]

    def _number(self, gram: Ints) -> int:
        """The number of an n-gram among those of its length, -1 if it does not occur."""
        number = 0
        for level, token in zip(self._levels, gram.tolist(), strict=False):
            key = number * self.vocabulary_size + token
            number = int(np.searchsorted(level.keys, key))
            if number == len(level.keys) or level.keys[number] != key:
                return -1
        return number


def best_order(train: ArrayLike, validation: ArrayLike, vocabulary_size: int, largest: int = 6) -> int:
    """The order, from 1 to `largest`, whose model of `train` gives `validation` the highest probability.

    Raises:
        InputError: there are no tokens, or one is not in the vocabulary, or `largest` is not a whole number from 1 on.
    """
    KneserNey(largest)  # is it an order?
    if not np.size(validation):
        raise InputError("there are no validation tokens to compare orders on; give a text that is not empty")
    likelihoods = [
        KneserNey(order).fit(train, vocabulary_size).log_probabilities(validation).sum()
        for order in range(1, largest + 1)
    ]
    return int(np.argmax(likelihoods)) + 1


def _level(keys: Ints, counts: Ints, contexts: Ints, number: int) -> _Level:
    discounts: Floats = np.concatenate(([0.0], _discounts(counts)))[np.minimum(counts, 3)]
    totals = np.bincount(contexts, counts, number).astype(np.float64, copy=False)
    left: Floats = np.divide(np.bincount(contexts, discounts, number), totals, out=np.ones(number), where=totals > 0)
    return _Level(keys, counts - discounts, totals, left)


def _discounts(counts: Ints) -> Floats:
    """What is taken from counts of 1, of 2, and of 3 or more, shape (3,); estimated from the counts of counts."""
    one, two, three, four = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if one and two:
        y = one / (one + 2 * two)
        if three:
            modified = np.array([1 - 2 * y * two / one, 2 - 3 * y * three / two, 3 - 4 * y * four / three])
            if (modified > 0).all():
                return modified
        return np.full(3, y)  # Kneser and Ney's own
    return np.full(3, 0.5)  # too little text, or a unigram model of few, frequent characters


def _tokens(ids: ArrayLike, vocabulary_size: Any) -> Ints:
    if isinstance(vocabulary_size, bool) or not isinstance(vocabulary_size, int) or vocabulary_size < 1:
        raise InputError(f"the vocabulary size is {vocabulary_size!r}; give a whole number from 1 on")
    tokens = np.asarray(ids)
    if not tokens.size:
        return np.zeros(0, np.int64)
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise InputError(f"tokens are a row of whole numbers, not {tokens.dtype} of shape {tokens.shape}; give ids")
    for place in np.flatnonzero((tokens < 0) | (tokens >= vocabulary_size))[:1]:
        raise InputError(
            f"token {tokens[place]} at place {place} is not among the {vocabulary_size} of the vocabulary; encode the "
            "text with the same tokenizer"
        )
    return tokens.astype(np.int64)
