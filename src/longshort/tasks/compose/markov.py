"""What a composer is compared with: Markov chains of the best order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.sequence.kneser_ney import KneserNey
from longshort.tasks.compose.pieces import Encoding, Piece, TokenEncoding

FloatArray = NDArray[np.float64]

# How many tokens, or frames, a chain looks back at most; longer pasts are tried until so many in a row bring nothing.
ORDERS = {"tokens": (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 40), "rolls": tuple(range(1, 9))}
PATIENCE = 3
# Weight of the chain one order shorter, in counts (Witten & Bell's idea with one constant).
PRIOR = 2.0


class Chain(ABC):
    """A model of each step given the last `order` ones."""

    order: int

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return f"Markov chain, order {self.order}"

    @abstractmethod
    def nats(self, pieces: Sequence[Piece]) -> float:
        """Mean negative log-likelihood of a unit, a note or a frame, over tunes."""

    @classmethod
    def best(cls, encoding: Encoding, training: Sequence[Piece], validation: Sequence[Piece]) -> Chain:
        """The one whose order foretells the validation part best; the shorter one if they are equal."""
        best, lowest, vain = cls.of(encoding, training, 1), np.inf, 0
        for order in ORDERS[encoding.kind]:
            chain = cls.of(encoding, training, order)
            nats = chain.nats(validation)
            vain = 0 if nats < lowest else vain + 1
            if nats < lowest:
                best, lowest = chain, nats
            if vain == PATIENCE:
                break
        return best

    @staticmethod
    def of(encoding: Encoding, training: Sequence[Piece], order: int) -> Chain:
        """The chain of an order."""
        if isinstance(encoding, TokenEncoding):
            return TokenChain(encoding, training, order)
        return KeyChain(encoding, training, order)


class TokenChain(Chain):
    """Counts of tokens with interpolated Kneser-Ney smoothing."""

    def __init__(self, encoding: TokenEncoding, training: Sequence[Piece], order: int) -> None:
        self.order, self.encoding = order, encoding
        text = np.concatenate([encoding.whole(piece) for piece in training])
        self.counts = KneserNey(order + 1).fit(text, encoding.size)

    def nats(self, pieces: Sequence[Piece]) -> float:
        """Of a note; the begin of a tune is known."""
        total = 0.0
        for piece in pieces:
            whole = self.encoding.whole(piece)
            total -= float(self.counts.log_probabilities(whole[1:], whole[:1]).sum())
        return total / max(1, sum(self.encoding.units(piece) for piece in pieces))

    def log_probabilities(self, context: Sequence[int]) -> FloatArray:
        """Of every token after a context, (V,)."""
        return np.log(self.counts.distribution(np.array(context[-self.order :])))


class KeyChain(Chain):
    """Every key of a roll by itself: whether it sounds, given whether it did in the last frames.

    The counts of all keys together stand behind those of the one key, and a shorter past behind a longer one:

        p(x | past) = (c(x, past) + a p'(x)) / (c(past) + a)
    """

    def __init__(self, encoding: Encoding, training: Sequence[Piece], order: int) -> None:
        self.order, self.encoding = order, encoding
        keys = encoding.size
        self._tables: list[FloatArray] = []  # of every order, p(sounds) by past and key, (2^order, K)
        below: FloatArray = np.full((1, keys), 0.5)
        for length in range(order + 1):
            on, seen = np.zeros((2**length, keys)), np.zeros((2**length, keys))
            for piece in training:
                past = pasts(piece, length)[1:]
                for key in range(keys):
                    on[:, key] += np.bincount(past[:, key], piece[1:, key], 2**length)
                    seen[:, key] += np.bincount(past[:, key], minlength=2**length)
            # A past of one frame more has the same shorter past with its highest bit away.
            shorter = below if length == 0 else np.tile(below, (2, 1))
            together = (on.sum(1, keepdims=True) + PRIOR * shorter) / (seen.sum(1, keepdims=True) + PRIOR)
            below = (on + PRIOR * together) / (seen + PRIOR)
            self._tables.append(below)

    def probabilities(self, piece: Piece) -> FloatArray:
        """Of every key to sound in the frames after each of a roll's, (N, K)."""
        grown = np.concatenate([piece, np.zeros((1, piece.shape[1]), piece.dtype)])
        return np.take_along_axis(self._tables[self.order], pasts(grown, self.order)[1:], 0)

    def nats(self, pieces: Sequence[Piece]) -> float:
        """Of a frame, the first ones left out."""
        total, count = 0.0, 0
        for piece in pieces:
            p = self.probabilities(piece)[:-1]
            total -= float(np.log(np.where(piece[1:] > 0, p, 1 - p)).sum())
            count += len(piece) - 1
        return total / max(1, count)


def pasts(piece: Piece, order: int) -> NDArray[np.int64]:
    """The last frames of every key before each frame as a number, the latest frame its lowest bit, (N, K).

    Before the beginning nothing sounds.
    """
    past: NDArray[Any] = np.zeros(piece.shape, np.int64)
    for back in range(1, min(order, len(piece) - 1) + 1):
        past[back:] += piece[:-back].astype(np.int64) << (back - 1)
    return past
