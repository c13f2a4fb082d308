"""A panel: several time series of one frequency, each on a regular grid of steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from longshort.data.frequency import Frequency, TimeArray
from longshort.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One series, a value for every step of its grid.

    Attributes:
        id: name of the series.
        start: position of the first step, counted by the panel's `Frequency` (same origin for all series).
        y: target, shape (T,), NaN where it is missing.
        past: exogenous values known up to now only, shape (T, number of past columns), NaN where missing.
        known: exogenous values known in advance, shape (T + extra, number of known columns); extra ≥ 0 steps lie
            after the last target value.
        static_numeric: shape (number of numeric static columns,), NaN where missing.
        static_categories: shape (number of categorical static columns,), texts; "" where missing.
    """

    id: str
    start: int
    y: FloatArray
    past: FloatArray
    known: FloatArray
    static_numeric: FloatArray
    static_categories: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def end(self) -> int:
        """Position of the step after the last target value."""
        return self.start + len(self.y)

    def head(self, steps: int) -> Series:
        """The first `steps` steps, or all but the last `-steps`. Known values keep reaching as far as they did."""
        return replace(self, y=self.y[:steps], past=self.past[:steps])

    def tail(self, steps: int) -> Series:
        """The last `steps` steps (all if there are fewer), with the known values that belong to them and lie ahead."""
        skip = max(len(self.y) - steps, 0)
        return replace(self, start=self.start + skip, y=self.y[skip:], past=self.past[skip:], known=self.known[skip:])

    def extended(self, newer: Series) -> Series:
        """This series with the steps of another after it: NaN in a gap, the newer values where both have one."""
        if len(newer) == 0:  # known values only, which may start before or beyond the target values
            skip = max(self.start - newer.start, 0)
            newer = replace(newer, start=newer.start + skip, known=newer.known[skip:])
            start, end = self.start, self.end
        else:
            start, end = min(self.start, newer.start), max(self.end, newer.end)
        known_end = max(end, self.start + len(self.known), newer.start + len(newer.known))
        y = _overlaid(self.y[:, None], self.start, newer.y[:, None], newer.start, start, end)[:, 0]
        numeric = np.where(np.isnan(newer.static_numeric), self.static_numeric, newer.static_numeric)
        if newer.static_numeric.shape != self.static_numeric.shape:
            numeric = self.static_numeric
        return Series(
            id=self.id,
            start=start,
            y=y,
            past=_overlaid(self.past, self.start, newer.past, newer.start, start, end),
            known=_overlaid(self.known, self.start, newer.known, newer.start, start, known_end),
            static_numeric=numeric,
            static_categories=self.static_categories,
        )


@dataclass(frozen=True)
class Columns:
    """Which column of a table plays which part."""

    time: str | None = None
    id: str | None = None
    targets: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static_numeric: tuple[str, ...] = ()
    static_categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Series of one frequency, what their columns were called, and what was noticed while reading them.

    Attributes:
        series: at least one.
        frequency: the grid that all series lie on.
        columns: where the values came from.
        notes: findings for the reader, a sentence each ("hourly, found from column 'date'").
    """

    series: Sequence[Series]
    frequency: Frequency
    columns: Columns = field(default_factory=Columns)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def some(self, count: int) -> Panel:
        """At most `count` of the series, at even distances."""
        if len(self.series) <= count:
            return self
        places = np.linspace(0, len(self.series) - 1, count).round().astype(int)
        return replace(self, series=tuple(self.series[k] for k in places.tolist()))

    def times(self, series: Series) -> TimeArray:
        """Times of the steps of one of the series, shape (T,): datetime64, or int64 for integer steps."""
        return self.frequency.times(series.start + np.arange(len(series)))

    def frame(self) -> pl.DataFrame:
        """A long table with columns unique_id, ds, y: every step of every series, null where y is missing."""
        import polars as pl

        lengths = [len(series) for series in self.series]
        steps = [series.start + np.arange(len(series)) for series in self.series]
        ids = pl.Series([series.id for series in self.series], dtype=pl.String)
        return pl.DataFrame(
            {
                "unique_id": ids.gather(np.repeat(np.arange(len(lengths)), lengths)),
                "ds": self.frequency.times(np.concatenate(steps)),
                "y": pl.Series(np.concatenate([series.y for series in self.series])).fill_nan(None),
            }
        )

    def head(self, steps: int) -> Panel:
        """The first `steps` steps of each series, or all but the last `-steps`; series left empty are dropped.

        Raises:
            InputError: no series is left.
        """
        return self._with(series.head(steps) for series in self.series)

    def split_last(self, steps: int) -> tuple[Panel, Panel]:
        """All but the last `steps` of each series, and these last ones (`steps` ≥ 1).

        Series that are not longer than `steps` are in neither.

        Raises:
            InputError: no series is longer than `steps`.
        """
        longer = [series for series in self.series if len(series) > steps]
        return self._with(series.head(-steps) for series in longer), self._with(series.tail(steps) for series in longer)

    def extended(self, newer: Panel) -> Panel:
        """Series with newer rows after their old ones; unknown series are added.

        A gap between old and new becomes NaN; where both have a value the newer one counts.

        Raises:
            InputError: the two are not on the same grid or do not have the same exogenous columns.
        """
        if newer.frequency != self.frequency:
            raise InputError(
                f"the new rows are {newer.frequency.name} and the old ones {self.frequency.name}, or their grids are "
                "shifted; give rows on the same grid"
            )
        if newer.columns.known != self.columns.known:
            raise InputError(
                f"the columns known in advance must be {', '.join(self.columns.known) or 'none'}, as before, not "
                f"{', '.join(newer.columns.known) or 'none'}: bring the same columns"
            )
        by_id = {series.id: series for series in newer.series}
        merged = [series.extended(by_id.pop(series.id)) if series.id in by_id else series for series in self.series]
        return replace(self, series=(*merged, *(series for series in by_id.values() if len(series))))

    def _with(self, series: Iterable[Series]) -> Panel:
        kept = tuple(one for one in series if len(one))
        if not kept:
            raise InputError("no series is long enough; give longer series or a shorter horizon")
        return replace(self, series=kept)


def _overlaid(old: FloatArray, old_start: int, new: FloatArray, new_start: int, start: int, end: int) -> FloatArray:
    """Steps `start` to `end` of two arrays, shape (steps, columns) each: the new value where there is one."""
    result = np.full((end - start, old.shape[1]), np.nan)
    result[old_start - start :][: len(old)] = old
    if new.size:
        part = result[new_start - start :][: len(new)]
        np.copyto(part, new, where=~np.isnan(new))
    return result
