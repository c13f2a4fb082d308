"""A tune that was written: its notes, and the files that hold it as MIDI, as sound and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longshort.artifact import write_atomically
from longshort.data.midi import Notes, score_of
from longshort.errors import InputError
from longshort.tasks.compose.picture import picture
from longshort.tasks.compose.pieces import Encoding, Piece
from longshort.tasks.compose.sound import wav
from longshort.tasks.compose.writing import Composing

SUFFIXES = (".mid", ".wav", ".svg")
TEMPO = 120.0


@dataclass(frozen=True)
class Composition:
    """Notes and a tempo.

    Attributes:
        notes: start and duration in quarter notes, pitch, program, (N, 4), by their starts.
        tempo: quarter notes a minute.
        new: where what was written begins, in quarter notes; 0 unless another tune goes before.
    """

    notes: Notes
    tempo: float
    new: float = 0.0

    @classmethod
    def of(
        cls, encoding: Encoding, composing: Composing, piece: Piece, before: Piece | None, tempo: float | None = None
    ) -> Composition:
        """What came of a composition, with what was before it in front.

        Args:
            encoding: what the tunes are made of.
            composing: how it was written.
            piece: what was written.
            before: what was before it.
            tempo: of what was before it.
        """
        whole = piece if before is None else np.concatenate([before, piece])
        notes = encoding.notes(whole)
        new = 0.0
        if before is not None:
            # What was before goes as far as its notes that the whole begins with.
            known = len(encoding.notes(before))
            new = float(notes[known, 0]) if known < len(notes) else float((notes[:, 0] + notes[:, 1]).max(initial=0))
        if composing.instruments:
            notes = _replaced(notes, composing.instruments)
        return cls(notes, composing.tempo or tempo or TEMPO, new)

    @property
    def seconds(self) -> float:
        """How long it is, in seconds."""
        return float((self.notes[:, 0] + self.notes[:, 1]).max(initial=0)) * 60 / self.tempo

    def rows(self) -> list[dict[str, float]]:
        """The notes one by one, by the names of their numbers."""
        return [dict(zip(("start", "duration", "pitch", "program"), note, strict=True)) for note in self.notes.tolist()]

    def write(self, path: str | Path) -> None:
        """Write it as the suffix says: `.mid`, `.wav` or `.svg`.

        Raises:
            InputError: the suffix is another one, or the folder is not there.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise InputError(f"{path}: a tune is written as {', '.join(SUFFIXES)}; choose one of these")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}; make it, or choose another")
        write_atomically(path, {".mid": self.midi, ".wav": self.wav, ".svg": self.svg}[suffix]())

    def midi(self) -> bytes:
        """As a MIDI file."""
        return bytes(score_of(self.notes, self.tempo).dumps_midi())

    def wav(self) -> bytes:
        """As sound."""
        return wav(self.notes, self.tempo)

    def svg(self) -> bytes:
        """As a picture: a piano roll."""
        return picture(self.notes, self.new).encode()


def _replaced(notes: Notes, instruments: tuple[int, ...]) -> Notes:
    """Other programs in place of those that are there, in the order of these; the last one for all further ones."""
    result = notes.copy()
    programs = [program for program in np.unique(notes[:, 3]) if program >= 0]
    for number, program in enumerate(programs):
        result[notes[:, 3] == program, 3] = instruments[min(number, len(instruments) - 1)]
    return result
