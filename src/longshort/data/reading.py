"""From a table to a panel: series on a regular grid, every value checked, nothing filled in silently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.data.columns import Roles, find_roles, list_names
from longshort.data.files import MISSING_WORDS, Table, load
from longshort.data.frequency import Frequency, OffGridError, TimeArray, show_time
from longshort.data.panel import Columns, Panel, Series
from longshort.data.times import Times, read_times
from longshort.errors import InputError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# float32 ends near 3.4e38; squares of standardised values need room below that.
LARGEST = 1e30
# A grid with more steps than this and 100 times more than rows comes from a wrong time, not from gaps.
_MANY_STEPS = 1_000_000


def read_panel(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    time: str | None = None,
    id: str | None = None,
    past: str | Sequence[str] = (),
    known: str | Sequence[str] = (),
    static: str | Sequence[str] = (),
    freq: str | Frequency | None = None,
) -> Panel:
    """Read series from a file or a table: long (an id column), wide (a column per series) or a single one.

    Args:
        source: path to a CSV, TSV or Parquet file; or a Polars, pandas or other eager table.
        target: column to forecast; several make one series each. Found if left out, like `time` and `id`.
        time: column of times.
        id: column that names the series in a long table.
        past: columns of numbers known up to the present only.
        known: columns of numbers known in advance; rows after the last target value hold their future.
        static: columns that are constant in each series, numbers or texts.
        freq: step of the grid, for instance "1h" (see `Frequency.parse`); found if left out.

    Raises:
        InputError: with one line that names the place and says what to do.
    """
    table = load(source)
    roles = find_roles(table, target=target, time=time, id=id, past=past, known=known, static=static)
    if roles.layout == "rows":
        table, roles = _unpivot(table, roles)
    return build_panel(table, roles, freq, need_target=True)


def read_future(source: Any, columns: Columns, frequency: Frequency) -> Panel:
    """Known values of the future, as a panel to extend another with: every series has T = 0 and known values only.

    Args:
        source: as in `read_panel`; needs the time, id and known columns, and no target.
        columns: those of the panel to extend.
        frequency: that of the panel to extend.

    Raises:
        InputError: as in `read_panel`.
    """
    table = load(source)
    wanted = [name for name in (columns.time, columns.id, *columns.known) if name is not None]
    missing = [name for name in wanted if name not in table.frame.columns]
    if missing or columns.time is None or not columns.known:
        raise InputError(f"{table.name}: future values need the columns {wanted}; missing are {missing}")
    part = Columns(time=columns.time, id=columns.id, targets=columns.targets, known=columns.known)
    return build_panel(table, Roles(part, "long" if columns.id else "wide"), frequency, need_target=False)


def _unpivot(table: Table, roles: Roles) -> tuple[Table, Roles]:
    """A table with a row per series as a long one."""
    id, *steps = roles.columns.id, *roles.columns.targets
    assert id is not None
    values = np.stack([read_numbers(table, step) for step in steps], axis=1)
    index = np.arange(table.frame.height).repeat(len(steps))
    long = pl.DataFrame(
        {
            id: table.frame[id].cast(pl.String).gather(index),
            "step": np.tile(np.arange(len(steps)), table.frame.height),
            "y": values.ravel(),
        }
    )
    lines = None if table.lines is None else table.lines[index]
    columns = Columns(time="step", id=id, targets=("y",))
    return Table(long, table.name, lines), Roles(columns, "rows", roles.notes)


def build_panel(table: Table, roles: Roles, freq: str | Frequency | None, need_target: bool = True) -> Panel:
    """The series of a table whose columns are known; `read_panel` says what the frequency may be."""
    columns = roles.columns
    groups = _Groups.of(table, columns)
    times = read_times(table, columns.time) if columns.time else Times(groups.count())
    rows = _Rows.sort(groups.codes, times.values)
    _check_duplicates(table, columns, groups, rows)
    frequency, positions = _positions(table, columns, rows, freq)
    grid = _Grid.lay(table, groups, rows, positions)
    values = _Values(
        targets=grid.spread(table, rows, columns.targets if need_target else ()),
        past=grid.spread(table, rows, columns.past, exogenous=True),
        known=grid.spread(table, rows, columns.known, exogenous=True),
        static=_Static.read(table, columns, groups),
    )
    cut = _cut(grid, values, groups, columns)
    if not cut.series:
        raise InputError(f"{table.name}: all values of {columns.targets[0]!r} are missing; give a column with numbers")
    notes = [*roles.notes, times.note]
    if need_target:
        notes = [
            _describe_roles(roles),
            _describe_times(frequency, roles, rows, freq),
            *notes,
            *cut.describe(),
        ]
    return Panel(tuple(cut.series), frequency, columns, tuple(filter(None, notes)))


# -- rows: whose they are and in which order ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Groups:
    """Which series each row belongs to.

    Attributes:
        names: of the series in ascending order (numbers by size), or one "" without an id column.
        codes: index into `names`, shape (rows,).
    """

    names: tuple[str, ...]
    codes: IntArray

    @classmethod
    def of(cls, table: Table, columns: Columns) -> _Groups:
        if columns.id is None:
            return cls(("",), np.zeros(table.frame.height, np.int64))
        column = table.frame[columns.id]
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        missing = column.is_null().arg_true()
        if len(missing):
            raise InputError(
                f"{table.name}, {table.row(missing[0])}, column {columns.id!r}: the name of the series is missing; "
                "fill it in or delete the row"
            )
        names = column.unique().sort()
        codes = column.rank("dense").cast(pl.Int64).to_numpy() - 1
        return cls(tuple(str(name) for name in names.to_list()), codes)

    def count(self) -> IntArray:
        """For each row, how many rows of its series come before it, shape (rows,)."""
        return pl.Series(self.codes).to_frame("code").select(pl.int_range(pl.len()).over("code")).to_series().to_numpy()


@dataclass(frozen=True)
class _Rows:
    """Rows sorted by series and time: their place in the table, series and time, shape (rows,) each."""

    order: IntArray
    codes: IntArray
    times: TimeArray

    @classmethod
    def sort(cls, codes: IntArray, times: TimeArray) -> _Rows:
        ascending = (np.diff(codes) > 0) | ((np.diff(codes) == 0) & (times[1:] >= times[:-1]))
        order = np.arange(len(codes)) if ascending.all() else np.lexsort((times, codes))
        return cls(order, codes[order], times[order])


def _check_duplicates(table: Table, columns: Columns, groups: _Groups, rows: _Rows) -> None:
    same = (np.diff(rows.codes) == 0) & (rows.times[1:] == rows.times[:-1])
    if not same.any():
        return
    index = int(np.flatnonzero(same)[0])
    one, two = (table.row(int(row)) for row in rows.order[index : index + 2])
    whose = f" for series {groups.names[rows.codes[index]]!r}" if columns.id else ""
    remedy = (
        "keep one of them" if columns.id else "keep one of them, or name the column that tells series apart with --id"
    )
    raise InputError(f"{table.name}, {one} and {two}: both hold {show_time(rows.times[index])}{whose}; {remedy}")


def _positions(table: Table, columns: Columns, rows: _Rows, freq: str | Frequency | None) -> tuple[Frequency, IntArray]:
    """The grid, and where on it the sorted rows lie."""
    try:
        if freq is None:
            frequency = Frequency.infer(rows.times, rows.codes)
        elif isinstance(freq, str):
            frequency = Frequency.parse(freq).anchored(rows.times)
        else:
            frequency = freq
        return frequency, frequency.positions(rows.times)
    except OffGridError as error:
        row = table.row(int(rows.order[error.index]))
        raise InputError(f"{table.name}, {row}, column {columns.time!r}: {error}") from error


# -- the grid ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """All series one after the other, each with all its steps from its first row to its last.

    Attributes:
        begin: where each series begins in that sequence, shape (series,).
        start: position of that step in the frequency's count, shape (series,).
        place: where each sorted row lies in the sequence, shape (rows,).
        steps: length of the sequence.
    """

    begin: IntArray
    start: IntArray
    place: IntArray
    steps: int

    @classmethod
    def lay(cls, table: Table, groups: _Groups, rows: _Rows, positions: IntArray) -> _Grid:
        first = np.flatnonzero(np.diff(rows.codes, prepend=-1))
        last = np.append(first[1:], len(rows.codes)) - 1
        start = positions[first]
        lengths = positions[last] - start + 1
        total = int(lengths.sum())
        if total > max(_MANY_STEPS, 100 * len(positions)):
            worst = int(np.argmax(np.diff(positions) * (np.diff(rows.codes) == 0)))
            raise InputError(
                f"{table.name}, {table.row(int(rows.order[worst + 1]))}: {show_time(rows.times[worst + 1])} comes "
                f"{positions[worst + 1] - positions[worst]} steps after {show_time(rows.times[worst])}; correct the "
                "time, or give a coarser --freq"
            )
        begin = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        return cls(begin, start, positions + (begin - start)[rows.codes], total)

    def spread(self, table: Table, rows: _Rows, names: Sequence[str], exogenous: bool = False) -> FloatArray:
        """Columns on the grid, NaN where there is no row, shape (columns, steps)."""
        values = np.full((len(names), self.steps), np.nan)
        for line, name in zip(values, names, strict=True):
            line[self.place] = read_numbers(table, name, exogenous)[rows.order]
        return values

    def first(self, valid: NDArray[np.bool_]) -> IntArray:
        """The first valid step of each series in the sequence, or its length; `valid` has shape (steps,)."""
        return np.minimum.reduceat(np.where(valid, np.arange(self.steps), self.steps), self.begin)

    def last(self, valid: NDArray[np.bool_]) -> IntArray:
        """The last valid step of each series in the sequence, or -1."""
        return np.maximum.reduceat(np.where(valid, np.arange(self.steps), -1), self.begin)


@dataclass(frozen=True)
class _Static:
    """Static columns: per series an array of numbers and a tuple of texts."""

    numbers: FloatArray
    categories: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, table: Table, columns: Columns, groups: _Groups) -> _Static:
        numbers = [
            _constant(table, groups, name, pl.Series(read_numbers(table, name, True)).fill_nan(None))
            for name in columns.static_numeric
        ]
        texts = [
            _constant(table, groups, name, table.frame[name].cast(pl.String)).fill_null("").to_list()
            for name in columns.static_categories
        ]
        size = len(groups.names)
        stacked = [column.cast(pl.Float64).fill_null(np.nan).to_numpy() for column in numbers]
        return cls(
            np.stack(stacked, axis=1) if stacked else np.zeros((size, 0)),
            tuple(zip(*texts, strict=True)) if texts else ((),) * size,
        )


def _constant(table: Table, groups: _Groups, name: str, values: pl.Series) -> pl.Series:
    """The one value of a static column in each series, null where it has none."""
    frame = pl.DataFrame({"code": groups.codes, "value": values, "row": np.arange(len(values))})
    value = pl.col("value").drop_nulls()
    found = frame.group_by("code").agg(value.first(), kinds=value.n_unique()).sort("code")
    if (found["kinds"] > 1).any():
        code = found.filter(pl.col("kinds") > 1)["code"][0]
        one, two = (
            frame.filter(pl.col("code") == code)
            .drop_nulls()
            .unique("value", keep="first", maintain_order=True)
            .head(2)
            .rows()
        )
        whose = f" in series {groups.names[code]!r}" if groups.names[code] else ""
        raise InputError(
            f"{table.name}, {table.row(two[2])}, column {name!r}: {two[1]!r} after {one[1]!r}{whose}, but a static "
            "column is constant in a series; give it with --past or --known instead"
        )
    return found["value"]


# -- series ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Values:
    """All values on the grid: targets, past and known of shape (columns, steps), static per series."""

    targets: FloatArray
    past: FloatArray
    known: FloatArray
    static: _Static


@dataclass
class _Cut:
    """The series and what was met while cutting them out of the grid."""

    series: list[Series] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    missing: int = 0

    def describe(self) -> list[str]:
        """Findings, a sentence each."""
        lengths = sorted(len(series) for series in self.series)
        notes = []
        if len(lengths) == 1:
            notes.append(f"1 series of {_count(lengths[0], 'step')}")
        elif lengths[0] == lengths[-1]:
            notes.append(f"{len(lengths)} series of {_count(lengths[0], 'step')} each")
        else:
            median = lengths[len(lengths) // 2]
            notes.append(f"{len(lengths)} series of {lengths[0]} to {lengths[-1]} steps, median {median}")
        if self.missing:
            share = 100 * self.missing / sum(lengths)
            notes.append(
                f"{_count(self.missing, 'step')} ({share:.2g} %) have no value; they are masked, not filled in"
            )
        if self.empty:
            notes.append(f"left out because all their values are missing: {list_names(self.empty)}")
        if self.constant:
            notes.append(f"constant, so there is nothing to learn in: {list_names(self.constant)}")
        ahead = [len(series.known) - len(series) for series in self.series]
        if any(ahead):
            notes.append(f"known values reach up to {_count(max(ahead), 'step')} beyond the last target value")
        return notes


def _cut(grid: _Grid, values: _Values, groups: _Groups, columns: Columns) -> _Cut:
    """The series without the missing values around them; known values may reach further."""
    cut = _Cut()
    known_end = grid.begin
    if len(values.known):
        ahead: NDArray[np.bool_] = np.any(~np.isnan(values.known), axis=0)
        known_end = grid.last(ahead) + 1
    for target, name in enumerate(columns.targets or ("",)):
        if len(values.targets):
            y = values.targets[target]
            valid = ~np.isnan(y)
            begins, ends = grid.first(valid), grid.last(valid) + 1
            counts = np.add.reduceat(valid, grid.begin, dtype=np.int64)
            constant = np.fmin.reduceat(y, grid.begin) == np.fmax.reduceat(y, grid.begin)
        else:  # known values only
            y = np.empty(0)
            begins = ends = grid.begin
            counts, constant = np.ones(len(begins), np.int64), np.zeros(len(begins), bool)
        for group, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            id = groups.names[group] if columns.id is not None else name
            if not counts[group]:
                cut.empty.append(id)
                continue
            cut.missing += max(end - begin - int(counts[group]), 0)
            if constant[group] and end - begin > 1:
                cut.constant.append(id)
            cut.series.append(
                Series(
                    id=id,
                    start=int(grid.start[group] + begin - grid.begin[group]),
                    y=y[begin:end].copy(),
                    past=values.past[:, begin:end].T.copy(),
                    known=values.known[:, begin : max(end, int(known_end[group]))].T.copy(),
                    static_numeric=values.static.numbers[group],
                    static_categories=values.static.categories[group],
                )
            )
    return cut


# -- cells -------------------------------------------------------------------------------------------------------------


def read_numbers(table: Table, name: str, exogenous: bool = False) -> FloatArray:
    """A column as numbers, NaN where missing, shape (rows,); true and false are 1 and 0 in an exogenous one.

    Raises:
        InputError: a cell is not a number, infinite, or too large.
    """
    column = table.frame[name]
    if column.dtype == pl.String or column.dtype in (pl.Categorical, pl.Enum):
        values = _from_texts(table, column.cast(pl.String), exogenous)
    elif column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    else:
        raise InputError(f"{table.name}: column {name!r} holds {column.dtype}, not numbers; convert it to numbers")
    too_large = np.flatnonzero(np.abs(values) > LARGEST)
    if len(too_large):
        row = int(too_large[0])
        place = f"{table.name}, {table.row(row)}, column {name!r}"
        if np.isinf(values[row]):
            raise InputError(f"{place}: the value is infinite; correct it, or leave the cell empty if it is missing")
        raise InputError(
            f"{place}: {values[row]:g} is too large for float32; rescale the column (largest is {LARGEST:g})"
        )
    return values


def _from_texts(table: Table, column: pl.Series, exogenous: bool) -> FloatArray:
    texts = column.str.strip_chars().str.to_lowercase()
    texts = texts.set(texts.is_in(MISSING_WORDS), None)
    if exogenous:
        texts = texts.replace({"true": "1", "false": "0"})
    numbers = texts.cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() & texts.is_not_null()).arg_true()
    if len(wrong):
        row = wrong[0]
        remedy = "correct it, or leave the cell empty if the value is missing"
        if re.fullmatch(r"[-+]?\d+,\d+", column[row].strip()):
            remedy = "write numbers with a decimal point and no thousands separators"
        elif exogenous:
            remedy = "encode the column as numbers, or give it with --static if it is constant in each series"
        raise InputError(
            f"{table.name}, {table.row(row)}, column {column.name!r}: {column[row]!r} is not a number; {remedy}"
        )
    return numbers.fill_null(np.nan).to_numpy()


# -- words -------------------------------------------------------------------------------------------------------------


def _describe_roles(roles: Roles) -> str:
    columns = roles.columns
    if roles.layout == "rows":
        return ""
    if roles.layout == "long":
        return f"long table: series in {columns.id!r}, values in {columns.targets[0]!r}"
    if roles.layout == "wide":
        return f"wide table: a series in each of the columns {list_names(columns.targets)}"
    return f"one series, in column {columns.targets[0]!r}"


def _describe_times(frequency: Frequency, roles: Roles, rows: _Rows, freq: str | Frequency | None) -> str:
    if roles.columns.time is None:
        return "no time column, so the rows are counted as steps 0, 1, 2, …"
    if roles.layout == "rows":
        return "the columns are counted as steps 0, 1, 2, …"
    found = "as given" if freq is not None else f"found from column {roles.columns.time!r}"
    ordered = (np.diff(rows.order) > 0) | (np.diff(rows.codes) > 0)
    shuffled = "" if ordered.all() else "; the rows were not in order of time and were sorted"
    first, last = show_time(rows.times.min()), show_time(rows.times.max())
    return f"{frequency.name}, {found}: {first} to {last}{shuffled}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
