"""Which recordings there are and what is said in them: from a table, a folder, or a list of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshort.data.audio import AUDIO_SUFFIXES
from longshort.data.encoding import decode_utf8, read_file
from longshort.data.feature_file import FeatureFile
from longshort.errors import InputError

TEXT_ENDINGS = (".txt", ".lab")


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table; None to find them.

    Attributes:
        path: of paths to audio, relative to the table's folder, or of names in a file of features.
        transcript, speaker, split: of texts, names of speakers, and parts.
    """

    path: str | None = None
    transcript: str | None = None
    speaker: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Recordings:
    """N recordings, not read yet.

    Attributes:
        names: what each is called: its path as it was given, or its name in the file of features.
        paths: of the audio, (N,); () where there are features.
        transcripts: what is said in each, None where that is not known.
        speakers: who speaks, (N,); () where that is not known.
        parts: "training", "validation" or "test", (N,); () where that is not said.
        features: the file of features, None for audio.
        name: of the source.
        notes: what was found, a sentence each.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    transcripts: tuple[str | None, ...]
    speakers: tuple[str, ...]
    parts: tuple[str, ...]
    features: FeatureFile | None
    name: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def read_recordings(
    source: Any, columns: Columns = Columns(), *, features: str | Path | None = None, need_transcripts: bool = True
) -> Recordings:
    """Find recordings.

    Args:
        source: a table (CSV, TSV, JSONL, Parquet, or a frame) with a column of paths and one of transcripts, perhaps of
            speakers and of parts too; a folder of audio with text files of the same name; or, where no transcripts are
            needed, audio files, or an `.npz` file of features.
        columns: of the table.
        features: an `.npz` file with an array for each name in the column of paths, in place of audio.
        need_transcripts: whether every recording must have one.

    Raises:
        InputError: the source or a file in it is missing, or a column cannot be told.
    """
    file = None if features is None else FeatureFile(features)
    if isinstance(source, str | Path):
        path, ending = Path(source), str(source).lower()
        if path.is_dir():
            return _from_folder(path, need_transcripts)
        if ending.endswith(".npz"):
            found = FeatureFile(path)
            return _without_transcripts(found.names, (), str(path), need_transcripts, found)
        if ending.endswith(AUDIO_SUFFIXES) or not _is_table(ending):
            source = [path]
    if isinstance(source, list | tuple):
        paths = tuple(Path(item) for item in source if isinstance(item, str | Path))
        if not paths or len(paths) < len(source):
            raise InputError("the list must hold paths of audio files only, at least one")
        name = str(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
        return _without_transcripts([str(path) for path in paths], paths, name, need_transcripts, None)
    from longshort.data.recording_tables import from_table

    return from_table(source, columns, file, need_transcripts)


def _is_table(name: str) -> bool:
    from longshort.data.files import TABLE_SUFFIXES

    return name.endswith(TABLE_SUFFIXES)


def _without_transcripts(
    names: Sequence[str], paths: tuple[Path, ...], name: str, need: bool, features: FeatureFile | None
) -> Recordings:
    if need:
        raise InputError(
            f"{name} has no transcripts: give a table with a column of paths and one of transcripts, or a folder of "
            "audio with a .txt file of the same name beside each"
        )
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file; check the path")
    return Recordings(tuple(names), paths, (None,) * len(names), (), (), features, name)


def _from_folder(folder: Path, need: bool) -> Recordings:
    audio = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))
    if not audio:
        raise InputError(f"{folder}: no audio in this folder; give .wav, .flac or .ogg files")
    texts: list[str | None] = []
    lacking = []
    for path in audio:
        beside = next((b for b in (path.with_suffix(e) for e in TEXT_ENDINGS) if b.is_file()), None)
        text = None if beside is None else decode_utf8(read_file(beside), str(beside)).removeprefix("\ufeff")
        texts.append(text)
        if text is None:
            lacking.append(path)
    notes = []
    if need and len(lacking) == len(audio):
        raise InputError(
            f"{folder}: {len(audio):,} audio files but no text files of the same names (a.wav and a.txt); "
            "write one for each"
        )
    if need and lacking:
        notes.append(f"{folder}: {len(lacking):,} recordings without a text file, {lacking[0]} the first: left out")
    kept = [(path, text) for path, text in zip(audio, texts, strict=True) if text is not None or not need]
    return Recordings(
        names=tuple(str(path.relative_to(folder)) for path, _ in kept),
        paths=tuple(path for path, _ in kept),
        transcripts=tuple(text for _, text in kept),
        speakers=(),
        parts=(),
        features=None,
        name=str(folder),
        notes=tuple(notes),
    )
