"""Labelled examples for a classifier: texts, or sequences of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.data.columns import is_number, list_names
from longshort.data.examples import Sequences, Texts
from longshort.data.files import Table, clean_text, read_bytes, typed
from longshort.data.labelled_roles import KNOWN_NAMES, LabelledRoles, find_labelled_roles
from longshort.data.reading import read_numbers
from longshort.data.times import read_times
from longshort.data.ts_file import parse_ts
from longshort.data.written import load_written
from longshort.errors import InputError

_TS_SUFFIXES = (".ts", ".ts.gz")


def read_labelled(
    source: Any,
    *,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    step: str | None = None,
    channels: str | Sequence[str] | None = None,
    need_labels: bool = True,
) -> Texts | Sequences:
    """Read labelled texts, or labelled sequences of numbers, from a file or a table.

    A table with a column of texts gives `Texts`; a long table of numbers, a row for each step of each sequence, and a
    `.ts` file give `Sequences`. Labels are always texts: 1, 1.0 (in a column of numbers) and "1" are the same.

    Args:
        source: path to a CSV, TSV, JSONL, Parquet or `.ts` file; or a Polars, pandas or other eager table.
        text: column of texts. Found if left out, like all that follow.
        label: column of labels.
        id: column that names the sequence of each row.
        step: column that orders the rows of a sequence, numbers or times; without one the rows' own order counts.
        channels: columns of numbers.
        need_labels: whether every example must have a label, and there must be two classes. If not, labels are read
            where all are there.

    Raises:
        InputError: with one line that names the place and says what to do.
    """
    if isinstance(source, str | Path) and str(source).lower().endswith(_TS_SUFFIXES):
        if any((text, label, id, step, channels)):
            raise InputError(f"{source}: a .ts file has no columns to choose; leave out text=, label=, id=, …")
        return _from_ts(Path(source), need_labels)
    table, has_header = load_written(source, KNOWN_NAMES)
    table = replace(table, frame=table.frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)))
    roles = find_labelled_roles(
        table, text=text, label=label, id=id, step=step, channels=channels, need_labels=need_labels
    )
    notes = [] if has_header else ["the file has no header line, so its columns are called by number"]
    return _texts(table, roles, notes, need_labels) if roles.text else _sequences(table, roles, notes, need_labels)


def _texts(table: Table, roles: LabelledRoles, notes: list[str], need_labels: bool) -> Texts:
    assert roles.text is not None
    texts = [text.strip() for text in _as_texts(table.frame[roles.text])]
    places = tuple(table.row(index) for index in range(len(texts)))
    labels = None
    if roles.label is not None:
        labels = _labels(
            [label.strip() for label in _as_texts(table.frame[roles.label])],
            [f"{table.name}, {place}" for place in places],
            f"{table.name}: all {len(texts)} labels in column {roles.label!r} are",
            notes,
            need_labels,
        )
    notes.insert(0, f"texts in column {roles.text!r}" + (f", labels in column {roles.label!r}" if labels else ""))
    empty = texts.count("")
    if empty:
        notes.append(f"{_count(empty, 'text')} of {len(texts)} {'is' if empty == 1 else 'are'} empty")
    return Texts(tuple(texts), labels, table.name, places, (*notes, *_unused(roles)))


def _sequences(table: Table, roles: LabelledRoles, notes: list[str], need_labels: bool) -> Sequences:
    assert roles.id is not None
    table = replace(table, frame=table.frame.with_columns(typed(table.frame[name]) for name in _written(table, roles)))
    names = [name.strip() for name in _as_texts(table.frame[roles.id])]
    for index, name in enumerate(names):
        if not name:
            raise InputError(
                f"{table.name}, {table.row(index)}, column {roles.id!r}: the name of the sequence is missing; fill it "
                "in or delete the row"
            )
    ids = tuple(dict.fromkeys(names))
    number = {name: index for index, name in enumerate(ids)}
    codes = np.array([number[name] for name in names])
    order = _order(table, roles, codes, ids)
    values = np.stack([read_numbers(table, channel) for channel in roles.channels], axis=1).astype(np.float32)
    cuts = np.cumsum(np.bincount(codes))[:-1]
    rows = np.split(order, cuts)
    labels = None
    if roles.label is not None:
        labels = _labels(
            _label_of_each(table, roles.label, rows, ids),
            [f"{table.name}, {table.row(int(part.min()))}" for part in rows],
            f"{table.name}: all {len(ids)} sequences in column {roles.label!r} are labelled",
            notes,
            need_labels,
        )
    notes.insert(0, _describe(roles, len(ids)) + (f", labels in column {roles.label!r}" if labels else ""))
    _note_missing(notes, values)
    return Sequences(
        tuple(values[part] for part in rows), labels, roles.channels, ids, table.name, (*notes, *_unused(roles))
    )


def _from_ts(path: Path, need_labels: bool) -> Sequences:
    name = str(path)
    cases = parse_ts(clean_text(read_bytes(path, _TS_SUFFIXES), name).decode(), name)
    notes = [f"{_count(len(cases.values), 'sequence')} of {_count(cases.values[0].shape[1], 'channel')}"]
    if cases.labels is None and need_labels:
        raise InputError(f"{name}: the file has no labels; give one with a line @classLabel true and the classes")
    labels = None
    if cases.labels is not None:
        places = [f"{name}, line {line}" for line in cases.lines]
        all_are = f"{name}: all {len(places)} sequences are labelled"
        labels = _labels(list(cases.labels), places, all_are, notes, need_labels)
    _note_missing(notes, np.concatenate(cases.values))
    channels = tuple(f"channel {index + 1}" for index in range(cases.values[0].shape[1]))
    ids = tuple(str(index + 1) for index in range(len(cases.values)))
    return Sequences(cases.values, labels, channels, ids, name, tuple(notes))


# -- labels ------------------------------------------------------------------------------------------------------------


def _labels(
    labels: list[str], places: Sequence[str], all_are: str, notes: list[str], need_labels: bool
) -> tuple[str, ...] | None:
    """The labels if there is one for each; notes their classes."""
    missing = labels.count("")
    if missing and need_labels:
        raise InputError(f"{places[labels.index('')]}: the label is missing; fill it in or delete the example")
    if missing:
        notes.append(
            f"{_count(missing, 'label')} of {len(labels)} {'is' if missing == 1 else 'are'} missing, so none is read"
        )
        return None
    counts = Counter(labels)
    if len(counts) == 1 and need_labels:
        raise InputError(f"{all_are} {labels[0]!r}; a classifier needs examples of two classes or more")
    most = counts.most_common()
    shown = ", ".join(f"{label!r} ({count})" for label, count in most[:8])
    notes.append(f"{len(counts)} classes: {shown}" + (f" and {len(most) - 8} more" if len(most) > 8 else ""))
    return tuple(labels)


def _label_of_each(table: Table, label: str, rows: Sequence[NDArray[np.int64]], ids: Sequence[str]) -> list[str]:
    """The label of each sequence, "" where all its rows lack one."""
    cells = [cell.strip() for cell in _as_texts(table.frame[label])]
    labels = []
    for part, id in zip(rows, ids, strict=True):
        first, *others = sorted(int(index) for index in part)
        labels.append(cells[first])
        for other in others:
            if cells[other] != cells[first]:
                raise InputError(
                    f"{table.name}, {table.row(other)}, column {label!r}: {cells[other] or 'no label'!r} after "
                    f"{cells[first] or 'no label'!r} in sequence {id!r}; a sequence has one label, write it in each row"
                )
    return labels


# -- rows of sequences -------------------------------------------------------------------------------------------------


def _written(table: Table, roles: LabelledRoles) -> list[str]:
    """Channels and steps that still are texts."""
    columns = [*roles.channels, *([roles.step] if roles.step else [])]
    return [name for name in columns if table.frame[name].dtype == pl.String]


def _order(table: Table, roles: LabelledRoles, codes: NDArray[np.int64], ids: Sequence[str]) -> NDArray[np.int64]:
    """Rows by sequence and step, shape (rows,)."""
    if roles.step is None:
        order = np.argsort(codes, kind="stable")
        apart = np.flatnonzero((np.diff(order) != 1) & (np.diff(codes[order]) == 0))
        if len(apart):
            before, after = (int(order[apart[0] + k]) for k in (0, 1))
            raise InputError(
                f"{table.name}, {table.row(before)} and {table.row(after)}: rows of sequence {ids[codes[before]]!r} "
                "with others in between; add a column of steps (step=), or give each sequence a name of its own"
            )
        return order
    steps = _read_steps(table, roles.step)
    order = np.lexsort((steps, codes))
    same = np.flatnonzero((np.diff(codes[order]) == 0) & (steps[order][1:] == steps[order][:-1]))
    if len(same):
        first, second = sorted(int(order[same[0] + k]) for k in (0, 1))
        cell = table.frame[roles.step][first]
        raise InputError(
            f"{table.name}, {table.row(first)} and {table.row(second)}: both hold step {cell} of sequence "
            f"{ids[codes[first]]!r}; keep one of them"
        )
    return order


def _read_steps(table: Table, name: str) -> NDArray[Any]:
    if not is_number(table.frame[name]):
        return read_times(table, name).values
    steps = read_numbers(table, name)
    missing = np.flatnonzero(np.isnan(steps))
    if len(missing):
        raise InputError(
            f"{table.name}, {table.row(int(missing[0]))}, column {name!r}: the step is missing; fill it in or delete "
            "the row"
        )
    return steps


# -- words -------------------------------------------------------------------------------------------------------------


def _as_texts(column: pl.Series) -> list[str]:
    """Cells as texts, "" where missing; whole numbers without a decimal point."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (column.drop_nulls() % 1 == 0).all():
            column = column.cast(pl.Int64, strict=False)
    return ["" if cell is None else str(cell) for cell in column.to_list()]


def _describe(roles: LabelledRoles, count: int) -> str:
    order = f"in the order of {roles.step!r}" if roles.step else "in the order of the rows"
    return f"{_count(count, 'sequence')} named by {roles.id!r}, {order}, channels {list_names(roles.channels)}"


def _note_missing(notes: list[str], values: NDArray[np.float32]) -> None:
    missing = int(np.isnan(values).sum())
    if missing:
        notes.append(f"{_count(missing, 'value')} of {values.size} {'is' if missing == 1 else 'are'} missing")


def _unused(roles: LabelledRoles) -> tuple[str, ...]:
    return (f"columns not used: {list_names(roles.unused)}",) if roles.unused else ()


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
