"""A table from a file or from another library's frame, with the place of every row for error messages."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.artifact import write_atomically
from longshort.data.encoding import BOM, decode_utf8, read_file
from longshort.data.jsonl import JSONL_SUFFIXES, objects
from longshort.errors import InputError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES, *JSONL_SUFFIXES)
# What stands for "no value" in a table of texts, in lower case.
MISSING_WORDS = ("", "na", "n/a", "nan", "nat", "null", "none", "-")


@dataclass(frozen=True)
class Table:
    """A table and how to speak of it.

    Attributes:
        frame: the columns.
        name: the path as it was given, or "the table".
        lines: for text files, the line (1-based, the header is line 1) that each row begins on, shape (rows,).
        before: rows of the file that come before these.
    """

    frame: pl.DataFrame
    name: str
    lines: NDArray[np.int64] | None = None
    before: int = 0

    def row(self, index: int) -> str:
        """A row's place in words: "line 17" of a text file, "row 17" of other tables, both counted from 1."""
        return f"line {self.lines[index]}" if self.lines is not None else f"row {self.before + index + 1}"


def read_table(source: Any) -> pl.DataFrame:
    """A Polars table from a path to a CSV, TSV, JSONL or Parquet file, or from a Polars, pandas or other eager frame.

    The delimiter of a text file is found among comma, semicolon, tab and bar; columns of numbers become numbers, all
    others stay text. A pandas index of times becomes a column.

    Raises:
        InputError: the file cannot be read, is empty, or its rows do not fit its header.
    """
    return load(source).frame


def load(source: Any) -> Table:
    """`read_table` with the name of the source and the lines of the file."""
    if isinstance(source, str | Path):
        return _from_file(Path(source))
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.Series):
        source = source.to_frame()
    table = Table(source if isinstance(source, pl.DataFrame) else _from_other(source), "the table")
    objects = [_to_text(column) for column in table.frame if column.dtype == pl.Object]
    table = Table(table.frame.with_columns(objects), table.name)
    if table.frame.width == 0 or table.frame.height == 0:
        raise InputError("the table has no rows; give a table with at least one row")
    return table


def read_bytes(path: Path, suffixes: Sequence[str]) -> bytes:
    """What a file holds, decompressed if it ends in ".gz".

    Args:
        path: the file.
        suffixes: the endings that are known.

    Raises:
        InputError: the file is not there, ends otherwise, or cannot be read.
    """
    name = path.name.lower()
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check the path")
    if path.is_dir():
        raise InputError(f"{path} is a directory; give the path of a CSV or Parquet file")
    if not name.endswith(tuple(suffixes)):
        raise InputError(
            f"{path}: files ending in {path.suffix or 'nothing'!r} cannot be read; save the table as .csv, .tsv, "
            ".csv.gz or .parquet"
        )
    return read_file(path)


def _from_file(path: Path) -> Table:
    data, name = read_bytes(path, TABLE_SUFFIXES), path.name.lower()
    if name.endswith(PARQUET_SUFFIXES):
        return _from_parquet(data, str(path))
    if name.endswith(JSONL_SUFFIXES):
        return _from_jsonl(data, str(path))
    return _from_text(data, str(path))


def _from_parquet(data: bytes, name: str) -> Table:
    if not data:
        raise InputError(f"{name}: the file is empty; give a table with a header and rows")
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except Exception as error:  # Polars raises several kinds, a panic among them, on corrupt files
        raise InputError(f"{name}: not a whole Parquet file (truncated or corrupt); write or fetch it again") from error
    if frame.height == 0 or frame.width == 0:
        raise InputError(f"{name}: the table has no rows; give a table with at least one row")
    return Table(frame, name)


# -- text files ------------------------------------------------------------------------------------------------------


def clean_text(data: bytes, name: str) -> bytes:
    """The UTF-8 text of a file without a byte order mark.

    Raises:
        InputError: it is not UTF-8, holds a zero byte, or is empty.
    """
    decode_utf8(data, name)
    data = data.removeprefix(BOM)
    if b"\n" not in data:  # line ends of old spreadsheets
        data = data.replace(b"\r", b"\n")
    if not data.strip():
        raise InputError(f"{name}: the file is empty; give a table with a header and rows")
    return data


def _from_text(data: bytes, name: str) -> Table:
    data = clean_text(data, name)
    delimiter = find_delimiter(data)
    records = Records.split(data, delimiter)
    header = _header(records, delimiter, name)
    if len(records) == 1:
        raise InputError(f"{name}: there is a header (line {records.lines[0]}) but no row; give at least one row")
    _check_widths(records, len(header), delimiter, name)
    body = io.BytesIO(records.data[records.begins[1] :])
    schema = dict.fromkeys(header, pl.String)
    try:
        frame = pl.read_csv(body, has_header=False, schema=schema, separator=delimiter)
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if frame.height != len(records) - 1:
        raise InputError(f'{name}: the rows cannot be told apart; check that every quote (") is closed')
    return Table(frame.select(typed(column) for column in frame), name, records.lines[1:])


@dataclass(frozen=True)
class Records:
    """A text file cut into records, a line each unless a quoted text spans several; blank ones are left out.

    Attributes:
        data: the text, UTF-8.
        begins: offset of each record, shape (records,).
        lines: line of the file, 1-based, that each begins on, shape (records,).
        widths: how many fields each has, shape (records,).
    """

    data: bytes
    begins: NDArray[np.int64]
    lines: NDArray[np.int64]
    widths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.begins)

    def fields(self, index: int, delimiter: str) -> list[str]:
        """The texts of one record."""
        end = self.begins[index + 1] if index + 1 < len(self) else len(self.data)
        text = self.data[self.begins[index] : end].decode("utf-8")
        limit = csv.field_size_limit()
        if len(text) < limit:
            return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        csv.field_size_limit(len(text) + 1)
        try:
            return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        finally:
            csv.field_size_limit(limit)

    @classmethod
    def split(cls, data: bytes, delimiter: str) -> Records:
        """Cut a text that is not blank."""
        if not data.endswith(b"\n"):
            data += b"\n"
        letters = np.frombuffer(data, np.uint8)
        ends, fields = letters == ord("\n"), letters == ord(delimiter)
        lines = np.flatnonzero(ends) + 1
        if b'"' in data:  # between an odd and an even quote all is text; a doubled quote leaves that as it was
            outside = (np.cumsum(letters == ord('"'), dtype=np.uint8) & 1) == 0
            ends, fields = ends & outside, fields & outside
        stops = np.flatnonzero(ends) + 1
        if not len(stops) or stops[-1] != len(data):
            stops = np.append(stops, len(data))
        begins = np.concatenate(([0], stops[:-1]))
        line_of = np.searchsorted(lines, begins, side="right") + 1
        separators = np.flatnonzero(fields)
        widths = np.searchsorted(separators, stops) - np.searchsorted(separators, begins) + 1
        length = stops - begins
        blank = (length == 1) | ((length == 2) & (letters[begins] == ord("\r")))
        if blank.any():
            if widths.max() == 1:  # a single column: an empty line is a missing value, except around the table
                filled = np.flatnonzero(~blank)
                blank[filled[0] : filled[-1] + 1] = False
            data = letters[np.repeat(~blank, length)].tobytes()
            begins = np.concatenate(([0], np.cumsum(length[~blank])[:-1]))
        return cls(data, begins, line_of[~blank], widths[~blank])


def find_delimiter(data: bytes) -> str:
    """The delimiter whose number of fields is the same in the first lines and largest; a comma if there is none."""
    lines = data[:100_000].decode("utf-8", errors="ignore").strip().splitlines()[:20]

    def score(delimiter: str) -> tuple[bool, int]:
        widths = [len(fields) for fields in csv.reader(lines, delimiter=delimiter) if fields]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0]

    return max(",;\t|", key=score)


def _header(records: Records, delimiter: str, name: str) -> list[str]:
    """The column names; a first one that is empty, as pandas writes an index, becomes "index"."""
    header = [text.strip() for text in records.fields(0, delimiter)]
    if all(VALUE.fullmatch(text) for text in header):
        raise InputError(
            f"{name}, line {records.lines[0]}: {header[0]!r} is a value, not a column name; add a header line"
        )
    header = [text or ("index" if place == 0 else f"column {place + 1}") for place, text in enumerate(header)]
    for place, column in enumerate(header):
        if column in header[:place]:
            raise InputError(f"{name}: column {column!r} occurs twice in the header; rename one of the two")
    return header


# A number or a date.
VALUE = re.compile(r"[-+]?\d*[.,]?\d+([eE][-+]?\d+)?|\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d.*)?")


def _check_widths(records: Records, width: int, delimiter: str, name: str) -> None:
    wrong = np.flatnonzero(records.widths != width)
    # Stray quotes mislead the quick count, so ask the careful reader before complaining.
    for index in wrong[:1000]:
        found = len(records.fields(int(index), delimiter))
        if found != width:
            raise InputError(
                f"{name}, line {records.lines[index]}: {found} {'field' if found == 1 else 'fields'} where the header "
                f"has {width} columns; complete or correct the line"
            )


def typed(column: pl.Series) -> pl.Series:
    """A column of texts as whole numbers or floats if all its values are; empty texts become null."""
    text = column.str.strip_chars()
    missing = text.str.to_lowercase().is_in(MISSING_WORDS)
    some = text.filter(~missing).drop_nulls()
    texts = text.set(text == "", None)
    # Codes such as 007 stay text, but not 0, 0.5 or -0.
    if (
        some.is_empty()
        or some.head(1).cast(pl.Float64, strict=False).null_count()
        or some.str.contains(r"^0\d+$").any()
    ):
        return texts
    numbers = text.set(missing, None)
    for kind in (pl.Int64, pl.Float64):
        cast = numbers.cast(kind, strict=False)
        if cast.null_count() == numbers.null_count():
            return cast
    return texts


def _from_jsonl(data: bytes, name: str) -> Table:
    """A table from a JSON object a line; a key that a line lacks is null, lists and objects stay JSON texts."""
    found = list(objects(clean_text(data, name).decode(), name))
    rows = [row for _, row in found]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys:
        raise InputError(f"{name}: the objects have no keys; give a text and a label in each")
    frame = pl.DataFrame([_from_json(key, [row.get(key) for row in rows]) for key in keys])
    return Table(frame, name, np.array([number for number, _ in found]))


def _from_json(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    for kind, dtype in (({bool}, pl.Boolean), ({int}, pl.Int64), ({int, float}, pl.Float64), ({str}, pl.String)):
        if kinds <= kind and (kinds or kind == {str}):
            try:
                return pl.Series(name, values, dtype=dtype)
            except (OverflowError, TypeError, pl.exceptions.PolarsError):
                break
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


# -- frames of other libraries -----------------------------------------------------------------------------------------


def _from_other(source: Any) -> pl.DataFrame:
    """A pandas, PyArrow, Modin … frame as a Polars one, column by column."""
    if type(source).__module__.partition(".")[0] == "pandas":
        source = _with_index(source)
    try:
        frame = nw.from_native(source, eager_only=True)
    except TypeError as error:
        raise InputError(
            f"a table of type {type(source).__name__} cannot be read; give a path, or a Polars or pandas table"
        ) from error
    return pl.DataFrame([_to_polars(frame[column]).alias(column) for column in frame.columns])


def _with_index(table: Any) -> Any:
    """A pandas table (or series) with its index as columns, where the index means something."""
    if hasattr(table, "to_frame"):
        table = table.to_frame(table.name if table.name is not None else "y")
    table = table.rename(columns=str)
    if not table.columns.is_unique:
        column = table.columns[table.columns.duplicated()][0]
        raise InputError(f"the table: column {column!r} occurs twice; rename one of the two")
    for level in range(table.index.nlevels):
        values = table.index.get_level_values(level)
        if hasattr(values, "to_timestamp"):  # periods
            values = values.to_timestamp()
        is_time = values.dtype.kind == "M"
        name = values.name if values.name is not None else ("ds" if is_time else None)
        if name is not None and str(name) not in table.columns:
            table = table.assign(**{str(name): values})
    return table.reset_index(drop=True)


def _to_polars(column: nw.Series[Any]) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, nw.Datetime):
        zone = kind.time_zone
        if zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        times = pl.Series(column.to_numpy().astype("datetime64[us]"))
        return times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else times
    if kind.is_integer() and not column.is_null().any():
        return pl.Series(column.to_numpy())
    if kind.is_numeric():
        return pl.Series(column.cast(nw.Float64).to_numpy())
    values = [None if value is None or value != value else value for value in column.to_list()]
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1 and not any(getattr(value, "tzinfo", None) for value in values):
        return pl.Series(values, strict=False)
    return _to_text(values)


def _to_text(values: pl.Series | list[Any]) -> pl.Series:
    name = values.name if isinstance(values, pl.Series) else ""
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a CSV or Parquet file, whole or not at all.

    Raises:
        InputError: the ending is neither, or the file cannot be written.
    """
    name = path.name.lower()
    buffer = io.BytesIO()
    if name.endswith(PARQUET_SUFFIXES):
        frame.write_parquet(buffer)
    elif name.endswith(".csv"):
        frame.write_csv(buffer)
    else:
        raise InputError(f"{path}: unknown ending; write to a .csv or .parquet file")
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}; choose another place") from None
