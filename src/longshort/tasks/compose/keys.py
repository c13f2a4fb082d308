"""Keys: which one a tune is in, and the pitch classes that belong to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes
from longshort.errors import InputError

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
OTHER_NAMES = {"Db": 1, "D#": 3, "Gb": 6, "G#": 8, "A#": 10, "Cb": 11, "Fb": 4, "E#": 5, "B#": 0}
# How well each pitch class fits a key, from the tonic up (Krumhansl & Kessler 1982, Psychological Review 89, figure 2).
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
# Semitones above the tonic; a minor key has both its sixths and sevenths, as its melodies do.
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11)}


@dataclass(frozen=True)
class Key:
    """A tonic, from 0 for C to 11 for B, and a mode, "major" or "minor"."""

    tonic: int
    mode: str

    def __str__(self) -> str:
        return f"{NAMES[self.tonic]} {self.mode}"

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Whether each pitch class is in its scale, (12,)."""
        inside = np.zeros(12, bool)
        inside[[(self.tonic + step) % 12 for step in SCALES[self.mode]]] = True
        return inside

    @classmethod
    def parse(cls, text: str) -> Key:
        """A key from "D", "F# minor" or "Bbm".

        Raises:
            InputError: it is none.
        """
        words = text.replace("♯", "#").replace("♭", "b").split()
        mode = "major"
        if len(words) == 1 and words[0].endswith("m") and len(words[0]) > 1:
            words, mode = [words[0][:-1]], "minor"
        elif len(words) == 2 and words[1].lower() in PROFILES:
            mode = words[1].lower()
            words = words[:1]
        names = {**{name: k for k, name in enumerate(NAMES)}, **OTHER_NAMES}
        name = words[0][:1].upper() + words[0][1:] if words else ""
        if len(words) != 1 or name not in names:
            raise InputError(f"{text!r} is no key: give one such as D, 'F# minor' or Bbm; kept, or free")
        return cls(names[name], mode)


def find_key(notes: Notes) -> Key:
    """The key whose profile goes best with how long each pitch class sounds (Krumhansl 1990, chapter 4)."""
    pitched = notes[notes[:, 3] >= 0]
    sounding = np.bincount(pitched[:, 2].astype(int) % 12, weights=pitched[:, 1], minlength=12)
    best, found = -np.inf, Key(0, "major")
    for mode, profile in PROFILES.items():
        for tonic in range(12):
            turned = np.roll(profile, tonic)
            spread = np.std(sounding) * np.std(turned)
            fit = float(np.mean((sounding - sounding.mean()) * (turned - turned.mean()))) / spread if spread else 0.0
            if fit > best:
                best, found = fit, Key(tonic, mode)
    return found
