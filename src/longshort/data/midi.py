"""Tunes from MIDI files: every file that cannot be used is named, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.encoding import read_file
from longshort.errors import InputError
from longshort.wording import listed

SUFFIXES = (".mid", ".midi", ".kar")
# Names of folders whose tunes are a part already.
PART_FOLDERS = {"train": "training", "training": "training", "valid": "validation", "validation": "validation"}
PART_FOLDERS |= {"val": "validation", "dev": "validation", "test": "test"}
# A tune that goes on for more quarter notes has a fault in its times; one with more tracks is no music.
LONGEST = 40_000
TRACKS = 1_000
# How hard the notes of a tune that was written are struck, from 1 to 127.
VELOCITY = 80
# Broken files that are named; of more than these the number is said.
NAMED = 5

# start and duration in quarter notes, pitch from 0 to 127, program from 0 to 127, or -1 for drums
Notes = NDArray[np.float64]


@dataclass(frozen=True)
class Tune:
    """One MIDI file.

    Attributes:
        name: its path, within its folder.
        score: a `symusic.Score` in ticks, with one note at least.
    """

    name: str
    score: Any


@dataclass(frozen=True)
class Tunes:
    """What was read.

    Attributes:
        parts: "training" and, if folders of the usual names are there, "validation" and "test" -> tunes.
        notes: what was left out, a line each.
    """

    parts: dict[str, tuple[Tune, ...]]
    notes: tuple[str, ...] = ()


def read_tunes(source: Any) -> Tunes:
    """Tunes from a MIDI file, several, or folders of them, subfolders included, sorted by path.

    Files without notes, and files that are not MIDI whatever they are called, are left out with a note; notes that
    never end are left out too.

    Raises:
        InputError: a path is missing, no tune is left, or the library that reads MIDI is not installed.
    """
    paths: Sequence[Any] = [source] if isinstance(source, str | Path) else source
    if not isinstance(paths, Sequence) or not paths or not all(isinstance(path, str | Path) for path in paths):
        raise InputError("tunes are read from a MIDI file, several, or a folder: give at least one path")
    symusic()
    parts: dict[str, list[Tune]] = {"training": []}
    broken: list[str] = []
    for name, path in _files([Path(path) for path in paths]):
        try:
            tune = Tune(name, _score(read_file(path)))
        except InputError as error:
            broken.append(f"{name} ({error})")
            continue
        parts.setdefault(_part(name), []).append(tune)
    where = str(paths[0])
    if not any(parts.values()):
        why = f": {'; '.join(broken[:NAMED])}" if broken else f" ({', '.join(SUFFIXES)})"
        raise InputError(f"{where}: there is no tune in it that can be read{why}; give MIDI files with notes")
    if not parts["training"]:
        only = listed([part for part in parts if parts[part]])
        raise InputError(f"{where}: there are only tunes for {only}; put some to learn from beside them")
    notes = []
    if broken:
        more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
        count = "1 file" if len(broken) == 1 else f"{len(broken):,} files"
        notes.append(f"{where}: {count} left out: {', '.join(broken[:NAMED])}{more}")
    return Tunes({part: tuple(tunes) for part, tunes in parts.items()}, tuple(notes))


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the path")
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                relative = inner.relative_to(path)
                hidden = any(part.startswith(".") for part in relative.parts)
                if inner.suffix.lower() in SUFFIXES and inner.is_file() and not hidden:
                    yield str(relative), inner
        else:
            yield str(path), path


def _part(name: str) -> str:
    folders = Path(name).parts[:-1]
    return PART_FOLDERS.get(folders[0].lower(), "training") if folders and not Path(name).is_absolute() else "training"


def symusic() -> Any:
    """The library that reads MIDI.

    Raises:
        InputError: it is not installed.
    """
    try:
        import symusic as library
    except ImportError:
        raise InputError("MIDI needs the extra music: pip install 'longshort[music]'") from None
    return library


def _score(data: bytes) -> Any:
    """A score from the bytes of a file, with faults that can be mended mended."""
    library = symusic()
    if not data.startswith(b"MThd"):
        raise InputError("not a MIDI file" if data else "empty")
    try:
        score = library.Score.from_midi(data)
    except Exception as error:  # it has errors of its own kind for every fault
        raise InputError(" ".join(str(error).removeprefix("MiniMidi: ").split()[:12]).rstrip(":!")) from None
    if score.ticks_per_quarter <= 0:
        raise InputError("a quarter note of 0 ticks")
    if len(score.tracks) > TRACKS:
        raise InputError(f"{len(score.tracks):,} tracks, at most {TRACKS:,} are read")
    score.tracks = [track for track in score.tracks if len(track.notes)]
    if not len(score.tracks):
        raise InputError("no notes")
    if max(track.notes.numpy()["time"].max() for track in score.tracks) > LONGEST * score.ticks_per_quarter:
        raise InputError(f"longer than {LONGEST:,} quarter notes")
    score.tempos = [tempo for tempo in score.tempos if tempo.mspq > 0]
    score.time_signatures = [s for s in score.time_signatures if s.numerator > 0 and s.denominator > 0]
    return score


def notes_of(score: Any) -> Notes:
    """All notes by their start, then from high to low: start, duration, pitch, program, (N, 4)."""
    rows = []
    for track in score.tracks:
        found = track.notes.numpy()
        program = np.full(len(found["time"]), -1 if track.is_drum else track.program)
        rows.append(np.stack([found["time"], found["duration"], found["pitch"], program], 1).astype(np.float64))
    notes = np.concatenate(rows) if rows else np.zeros((0, 4))
    notes[:, :2] /= score.ticks_per_quarter
    return notes[np.lexsort((-notes[:, 2], notes[:, 0]))]


def score_of(notes: Notes, tempo: float) -> Any:
    """A score of notes as `notes_of` gives them, a track for each program; tempo in quarter notes a minute."""
    library = symusic()
    score = library.Score(480)
    score.tempos.append(library.Tempo(0, tempo))
    for program in np.unique(notes[:, 3]).astype(int).tolist():
        track = library.Track(program=max(program, 0), is_drum=program < 0)
        for start, duration, pitch, _ in notes[notes[:, 3] == program].tolist():
            ticks = max(1, round(480 * duration))
            track.notes.append(library.Note(round(480 * start), ticks, int(pitch), VELOCITY))
        score.tracks.append(track)
    return score


def tune_in(data: bytes, name: str = "the MIDI file") -> Tune:
    """The tune in what a MIDI file holds.

    Raises:
        InputError: it cannot be used.
    """
    try:
        return Tune(name, _score(data))
    except InputError as error:
        raise InputError(f"{name} cannot be read ({error}): give one with notes") from None


def first_tune(source: Any) -> Tune:
    """The first of the tunes that `read_tunes` gives."""
    parts = read_tunes(source).parts
    return next(tunes[0] for tunes in parts.values() if tunes)


def tempo_of(score: Any) -> float:
    """Quarter notes a minute at the beginning; 120 where the file does not say."""
    tempos = sorted((tempo.time, tempo.qpm) for tempo in score.tempos)
    return float(tempos[0][1]) if tempos else 120.0
