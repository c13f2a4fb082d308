"""Pairs of texts, such as a sentence and its translation, or a document and its summaries."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort.data.cleaning import clean
from longshort.data.encoding import decode_utf8, read_file
from longshort.data.files import PARQUET_SUFFIXES, TEXT_SUFFIXES, Table, load
from longshort.data.jsonl import JSONL_SUFFIXES
from longshort.data.written import load_written
from longshort.errors import InputError

SOURCE_NAMES = ("source", "src", "document", "article", "text", "body", "content", "input")
TARGET_NAMES = ("target", "tgt", "translation", "summary", "subject", "headline", "title", "abstract", "output")
REFERENCE_NAMES = ("references", "summaries", "targets", "translations")
KNOWN_NAMES = (*SOURCE_NAMES, *TARGET_NAMES, *REFERENCE_NAMES)
# In files with fewer lines their lengths do not tell where two part.
TELLING = 30
# Files that hold a table; any other holds a text on each line.
TABLES = tuple(suffix for suffix in TEXT_SUFFIXES if ".txt" not in suffix) + PARQUET_SUFFIXES + JSONL_SUFFIXES


@dataclass(frozen=True)
class Pairs:
    """N sources and their targets.

    Attributes:
        sources: a text each, clean (see `clean`).
        references: of each its targets, one or more, () where none is known.
        name: the path as it was given, or "the table".
        notes: what was left out or found, a sentence each.
    """

    sources: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    name: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def fingerprint(self) -> dict[str, str | int]:
        """What config.json keeps of the data: a SHA-256 of all texts in their order, and the number of pairs."""
        digest = hashlib.sha256()
        for source, references in zip(self.sources, self.references, strict=True):
            for text in (source, *references):
                data = text.encode("utf-8")
                digest.update(len(data).to_bytes(8, "little") + data)
            digest.update(b"/")
        return {"sha256": digest.hexdigest(), "pairs": len(self)}


def read_pairs(
    source: Any, *, columns: Sequence[str | None] = (None, None), longest_ratio: float | None = None
) -> Pairs:
    """Read pairs from two aligned files, or from a table.

    Of two files each line of the first belongs to the same line of the second. A table (CSV, TSV, JSONL, Parquet, or a
    frame) has a column of sources and one of targets, and perhaps one of references: lists, or JSON lists, of several
    targets each. Pairs of which one side is empty are left out with a note.

    Args:
        source: paths of two files, the path of a table, a table, a list of pairs of texts, or `Pairs`.
        columns: names of the columns of sources and targets; None to find them by name, or as the only two of texts.
        longest_ratio: pairs of which one side has more than so many times the characters of the other are left out.

    Raises:
        InputError: a file is missing or damaged, the files have different numbers of lines, a column cannot be told,
            or nothing is left.
    """
    if isinstance(source, Pairs):
        return source
    if _is_texts(source):
        found = [tuple(pair) for pair in source]
        if any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in found):
            raise InputError("the list does not hold pairs of texts only; give (source, target) each")
        return _checked([s for s, _ in found], [(t,) for _, t in found], "the list", longest_ratio)
    if isinstance(source, list | tuple):
        if len(source) == 1:
            return read_pairs(source[0], columns=columns, longest_ratio=longest_ratio)
        if len(source) != 2:
            raise InputError(f"{len(source)} files are given; give two aligned ones, or one table")
        first, second = (_lines(path) for path in source)
        name = f"{source[0]} and {source[1]}"
        if len(first) != len(second):
            raise InputError(_parted(first, second, *source))
        return _checked(first, [(text,) for text in second], name, longest_ratio)
    if isinstance(source, str | Path) and not str(source).lower().endswith(TABLES):
        raise InputError(
            f"{source}: one file of lines has no targets; give a second one that is aligned with it, or a table "
            "(.csv, .tsv, .jsonl or .parquet)"
        )
    table = _table(source)
    read, written, several = _roles(table, columns)
    sources = _texts(table, read)
    if written is None and several is None:
        raise InputError(f"{table.name}: cannot tell the targets among the columns {_names(table)}; name both columns")
    targets = _texts(table, written) if written else [""] * len(sources)
    lists = _lists(table, several) if several else [()] * len(sources)
    references = [_distinct((target, *more)) for target, more in zip(targets, lists, strict=True)]
    return _checked(sources, references, table.name, longest_ratio)


def read_texts(source: Any, column: str | None) -> tuple[Sequence[str], str]:
    """Sources alone, as they stand, and what to call them: what `longshort.data.sources` does not read itself."""
    if isinstance(source, Pairs):
        return source.sources, source.name
    if isinstance(source, str | Path) and not str(source).lower().endswith(TABLES):
        return _lines(source), str(source)
    table = _table(source)
    return _texts(table, _roles(table, (column, None))[0]), table.name


def _is_texts(source: Any) -> bool:
    """Whether it is a list of pairs rather than of files."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(pair, list | tuple) for pair in source)


def _lines(path: Any) -> list[str]:
    if not isinstance(path, str | Path):
        raise InputError(f"a file of lines is needed, not a {type(path).__name__}; give a path")
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    text = decode_utf8(read_file(Path(path)), str(path)).removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        raise InputError(f"{path}: the file is empty; give a text on each line")
    return text.removesuffix("\n").split("\n")


def _parted(first: list[str], second: list[str], one: Any, other: Any) -> str:
    text = (
        f"{one} has {len(first):,} lines, {other} has {len(second):,}: line for line they must belong together; "
        "add or remove lines"
    )
    place = parting(first, second)
    return text if place is None else f"{text} (they seem to part at line {place + 1:,})"


def parting(first: Sequence[str], second: Sequence[str]) -> int | None:
    """The line, from 0, from which on two files do not belong together; None where that cannot be told.

    Lines that belong together have lengths of a steady ratio. If some lines in a row are missing in one file, the
    lengths fit best when the other one is read so many lines further on from that place.
    """
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    extra, count = len(longer) - len(shorter), len(shorter)
    if count < TELLING or not extra:
        return None
    a, b = (np.log1p([len(line.strip()) for line in lines]) for lines in (longer, shorter))
    ratio = np.median(a) - np.median(b)
    straight, shifted = np.abs(a[:count] - b - ratio), np.abs(a[extra:] - b - ratio)
    before = np.concatenate(([0.0], np.cumsum(straight)))
    after = np.concatenate((np.cumsum(shifted[::-1])[::-1], [0.0]))
    cost = before + after
    place = int(cost.argmin())
    # A place that explains the lengths no better than chance says nothing.
    return place if cost[place] < 0.8 * np.median(cost) else None


def _checked(
    sources: Sequence[str], references: Sequence[Sequence[str]], name: str, longest_ratio: float | None
) -> Pairs:
    """Clean, and leave out what cannot be learnt from."""
    kept, notes, odd = [], list[str](), 0
    empty = one_sided = unlike = 0
    for source, targets in zip(sources, references, strict=True):
        read, written = clean(source), _distinct(clean(text) for text in targets)
        odd += read != " ".join(source.split()) or any(clean(t) != " ".join(t.split()) for t in targets)
        if not read and not written:
            empty += 1
        elif not read or not written:
            one_sided += 1
        elif longest_ratio and not 1 / longest_ratio <= len(read) / len(written[0]) <= longest_ratio:
            unlike += 1
        else:
            kept.append((read, written))
    for count, what in (
        (empty, "empty on both sides"),
        (one_sided, "empty on one side"),
        (unlike, f"with one side more than {longest_ratio:g} times as long as the other" if longest_ratio else ""),
    ):
        if count:
            notes.append(f"{name}: {count:,} {'pair' if count == 1 else 'pairs'} {what}: left out")
    if odd:
        notes.append(f"{name}: control characters in {odd:,} {'pair' if odd == 1 else 'pairs'}: left out of the text")
    if not kept:
        raise InputError(f"{name}: no pair with something on both sides; give texts and their targets")
    return Pairs(tuple(s for s, _ in kept), tuple(r for _, r in kept), name, tuple(notes))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def _table(source: Any) -> Table:
    if not (isinstance(source, str | Path) and str(source).lower().endswith(TEXT_SUFFIXES)):
        return load(source)
    table, has_header = load_written(source, KNOWN_NAMES)
    header = table.frame.columns
    if not has_header or {name.lower() for name in header} & set(KNOWN_NAMES) or not any(map(_is_sentence, header)):
        return table
    # What stands in the first line are texts, not names.
    first = pl.DataFrame({f"column {k}": [name] for k, name in enumerate(header, 1)})
    rows = table.frame.rename(dict(zip(header, first.columns, strict=True)))
    lines = None if table.lines is None else np.concatenate((table.lines[:1] - 1, table.lines))
    return Table(pl.concat([first, rows]), table.name, lines)


def _is_sentence(name: str) -> bool:
    return len(name.split()) > 3 or name.rstrip()[-1:] in (".", "!", "?", "…")


def _roles(table: Table, columns: Sequence[str | None]) -> tuple[str, str | None, str | None]:
    """The columns of sources, targets and references."""
    read, written = columns
    for column in columns:
        if column is not None and column not in table.frame.columns:
            raise InputError(f"{table.name}: there is no column {column!r}; the columns are {_names(table)}")
    free = [name for name in table.frame.columns if name not in columns]

    def called(names: Sequence[str]) -> str | None:
        return next((column for name in names for column in free if column.strip().lower() == name), None)

    if read is None:
        read = called(SOURCE_NAMES)
        free = [name for name in free if name != read]
    if written is None:
        written = called(TARGET_NAMES)
        free = [name for name in free if name != written]
    several = called(REFERENCE_NAMES)
    texts = [name for name in free if name != several and table.frame[name].dtype == pl.String]
    if read is None and written is None and len(texts) == 2:
        read, written = texts
    elif read is None and texts:
        longest = max(texts, key=lambda name: float(table.frame[name].str.len_chars().mean() or 0))  # type: ignore[arg-type]
        read = longest
    elif written is None and several is None and len(texts) == 1:
        written = texts[0]
    if read is None:
        raise InputError(f"{table.name}: cannot tell the sources among the columns {_names(table)}; name both columns")
    return read, written, several


def _texts(table: Table, column: str) -> list[str]:
    return ["" if value is None else str(value) for value in table.frame[column].to_list()]


def _lists(table: Table, column: str) -> list[tuple[str, ...]]:
    result = []
    for place, value in enumerate(table.frame[column].to_list()):
        items = value
        if isinstance(value, str):
            try:
                items = json.loads(value) if re.match(r"\s*\[", value) else [value]
            except ValueError:
                items = [value]
        if items is not None and not all(isinstance(item, str) for item in items):
            raise InputError(f"{table.name}, {table.row(place)}: {column!r} must be a list of texts; correct it")
        result.append(tuple(items or ()))
    return result


def _names(table: Table) -> str:
    return ", ".join(map(repr, table.frame.columns))
