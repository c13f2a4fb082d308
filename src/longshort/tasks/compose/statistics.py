"""What can be counted in a tune: pitch classes, intervals, density; and how far that is from a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes
from longshort.tasks.compose.keys import find_key
from longshort.tasks.compose.novelty import intervals

FloatArray = NDArray[np.float64]

# Larger intervals of the melody are counted together.
WIDEST = 12


@dataclass(frozen=True)
class Counts:
    """Statistics of tunes.

    Attributes:
        pitch_classes: shares of the notes by semitones above the key note, (12,).
        intervals: shares of the melody's steps by semitones, from 12 down and more to 12 up and more, (25,).
        density: notes a quarter note.
    """

    pitch_classes: FloatArray
    intervals: FloatArray
    density: float

    @classmethod
    def of(cls, tunes: Sequence[Notes]) -> Counts:
        """Of all notes of some tunes together."""
        classes, steps = np.zeros(12), np.zeros(2 * WIDEST + 1)
        count, quarters = 0, 0.0
        for notes in tunes:
            if len(notes):
                classes += pitch_classes(notes)
                steps += np.bincount(np.clip(intervals(notes), -WIDEST, WIDEST) + WIDEST, minlength=len(steps))
                count += len(notes)
                quarters += float((notes[:, 0] + notes[:, 1]).max() - notes[:, 0].min())
        return cls(classes / max(classes.sum(), 1), steps / max(steps.sum(), 1), count / quarters if quarters else 0.0)

    def distance(self, other: Counts) -> dict[str, float]:
        """Total variation of the histograms, the share of notes that would have to be others; and of the density."""
        return {
            "pitch classes": float(np.abs(self.pitch_classes - other.pitch_classes).sum() / 2),
            "intervals": float(np.abs(self.intervals - other.intervals).sum() / 2),
            "density": abs(self.density - other.density),
        }


def pitch_classes(notes: Notes) -> FloatArray:
    """How many notes are so many semitones above the key note of the tune, drums left out, (12,)."""
    pitched = notes[notes[:, 3] >= 0]
    if not len(pitched):
        return np.zeros(12)
    return np.bincount((pitched[:, 2].astype(int) - find_key(pitched).tonic) % 12, minlength=12).astype(np.float64)
