"""Times from the cells of a table: texts in the usual spellings, dates, time zones, integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.data.files import MISSING_WORDS, Table
from longshort.data.frequency import TimeArray
from longshort.errors import InputError

_CLOCKS = (
    "",
    *(f"{gap}{clock}" for clock in ("%H:%M", "%H:%M:%S%.f") for gap in (" ", "T")),
    *(f" {clock}" for clock in ("%I:%M %p", "%I:%M:%S %p", "%I:%M:%S%p")),
)


@dataclass(frozen=True)
class _Spelling:
    """A way to write dates.

    Attributes:
        date: the strptime format of the date.
        clocks: formats of the time of day that may follow it.
        rewrite: a pattern and its replacement that bring a text into that format first.
        twin: the format that the same texts may mean, with day and month exchanged.
    """

    date: str
    clocks: tuple[str, ...] = _CLOCKS
    rewrite: tuple[str, str] | None = None
    twin: str | None = None

    def parse(self, texts: pl.Series, date: str | None = None) -> pl.Series:
        """The times of texts, null where one is written otherwise."""
        if self.rewrite:
            pattern, replacement = self.rewrite
            texts = texts.set(~texts.str.contains(pattern), None).str.replace(pattern, replacement)
        result = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(texts))
        for clock in self.clocks:
            left = result.is_null() & texts.is_not_null()
            if not left.any():
                break
            tried = texts.str.to_datetime((date or self.date) + clock, strict=False, time_unit="us")
            result = result.zip_with(result.is_not_null(), tried)
        return result.set(result.dt.year() < 1000, None)  # a year of two digits, read as of four


def _month(pattern: str, replacement: str, date: str = "%Y-%m-%d") -> _Spelling:
    return _Spelling(date, ("",), (pattern, replacement))


_SPELLINGS = (
    _Spelling("%Y-%m-%d"),
    _Spelling("%Y/%m/%d"),
    _Spelling("%Y.%m.%d"),
    _Spelling("%Y%m%d", rewrite=(r"^(\d{8})([ T].*)?$", "$1$2")),
    _Spelling("%m/%d/%Y", twin="%d/%m/%Y"),
    _Spelling("%m-%d-%Y", twin="%d-%m-%Y"),
    _Spelling("%d.%m.%Y", twin="%m.%d.%Y"),
    _Spelling("%m/%d/%y", twin="%d/%m/%y"),
    _Spelling("%d.%m.%y", twin="%m.%d.%y"),
    _Spelling("%B %d, %Y"),
    _Spelling("%d %B %Y"),
    _Spelling("%d-%B-%Y"),
    _Spelling("%d-%B-%y"),
    _month(r"^(\d{4})[-/.](\d{1,2})$", "$1-$2-01"),
    _month(r"^(\d{1,2})[-/.](\d{4})$", "$2-$1-01"),
    _month(r"^(\d{4})[Mm](\d{1,2})$", "$1-$2-01"),
    _month(r"^([A-Za-z]{3,9})[- ](\d{4})$", "1 $1 $2", "%d %B %Y"),
    _month(r"^([A-Za-z]{3,9})[- ](\d{2})$", "1 $1 $2", "%d %B %y"),
    _month(r"^(\d{4})[- ]?[Ww](\d{2})$", "$1-W$2-1", "%G-W%V-%u"),
)
_QUARTER = r"^(\d{4})[- ]?[Qq]([1-4])$"
_OFFSET = r"\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)$"


@dataclass(frozen=True)
class Times:
    """Times of all rows of a table.

    Attributes:
        values: datetime64[us] or int64, shape (rows,).
        note: how they were understood where that could be doubted, or "".
    """

    values: TimeArray
    note: str = ""


def is_time(column: pl.Series) -> bool:
    """Whether a column holds dates or datetimes, as such or written out (most of its first values)."""
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    if column.dtype != pl.String:
        return False
    sample = _stripped(column.head(1000)).drop_nulls().unique(maintain_order=True).head(20)
    if sample.is_empty() or not sample.str.contains(r"\d").any():
        return False
    parsed, _, _ = _parse(sample)
    return parsed.null_count() * 2 < len(sample)


def read_times(table: Table, name: str) -> Times:
    """The times in column `name`.

    One time zone is allowed: it becomes UTC where the times are finer than days, else the local clock.

    Raises:
        InputError: a time is missing or cannot be understood, or there are several UTC offsets.
    """
    column = table.frame[name]
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    _check_missing(table, column)
    if column.dtype == pl.Datetime:
        return _from_datetimes(column)
    if column.dtype.is_numeric():
        return _from_numbers(table, column)
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _from_texts(table, column.cast(pl.String))
    raise InputError(f"{table.name}: column {name!r} holds no times; name the time column with --time")


def _check_missing(table: Table, column: pl.Series) -> None:
    missing = column.is_null()
    if column.dtype == pl.String:
        missing |= column.str.strip_chars().str.to_lowercase().is_in(MISSING_WORDS)
    where = missing.fill_null(True).arg_true()
    if len(where):
        raise InputError(
            f"{table.name}, {table.row(where[0])}, column {column.name!r}: the time is missing; fill it in or delete "
            "the row"
        )


def _from_datetimes(column: pl.Series) -> Times:
    zone = cast(pl.Datetime, column.dtype).time_zone
    wall = _array(column.dt.replace_time_zone(None))
    if zone is None:
        return Times(wall)
    return _one_zone(wall, _array(column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)), zone)


def _one_zone(wall: NDArray[np.datetime64], utc: NDArray[np.datetime64], zone: str) -> Times:
    """UTC where times are finer than days; else the dates that people there saw."""
    clock = wall - wall.astype("datetime64[D]")
    if (clock == clock[0]).all():
        return Times(wall, f"times are taken as local dates of time zone {zone}")
    return Times(utc, "" if zone in ("UTC", "+00:00") else f"times were converted from {zone} to UTC")


def _from_numbers(table: Table, column: pl.Series) -> Times:
    """Integer steps, or dates where whole numbers such as 20150131 are all dates."""
    if not column.dtype.is_integer():
        values = column.cast(pl.Float64).to_numpy()
        wrong = np.flatnonzero(~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 2**53))
        if len(wrong):
            raise InputError(
                f"{table.name}, {table.row(int(wrong[0]))}, column {column.name!r}: {column[int(wrong[0])]!r} is not a "
                "time; give dates or whole numbers"
            )
    numbers = column.cast(pl.Int64)
    if numbers.is_between(1800_01_01, 2200_12_31).all():
        dates = numbers.cast(pl.String).str.to_datetime("%Y%m%d", strict=False, time_unit="us")
        if not dates.null_count():
            return Times(_array(dates), f"whole numbers in {column.name!r} such as {numbers[0]} are read as dates")
    return Times(numbers.to_numpy())


def _from_texts(table: Table, column: pl.Series) -> Times:
    stripped = _stripped(column)
    texts = stripped.unique(maintain_order=True)
    parsed, offsets, note = _parse(texts)
    kinds = offsets.unique(maintain_order=True)
    if len(kinds) > 1:
        other = stripped.is_in(texts.filter(offsets.ne_missing(offsets[0])).implode()).arg_true()[0]
        raise InputError(
            f"{table.name}, {table.row(other)}, column {column.name!r}: {column[other]!r} has another time zone than "
            f"{column[0]!r}; convert all times to UTC"
        )
    if parsed.null_count():
        wrong = stripped.is_in(texts.filter(parsed.is_null()).implode()).arg_true()[0]
        raise InputError(
            f"{table.name}, {table.row(wrong)}, column {column.name!r}: {column[wrong]!r} is not understood as a time; "
            "write it like 2015-01-31 or 2015-01-31 18:00, the same way in every row"
        )
    found = pl.DataFrame({"text": texts, "time": parsed})
    times = stripped.to_frame("text").join(found, on="text", how="left", maintain_order="left")["time"]
    wall = _array(times)
    if kinds[0] is None:
        return Times(wall, note and f"column {column.name!r}: {note}")
    zone = f"{'+' if kinds[0] >= 0 else '-'}{abs(kinds[0]) // 60:02}:{abs(kinds[0]) % 60:02}"
    return _one_zone(wall, wall - np.timedelta64(kinds[0], "m"), zone)


def _parse(texts: pl.Series) -> tuple[pl.Series, pl.Series, str]:
    """Local times of texts (null where not understood), their offsets from UTC in minutes (null for none), a note."""
    zone = texts.str.extract(_OFFSET, 1)
    offsets = _minutes(zone)
    if zone.null_count() < len(zone):
        stripped = texts.str.replace(r"\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)$", "")
        texts = texts.zip_with(zone.is_null(), stripped)
    best, note = _quarters(texts), ""
    for spelling in _SPELLINGS:
        if not best.null_count():
            break
        # Most spellings fit none of the texts; a few of them tell.
        if spelling.parse(texts.head(5)).null_count() == len(texts.head(5)) and spelling.twin is None:
            continue
        for date in filter(None, (spelling.date, spelling.twin)):
            parsed = spelling.parse(texts, date)
            if parsed.null_count() < best.null_count():
                best, note = parsed, _doubt(spelling, date, texts)
    return best, offsets, note


def _doubt(spelling: _Spelling, date: str, texts: pl.Series) -> str:
    """The note on a day and month that could be exchanged."""
    if spelling.twin is None:
        return ""
    order = "month first" if date.startswith("%m") else "day first"
    other = spelling.twin if date == spelling.date else spelling.date
    if spelling.parse(texts, other).null_count() == 0:
        return (
            f"dates such as {texts[0]!r} are read {order}, which the data does not decide; write 2015-01-31 to be sure"
        )
    return f"dates such as {texts[0]!r} are read {order}"


def _quarters(texts: pl.Series) -> pl.Series:
    """First days of quarters written like 1949Q1 or 1949-Q1."""
    year = texts.str.extract(_QUARTER, 1)
    month = texts.str.extract(_QUARTER, 2).cast(pl.Int64) * 3 - 2
    return (year + "-" + month.cast(pl.String) + "-1").str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")


def _minutes(zone: pl.Series) -> pl.Series:
    """Offsets such as Z, +01, -0530 and +05:30 in minutes."""
    digits = zone.str.replace(":", "").str.slice(1)
    minutes = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60
    minutes += digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = minutes.zip_with(~zone.str.starts_with("-").fill_null(False), -minutes)
    return minutes.zip_with(
        ~zone.is_in(["Z", "z", "UTC"]).fill_null(False), pl.Series([0]).new_from_index(0, len(zone))
    )


def _stripped(column: pl.Series) -> pl.Series:
    return column.str.strip_chars()


def _array(times: pl.Series) -> NDArray[np.datetime64]:
    return times.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")
