"""Recordings from tables: which column is which, and where the files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longshort.data.columns import columns_called, list_names
from longshort.data.feature_file import FeatureFile
from longshort.data.files import Table
from longshort.data.recordings import Columns, Recordings
from longshort.data.written import load_written
from longshort.errors import InputError

PATH_NAMES = ("path", "file", "audio", "filename", "file_name", "recording", "wav", "id", "utterance", "name")
TRANSCRIPT_NAMES = ("transcript", "transcription", "text", "sentence", "words", "label", "target")
SPEAKER_NAMES = ("speaker", "speaker_id", "client_id", "reader")
SPLIT_NAMES = ("split", "part", "subset", "set", "fold")
KNOWN_NAMES = (*PATH_NAMES, *TRANSCRIPT_NAMES, *SPEAKER_NAMES, *SPLIT_NAMES)
# What a column of parts may call them.
PART_WORDS = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


def from_table(source: Any, columns: Columns, features: FeatureFile | None, need: bool) -> Recordings:
    """What `read_recordings` gives, with the names of columns found where they are not said."""
    table, _ = load_written(source, KNOWN_NAMES)
    frame = table.frame
    found: dict[str, str | None] = {}
    roles = (("path", PATH_NAMES), ("transcript", TRANSCRIPT_NAMES), ("speaker", SPEAKER_NAMES), ("split", SPLIT_NAMES))
    for role, known in roles:
        told = getattr(columns, role)
        if told is not None and told not in frame.columns:
            raise InputError(
                f"{table.name}: there is no column {told!r} for {role}=; the columns are {list_names(frame.columns)}"
            )
        free = [name for name in frame.columns if name not in found.values()]
        found[role] = told if told is not None else next(iter(columns_called(free, known)), None)
    for role in ("path", "transcript") if need else ("path",):
        if found[role] is None:
            raise InputError(
                f"{table.name}: cannot tell the {role}s among the columns {list_names(frame.columns)}; say which with "
                f"{role}="
            )
    names = _texts(table, found["path"] or "", "path")
    transcripts: tuple[str | None, ...] = (None,) * len(names)
    if found["transcript"]:
        values = frame[found["transcript"]].to_list()
        nothing = "" if need else None
        transcripts = tuple(nothing if value is None else str(value) for value in values)
    speakers = tuple(_texts(table, found["speaker"], "speaker")) if found["speaker"] else ()
    paths: tuple[Path, ...] = ()
    if features is None:
        paths = _paths(table, names, source)
    else:
        for place, name in enumerate(names):
            if name not in features:
                raise InputError(f"{table.name}, {table.row(place)}: {features.path} holds no array {name!r}; add it")
    return Recordings(tuple(names), paths, transcripts, speakers, _parts(table, found["split"]), features, table.name)


def _texts(table: Table, column: str, role: str) -> list[str]:
    values = table.frame[column].to_list()
    for place, value in enumerate(values):
        if value is None or not str(value).strip():
            raise InputError(f"{table.name}, {table.row(place)}: the {role} is empty; fill it in, or remove the row")
    return [str(value).strip() for value in values]


def _paths(table: Table, names: Sequence[str], source: Any) -> tuple[Path, ...]:
    folder = Path(source).parent if isinstance(source, str | Path) else Path()
    paths = tuple(folder / name for name in names)
    missing = [place for place, path in enumerate(paths) if not path.is_file()]
    if missing:
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{table.name}, {table.row(missing[0])}: there is no file {paths[missing[0]]}{more}; paths are relative "
            "to the table's folder; features in place of audio go with features="
        )
    return paths


def _parts(table: Table, column: str | None) -> tuple[str, ...]:
    """The part of each recording; () where there is no such column, or it means something else."""
    if column is None:
        return ()
    words = [str(value).strip().lower() for value in table.frame[column].to_list()]
    if not set(words) <= set(PART_WORDS) or "training" not in {PART_WORDS[word] for word in words}:
        return ()
    return tuple(PART_WORDS[word] for word in words)
