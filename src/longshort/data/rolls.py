"""Piano rolls: which keys sound in every frame, as the benchmarks of the literature store them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.encoding import read_file
from longshort.data.midi import PART_FOLDERS, Notes
from longshort.errors import InputError

SUFFIXES = (".mat", ".npz")
# Keys of a piano, and the MIDI pitch of its lowest; a roll of 128 columns begins at pitch 0.
KEYS, LOWEST = 88, 21

Roll = NDArray[np.uint8]


@dataclass(frozen=True)
class Rolls:
    """What was read.

    Attributes:
        parts: "training" and, if the file has them, "validation" and "test" -> rolls, (frames, 88) of 0 and 1 each.
        names: of the rolls of every part.
        notes: what was left out, a line each.
    """

    parts: dict[str, tuple[Roll, ...]]
    names: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def is_rolls(source: Any) -> bool:
    """Whether a path is one of piano rolls, by its suffix."""
    return isinstance(source, str | Path) and Path(source).suffix.lower() in SUFFIXES


def read_rolls(source: str | Path) -> Rolls:
    """Rolls from a file of arrays.

    A `.mat` file (MATLAB 5) has cells `traindata`, `validdata` and `testdata` with a roll each; a `.npz` file has an
    array for each roll, whose part is told by the beginning of its name, "train", "valid" or "test". Rolls have a row
    for each frame and 88 columns (the keys of a piano) or 128 (MIDI's pitches); anything above 0 sounds.

    Raises:
        InputError: the file is missing, damaged or holds objects, or a roll is not one.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    parts: dict[str, list[Roll]] = {"training": []}
    names: dict[str, list[str]] = {"training": []}
    short = 0
    for name, values in _arrays(path):
        roll = _roll(values, f"{path}, {name}")
        if len(roll) < 2:
            short += 1
            continue
        part = next((part for begin, part in PART_FOLDERS.items() if name.lower().startswith(begin)), "training")
        parts.setdefault(part, []).append(roll)
        names.setdefault(part, []).append(name)
    if not parts["training"]:
        raise InputError(f"{path}: there is no roll to learn from in it; name some train0, train1 and so on")
    notes = (f"{path}: rolls of fewer than two frames left out: {short:,}",) if short else ()
    return Rolls({p: tuple(r) for p, r in parts.items()}, {p: tuple(n) for p, n in names.items()}, notes)


def _arrays(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix.lower() == ".npz":
        try:
            with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as archive:
                for name in archive.files:
                    yield name, archive[name]
        except ValueError as error:
            if "pickle" in str(error).lower():
                what = "holds objects, which only running code could read: save arrays of numbers"
                raise InputError(f"{path}: it {what}") from None
            raise InputError(f"{path}: it is damaged ({error}); restore it") from None
        except Exception as error:  # whatever a damaged archive leads to
            raise InputError(f"{path}: it is no .npz file, or a damaged one ({error}); restore it") from None
        return
    for name, cells in _matlab(path).items():
        if not name.startswith("__"):
            for number, roll in enumerate(np.ravel(cells) if cells.dtype.kind == "O" else [cells], 1):
                yield f"{name} {number}", roll


def _matlab(path: Path) -> Mapping[str, Any]:
    try:
        import scipy.io
    except ImportError:
        raise InputError(".mat files need the extra music: pip install 'longshort[music]'") from None
    try:
        content: Mapping[str, Any] = scipy.io.loadmat(io.BytesIO(read_file(path)))
    except NotImplementedError:
        raise InputError(f"{path}: it is of MATLAB 7.3; save it with -v7") from None
    except Exception as error:  # whatever a damaged file leads to
        raise InputError(f"{path}: it is no .mat file, or a damaged one ({error}); restore it") from None
    return content


def _roll(values: Any, place: str) -> Roll:
    array = np.asarray(values)
    if array.dtype.kind not in "buif" or array.ndim != 2 or array.shape[1] not in (KEYS, 128):
        shape = f"{array.dtype} of shape {array.shape}"
        raise InputError(f"{place}: it is {shape}; a roll has a row for each frame and 88 or 128 columns of numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{place}: it holds values that are not numbers; set them to 0")
    sounding = array > 0
    if array.shape[1] == 128:
        outside = sounding[:, :LOWEST].any() or sounding[:, LOWEST + KEYS :].any()
        if outside:
            raise InputError(f"{place}: notes outside the keys of a piano, pitches 21 to 108; transpose or remove them")
        sounding = sounding[:, LOWEST : LOWEST + KEYS]
    return sounding.astype(np.uint8)


def notes_of_roll(roll: Roll, frame: float) -> Notes:
    """Notes of a roll whose frames last so many quarter notes: one for every run of frames in which a key sounds."""
    padded = np.zeros((len(roll) + 2, roll.shape[1]), np.int8)
    padded[1:-1] = roll
    change = np.diff(padded, axis=0).T
    key, begin = np.nonzero(change > 0)
    _, end = np.nonzero(change < 0)
    notes = np.stack([begin * frame, (end - begin) * frame, key + LOWEST, np.zeros(len(key))], 1).astype(np.float64)
    return notes[np.lexsort((-notes[:, 2], notes[:, 0]))]


def roll_of_notes(notes: Notes, frame: float) -> Roll:
    """The inverse of `notes_of_roll` for notes whose times are whole frames; others are rounded."""
    notes = notes[notes[:, 3] >= 0]
    begin = np.rint(notes[:, 0] / frame).astype(int)
    end = np.maximum(begin + 1, np.rint((notes[:, 0] + notes[:, 1]) / frame).astype(int))
    roll = np.zeros((int(end.max(initial=0)), KEYS), np.uint8)
    for first, last, pitch in zip(begin, end, notes[:, 2].astype(int), strict=True):
        if LOWEST <= pitch < LOWEST + KEYS:
            roll[first:last, pitch - LOWEST] = 1
    return roll
