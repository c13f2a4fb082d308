"""The regular grid that times lie on: found from the data, counted in whole steps, named for a person."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.errors import InputError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
# datetime64, or int64 for integer steps.
TimeArray = NDArray[Any]

# Lengths in microseconds of the units that always last equally long.
_MICROSECONDS = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_DAY = _MICROSECONDS["day"]
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_UNITS = (*_MICROSECONDS, "business day", *_MONTHS, "step")

_NAMES = {
    "second": "every second",
    "millisecond": "every millisecond",
    "minute": "every minute",
    "hour": "hourly",
    "day": "daily",
    "business day": "business-daily",
    "week": "weekly",
    "month": "monthly",
    "quarter": "quarterly",
    "year": "yearly",
    "step": "integer steps",
}
_SPELLINGS = {
    "millisecond": "ms",
    "second": "s",
    "minute": "m",
    "hour": "h",
    "day": "d",
    "business day": "b",
    "week": "w",
    "month": "mo",
    "quarter": "q",
    "year": "y",
    "step": "",
}
# What people write for a unit, pandas' and Polars' letters among it.
_UNIT_OF = {
    **{spelling: unit for unit, spelling in _SPELLINGS.items()},
    **{unit: unit for unit in _UNITS},
    **{unit + "s": unit for unit in _UNITS},
    **{name: unit for unit, name in _NAMES.items()},
    **{"sec": "second", "min": "minute", "t": "minute", "hr": "hour", "bd": "business day", "me": "month"},
    **{"qs": "quarter", "qe": "quarter", "ys": "year", "ye": "year", "a": "year"},
}


class OffGridError(InputError):
    """A time does not lie on the grid. `index` is its place in the array that was given."""

    def __init__(self, message: str, index: int):
        super().__init__(message)
        self.index = index


@dataclass(frozen=True)
class Frequency:
    """A regular grid of steps, the same for all series of a panel.

    Position 0 is the step at or after 1970-01-01 (for integer steps: at or after 0), so that positions mean the same
    in every table of one frequency.

    Attributes:
        unit: "millisecond", "second", "minute", "hour", "day", "business day", "week", "month", "quarter", "year", or
            "step" where times are plain integers.
        multiple: units per step, for instance 15 for every 15 minutes.
        phase: where position 0 lies: microseconds for units up to a week, days for business days, months for month,
            quarter and year, integers for "step".
        day: day of the month (month, quarter and year only); months that are too short take their last day, so that 31
            means the end of the month.
        time_of_day: microseconds after midnight (business day, month, quarter and year only).
    """

    unit: str
    multiple: int = 1
    phase: int = 0
    day: int = 1
    time_of_day: int = 0

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise InputError(f"unknown time unit {self.unit!r}; units are {', '.join(_UNITS)}")
        if self.multiple < 1:
            raise InputError(f"a frequency of {self.multiple} {self.unit}s; give a whole number of at least 1")

    # -- making one ------------------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> Frequency:
        """The frequency that a user spells, not yet anchored to data (see `anchored`).

        `text` is a number and a unit, either of which may be left out: "15m", "1h", "d", "b", "4w", "1mo", "q", "1y";
        a plain number is a step between integers. The names of `name` are understood too.
        """
        match = re.fullmatch(r"\s*(?:every\s+)?(\d*)\s*([a-z -]*?)\s*", text, flags=re.IGNORECASE)
        spelled = match[2].lower() if match else ""
        unit = "month" if match and match[2] in ("M", "MS") else _UNIT_OF.get(spelled)
        if not match or not text.strip() or unit is None or (match[1] and int(match[1]) == 0):
            raise InputError(
                f"frequency {text!r} is not understood; write for instance 15m, 1h, 1d, b (business days), 1w, 1mo, "
                "1q, 1y, or a plain number such as 1 for integer steps"
            )
        return _canonical(unit, int(match[1] or 1))

    @classmethod
    def infer(cls, times: TimeArray, groups: IntArray | None = None) -> Frequency:
        """The frequency of times, shape (N,), that ascend within each group.

        The step is the most common difference; every other difference must be a multiple of it (gaps are fine).
        `groups`, shape (N,), numbers the series that each time belongs to; its equal values lie together.

        Raises:
            OffGridError: the spacing is not regular.
        """
        same = np.ones(max(len(times) - 1, 0), bool) if groups is None else np.diff(groups) == 0
        if times.dtype.kind in "iu":
            numbers = times.astype(np.int64)
            return _regular(cls("step"), numbers, numbers, same, str)
        stamps = _stamps(times)
        if not same.any():
            return _guess_from_one(stamps).anchored(times)
        day = _month_day(stamps, same)
        if day is not None:
            grid = cls("month", day=day, time_of_day=int(stamps[0] % _DAY))
            return _regular(grid, _months(times), times, same, lambda step: _plural(step, "month"))
        if (stamps % _DAY == stamps[0] % _DAY).all():
            if _only_business_days(times, same):
                return cls("business day", time_of_day=int(stamps[0] % _DAY))
            days = stamps // _DAY
            grid = cls("day", time_of_day=0)
            return _regular(grid, days, times, same, lambda step: _plural(step, "day")).anchored(times)
        grid = cls("millisecond")
        return _regular(grid, stamps, times, same, _duration).anchored(times)

    def anchored(self, times: TimeArray) -> Frequency:
        """The same step with its grid laid through the first of `times`, shape (N,) and N ≥ 1.

        The day of the month comes from all of them.

        Raises:
            InputError: the times are integers and the steps are not, or the other way round.
        """
        integers = times.dtype.kind in "iu"
        if integers != (self.unit == "step"):
            kind = "integers" if integers else "dates"
            remedy = "a plain number such as 1" if integers else "a unit, for instance 1d"
            raise InputError(f"the times are {kind}, which a frequency of {self.name} does not fit; give {remedy}")
        if integers:
            return Frequency(self.unit, self.multiple, phase=int(times[0]) % self.multiple)
        stamp = int(_stamps(times[:1])[0])
        if self.unit in _MICROSECONDS:
            return Frequency(self.unit, self.multiple, phase=stamp % self._step)
        if self.unit == "business day":
            phase = int(_business_days(times[:1])[0]) % self.multiple
            return Frequency(self.unit, self.multiple, phase, time_of_day=stamp % _DAY)
        stamps = _stamps(times)
        phase = int(_months(times[:1])[0]) % self._step
        day = _month_day(stamps, None)
        if day is None:
            day = int(_day_of_month(times[:1])[0])
        return Frequency(self.unit, self.multiple, phase, day, stamp % _DAY)

    # -- counting --------------------------------------------------------------------------------------------------

    @property
    def _step(self) -> int:
        """Length of a step in the unit of `phase`."""
        return self.multiple * (_MICROSECONDS.get(self.unit) or _MONTHS.get(self.unit) or 1)

    def positions(self, times: TimeArray) -> IntArray:
        """Positions of times on the grid, shape (N,).

        Raises:
            OffGridError: a time lies between two steps.
        """
        if (times.dtype.kind in "iu") != (self.unit == "step"):
            self.anchored(times[:1])  # raises, says why
        if self.unit == "step":
            counted = times.astype(np.int64)
        elif self.unit in _MICROSECONDS:
            counted = _stamps(times)
        elif self.unit == "business day":
            counted = _business_days(times)
        else:
            counted = _months(times)
        positions = (counted - self.phase) // self._step
        wrong = np.flatnonzero(self.times(positions) != times)
        if len(wrong):
            index = int(wrong[0])
            raise OffGridError(
                f"{show_time(times[index])} lies off the {self._described} grid; correct the time, resample the "
                "table to regular steps, or give another --freq",
                index,
            )
        return positions

    def times(self, positions: IntArray) -> TimeArray:
        """Times of positions, shape (N,): int64 for integer steps, else datetime64.

        Datetimes are whole days (`datetime64[D]`) where the grid holds only midnights, else microseconds.
        """
        counted = np.asarray(positions, np.int64) * self._step + self.phase
        if self.unit == "step":
            return counted
        if self.unit in _MICROSECONDS:
            stamps = counted.astype("datetime64[us]")
            whole_days = self._step % _DAY == 0 and self.phase % _DAY == 0
            return stamps.astype("datetime64[D]") if whole_days else stamps
        if self.unit == "business day":
            days = np.busday_offset(_FIRST_MONDAY, counted + _BUSINESS_DAYS_TO_1970)
        else:
            months = counted.astype("datetime64[M]")
            last = (months + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
            days = np.minimum(months.astype("datetime64[D]") + np.timedelta64(self.day - 1, "D"), last)
        if self.time_of_day == 0:
            return days
        return days.astype("datetime64[us]") + np.timedelta64(self.time_of_day, "us")

    # -- what it means ---------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """How a person calls it: "hourly", "every 15 minutes", "monthly", "integer steps"."""
        if self.multiple == 1:
            return _NAMES[self.unit]
        return f"every {self.multiple} {self.unit}s" if self.unit != "step" else f"integer steps of {self.multiple}"

    @property
    def spelling(self) -> str:
        """What `parse` reads as this step: "1h", "15m", "b", "1mo", "1"."""
        if self.unit == "business day" and self.multiple == 1:
            return "b"
        return f"{self.multiple}{_SPELLINGS[self.unit]}"

    @property
    def _described(self) -> str:
        """The name, and the day of the month or of the week that the grid is laid through."""
        if self.unit in _MONTHS and self.day != 1:
            return f"{self.name} (day {self.day})" if self.day < 31 else f"{self.name} (month's end)"
        if self.unit == "week":
            return f"{self.name} ({_WEEKDAYS[(self.phase // _DAY + 3) % 7]})"
        return self.name

    def seasons(self) -> tuple[int, ...]:
        """Natural season lengths in steps, shortest first: (24, 168) for hours, (12,) for months, () for integers."""
        if self.unit in _MONTHS:
            cycles = [(12, self._step)]
        elif self.unit == "business day":
            cycles = [(5, self.multiple), (261, self.multiple)]
        elif self.unit == "step":
            cycles = []
        else:
            cycles = [(length, self._step) for length in (_MICROSECONDS["hour"], _DAY, _MICROSECONDS["week"])]
            if self._step >= _MICROSECONDS["minute"]:
                cycles = cycles[1:]
            if self._step >= _DAY:
                weeks_or_days = 364 if self._step % _MICROSECONDS["week"] == 0 else 365
                cycles.append((weeks_or_days * _DAY, self._step))
        return tuple(length // step for length, step in cycles if length % step == 0 and length // step > 1)

    @property
    def calendar_names(self) -> tuple[str, ...]:
        """Names of the features that `calendar` computes, K of them."""
        return tuple(name for name, _, _ in self._waves())

    def calendar(self, positions: IntArray) -> FloatArray:
        """Calendar features in [-1, 1] of positions, shape (T,) to (T, K): sines and cosines of cyclic times.

        The time of day (three harmonics) where steps are shorter than a day, the weekday (three, so that each of the
        seven can stand out) where they are shorter than a week, the time of year (two). Integer steps and years have
        none (K = 0).
        """
        waves = self._waves()
        features = np.empty((len(positions), len(waves)))
        fractions: dict[str, FloatArray] = {}
        times = self.times(np.asarray(positions, np.int64)) if waves else np.empty(0, np.int64)
        for column, (name, harmonic, function) in enumerate(waves):
            cycle = name.split()[0]
            if cycle not in fractions:
                fractions[cycle] = self._fraction(cycle, times)
            features[:, column] = function(2 * np.pi * harmonic * fractions[cycle])
        return features

    def _waves(self) -> list[tuple[str, int, Callable[[FloatArray], FloatArray]]]:
        """Name, harmonic and function of each calendar feature."""
        cycles: list[tuple[str, int]] = []
        if self.unit in _MONTHS:
            if self._step < 12:
                # A harmonic that the steps sample at two points only has no sine.
                cycles = [("year", harmonic) for harmonic in (1, 2) if 2 * harmonic * self._step <= 12]
        elif self.unit != "step":
            length = self._step if self.unit in _MICROSECONDS else _DAY
            if length < _MICROSECONDS["hour"]:
                cycles.append(("hour", 1))
            if length < _DAY:
                cycles += [("day", harmonic) for harmonic in (1, 2, 3)]
            if length < _MICROSECONDS["week"]:
                cycles += [("week", harmonic) for harmonic in (1, 2, 3)]  # three tell all seven days apart
            cycles += [("year", 1), ("year", 2)]
        waves: list[tuple[str, int, Callable[[FloatArray], FloatArray]]] = []
        for cycle, harmonic in cycles:
            name = cycle if harmonic == 1 else f"{cycle} {harmonic}"
            if not (self.unit in _MONTHS and 2 * harmonic * self._step == 12):
                waves.append((f"{name} sin", harmonic, np.sin))
            waves.append((f"{name} cos", harmonic, np.cos))
        return waves

    def _fraction(self, cycle: str, times: TimeArray) -> FloatArray:
        """How much of its hour, day, week or year each time has behind it, in [0, 1)."""
        stamps = _stamps(times)
        if cycle in ("hour", "day"):
            return stamps % _MICROSECONDS[cycle] / _MICROSECONDS[cycle]
        if cycle == "week":  # 1970-01-01 was a Thursday; weeks start on Monday
            week = _MICROSECONDS["week"]
            return (stamps + 3 * _DAY) % week / week
        if self.unit in _MONTHS:
            return (_months(times) - self.phase) % 12 / 12
        years = times.astype("datetime64[Y]")
        begin, end = _stamps(years), _stamps(years + 1)
        return (stamps - begin) / (end - begin)

    # -- to JSON and back ------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {
            "unit": self.unit,
            "multiple": self.multiple,
            "phase": self.phase,
            "day": self.day,
            "time_of_day": self.time_of_day,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Frequency:
        """The inverse of `to_dict`.

        Raises:
            InputError: a field is unknown, missing or of the wrong kind.
        """
        whole = {"multiple", "phase", "day", "time_of_day"}
        good = set(fields) == whole | {"unit"} and isinstance(fields["unit"], str)
        if not good or not all(type(fields[name]) is int for name in whole) or not 1 <= fields["day"] <= 31:
            raise InputError(f"not the description of a frequency: {fields!r}")
        return cls(**fields)


_FIRST_MONDAY = np.datetime64("0001-01-01", "D")
_BUSINESS_DAYS_TO_1970 = int(np.busday_count(_FIRST_MONDAY, np.datetime64("1970-01-01", "D")))
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def _stamps(times: TimeArray) -> IntArray:
    """Microseconds since 1970-01-01."""
    stamps: IntArray = times.astype("datetime64[us]").astype(np.int64)
    return stamps


def _months(times: TimeArray) -> IntArray:
    """Months since 1970-01."""
    months: IntArray = times.astype("datetime64[M]").astype(np.int64)
    return months


def _business_days(times: TimeArray) -> IntArray:
    """Business days since 1970-01-01 (a Thursday); a weekend counts like the Monday after it."""
    # NumPy counts backwards by another rule, so the count starts before all times.
    return np.busday_count(_FIRST_MONDAY, times.astype("datetime64[D]")).astype(np.int64) - _BUSINESS_DAYS_TO_1970


def _day_of_month(times: TimeArray) -> IntArray:
    days = times.astype("datetime64[D]")
    since: IntArray = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    return since + 1


def show_time(time: Any) -> str:
    """A time as people write it: a date alone where it is midnight."""
    date, _, clock = str(time).partition("T")
    clock = clock.removesuffix(".000000")
    return date if clock in ("", "00:00:00") else f"{date} {clock}"


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _duration(microseconds: int) -> str:
    """A length of time in the largest unit that divides it."""
    for unit in ("week", "day", "hour", "minute", "second", "millisecond"):
        if microseconds % _MICROSECONDS[unit] == 0:
            return _plural(microseconds // _MICROSECONDS[unit], unit)
    return _plural(microseconds, "microsecond")


def _canonical(unit: str, multiple: int) -> Frequency:
    """The step in its largest unit: 60 minutes is 1 hour, 3 months 1 quarter; but 365 days stay days."""
    if unit in _MONTHS:
        months = multiple * _MONTHS[unit]
        unit = next(name for name in ("year", "quarter", "month") if months % _MONTHS[name] == 0)
        unit = "month" if unit == "quarter" and months != 3 else unit
        return Frequency(unit, months // _MONTHS[unit])
    if unit in _MICROSECONDS:
        length = multiple * _MICROSECONDS[unit]
        unit = next(name for name in reversed(_MICROSECONDS) if length % _MICROSECONDS[name] == 0)
        return Frequency(unit, length // _MICROSECONDS[unit])
    return Frequency(unit, multiple)


def _regular(
    grid: Frequency, counted: IntArray, times: Any, same: NDArray[np.bool_], say: Callable[[int], str]
) -> Frequency:
    """The grid of the unit of `grid` whose step is the most common difference of `counted`.

    `say` spells a difference; `same`, shape (N - 1,), says where a difference lies inside one series.
    """
    steps = np.diff(counted)
    within = steps[same]
    if not len(within):
        return Frequency(grid.unit, 1, 0, grid.day, grid.time_of_day)
    sizes, counts = np.unique(within, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    wrong = np.flatnonzero(same & (steps % step != 0))
    remedy = "give the frequency (--freq, for instance 1d) or resample the table to regular steps"
    if len(wrong):
        index = int(wrong[0]) + 1
        raise OffGridError(
            f"irregular spacing: {show_time(times[index])} comes {say(int(steps[index - 1]))} after "
            f"{show_time(times[index - 1])}, where steps are mostly {say(step)}; {remedy}",
            index,
        )
    if grid.unit == "millisecond" and step % 1000:
        raise OffGridError(f"steps of {say(step)} are too short; steps must be whole milliseconds", 1)
    found = _canonical(grid.unit, step // 1000 if grid.unit == "millisecond" else step)
    length = step if grid.unit in ("step", "month") else 0
    phase = int(counted[0]) % length if length else 0
    return Frequency(found.unit, found.multiple, phase, grid.day, grid.time_of_day)


def _guess_from_one(stamps: IntArray) -> Frequency:
    """The frequency of series with a single row each: the coarsest unit that their times are whole in."""
    units = ("day", "hour", "minute", "second", "millisecond")
    unit = next((name for name in units if not (stamps % _MICROSECONDS[name]).any()), "millisecond")
    return Frequency(unit)


def _month_day(stamps: IntArray, same: NDArray[np.bool_] | None) -> int | None:
    """The day of the month on which all times fall, 31 for the last day; None where there is none.

    Where `same` is given, differences inside a series must also be at least 28 days long.
    """
    if (same is not None and (np.diff(stamps)[same] < 28 * _DAY).any()) or (stamps % _DAY != stamps[0] % _DAY).any():
        return None
    times = stamps.astype("datetime64[us]")
    days = _day_of_month(times)
    months = times.astype("datetime64[M]")
    lengths = _day_of_month((months + 1).astype("datetime64[D]") - np.timedelta64(1, "D"))
    latest = int(days.max())
    if (days == lengths).all():
        return 31
    return latest if (days == np.minimum(latest, lengths)).all() else None


def _only_business_days(times: TimeArray, same: NDArray[np.bool_]) -> bool:
    """Whether daily times leave out the weekends: some lie ahead of one, none on one."""
    if not np.is_busday(times.astype("datetime64[D]")).all():
        return False
    days = np.diff(times.astype("datetime64[D]").astype(np.int64))[same]
    business = np.diff(_business_days(times))[same]
    sizes, counts = np.unique(business, return_counts=True)
    return int(sizes[np.argmax(counts)]) == 1 and bool((days != business).any())
