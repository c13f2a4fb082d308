"""Tunes as the network reads them, of either kind: tokens (N,) or rolls (frames, 88)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes
from longshort.data.music_tokens import MusicTokens
from longshort.data.rolls import KEYS, notes_of_roll

Piece = NDArray[Any]


class Encoding(ABC):
    """What a tune is made of."""

    kind: str
    # What the negative log-likelihood is given for.
    unit: str

    @property
    @abstractmethod
    def size(self) -> int:
        """Different tokens, or keys."""

    @abstractmethod
    def whole(self, piece: Piece) -> Piece:
        """The tune as the network reads it, from its first step to its last."""

    @abstractmethod
    def room(self, piece: Piece) -> tuple[int, int]:
        """By how many semitones a tune can go down (0 or below) and up."""

    @abstractmethod
    def transposed(self, piece: Piece, interval: int) -> Piece:
        """The tune so many semitones higher, for which it must have room."""

    @abstractmethod
    def notes(self, piece: Piece) -> Notes:
        """Its notes."""

    @abstractmethod
    def units(self, piece: Piece) -> int:
        """How many units its negative log-likelihood is spread over."""


class TokenEncoding(Encoding):
    """Rows of tokens between a begin and an end."""

    kind, unit = "tokens", "note"

    def __init__(self, tokens: MusicTokens) -> None:
        self.tokens = tokens

    @property
    def size(self) -> int:
        """Different tokens."""
        return len(self.tokens)

    def whole(self, piece: Piece) -> Piece:
        """With its begin and its end."""
        return np.concatenate([[self.tokens.begin], piece, [self.tokens.end]]).astype(np.int32)

    def room(self, piece: Piece) -> tuple[int, int]:
        """Within the keys of a piano."""
        return self.tokens.room(piece)

    def transposed(self, piece: Piece, interval: int) -> Piece:
        """Other pitches, all else as it is."""
        return self.tokens.transposed(piece, interval)

    def notes(self, piece: Piece) -> Notes:
        """As the tokens say."""
        return self.tokens.notes(piece)

    def units(self, piece: Piece) -> int:
        """Notes."""
        return self.tokens.count_notes(piece)


class RollEncoding(Encoding):
    """Rolls, whose frames last so many quarter notes. The first frame is given, as in the literature."""

    kind, unit = "rolls", "frame"

    def __init__(self, frame: float) -> None:
        self.frame = frame

    @property
    def size(self) -> int:
        """Keys."""
        return KEYS

    def whole(self, piece: Piece) -> Piece:
        """As it is."""
        return piece

    def room(self, piece: Piece) -> tuple[int, int]:
        """Within the keys of a piano."""
        sounding = np.flatnonzero(piece.any(0))
        return (-int(sounding[0]), KEYS - 1 - int(sounding[-1])) if len(sounding) else (0, 0)

    def transposed(self, piece: Piece, interval: int) -> Piece:
        """Moved along the keys."""
        return np.roll(piece, interval, axis=1)

    def notes(self, piece: Piece) -> Notes:
        """A note for every run of frames."""
        return notes_of_roll(piece, self.frame)

    def units(self, piece: Piece) -> int:
        """Frames that are foretold: all but the first."""
        return len(piece) - 1
