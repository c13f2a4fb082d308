"""Windows of a panel, standardised: what the network sees and what it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from longshort.data import Panel, Series
from longshort.data.flat import Flat

if TYPE_CHECKING:
    from longshort.tasks.forecast.config import Plan
    from longshort.tasks.forecast.network import Batch

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
# The fields of a `Batch` as arrays: float32, but for the categories.
Arrays = dict[str, NDArray[np.generic]]

# Of a season's phase, where there is no calendar; three tell the days of a week apart.
HARMONICS = (1, 2, 3)
# Steps of a calendar that is computed once; of a longer one each window has its own computed.
LONGEST_TABLE = 2_000_000


@dataclass(frozen=True)
class Scaler:
    """How exogenous and static columns are put on one scale, and the codes of the categories.

    Attributes:
        past, known, static: (mean, standard deviation) of each column over the training data.
        categories: for each categorical static column its values; code 0 is kept for values never seen.
    """

    past: tuple[tuple[float, float], ...] = ()
    known: tuple[tuple[float, float], ...] = ()
    static: tuple[tuple[float, float], ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def fit(cls, panel: Iterable[Series], of: Iterable[Series] | None = None) -> Scaler:
        """Statistics of the exogenous columns of some series; `of`: all of them, where there are more."""
        panel = list(panel)

        def moments(arrays: Sequence[FloatArray]) -> tuple[tuple[float, float], ...]:
            table = np.concatenate(arrays, axis=0)
            result = []
            for column in table.T:
                seen = column[np.isfinite(column)]
                mean, std = (float(seen.mean()), float(seen.std())) if len(seen) else (0.0, 1.0)
                result.append((mean, std if std > 0 else 1.0))
            return tuple(result)

        kinds: list[set[str]] = [set() for _ in panel[0].static_categories]
        for s in panel if of is None else of:
            for known, value in zip(kinds, s.static_categories, strict=True):
                known.add(value)
        return cls(
            past=moments([s.past for s in panel]),
            known=moments([s.known for s in panel]),
            static=moments([s.static_numeric[None] for s in panel]),
            categories=tuple(tuple(sorted(known - {""})) for known in kinds),
        )


def _standardise(values: FloatArray, moments: Sequence[tuple[float, float]]) -> FloatArray:
    """Columns on their scale with a flag each: (T, P) to (T, 2 P); a missing value is 0 with flag 0."""
    if values.shape[-1] == 0:
        return np.zeros((*values.shape[:-1], 0))
    mean, std = np.array(moments).T
    flags = np.isfinite(values).astype(np.float64)
    return np.concatenate([np.nan_to_num((values - mean) / std), flags], axis=-1)


def seasonal_naive_error(y: FloatArray, season: int) -> float:
    """In-sample mean absolute error of the seasonal-naive forecast, the denominator of MASE.

    Hyndman & Koehler 2006, equation 2, with `season` steps back; NaN where no pair of values is observed.
    """
    if len(y) <= season:
        return float("nan")
    difference = np.abs(y[season:] - y[:-season])
    return float(np.nanmean(difference)) if np.isfinite(difference).any() else float("nan")


def error_scale(y: FloatArray, season: int) -> float:
    """The denominator of MASE for one series, never 0: failing the season's, one step's, the spread, the level."""
    seen = y[np.isfinite(y)]
    for candidate in (seasonal_naive_error(y, season), seasonal_naive_error(seen, 1), float(seen.std())):
        if np.isfinite(candidate) and candidate > 0:
            return candidate
    return max(1e-6 * float(np.abs(seen).max()), 1e-12)


@dataclass(frozen=True)
class Units:
    """How to get from standardised values back: value = location + scale * standardised, (B, 1) each."""

    location: FloatArray
    scale: FloatArray

    def restore(self, quantiles: FloatArray) -> FloatArray:
        """Quantiles (B, H, Q) in the units of the data."""
        return self.location[..., None] + self.scale[..., None] * quantiles


class WindowStore:
    """All series of a panel in flat arrays, maybe in a file, from which windows are cut by (series, origin).

    The origin is the number of steps that came before the horizon; it may lie anywhere from 1 to the series' length
    (at the length, the horizon lies in the future and no target is observed).

    Args:
        panel: the series.
        lookback, horizon: window sizes in steps.
        lags: lags of the copies in steps.
        scaler: scales of the exogenous columns.
        naive_error: in-sample seasonal-naive error of each series, shape (N,), never 0.
        level: last steps of the window whose mean is its location; the window's standard deviation is its scale.
        features: names of the calendar features to use; all that the frequency has if None.
        seasons: where the frequency has no calendar (integer steps), the phase in these seasons takes its place.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        lookback: int,
        horizon: int,
        lags: Sequence[int],
        scaler: Scaler,
        naive_error: FloatArray,
        level: int,
        features: Sequence[str] | None = None,
        seasons: Sequence[int] = (),
    ) -> None:
        self.naive_error = naive_error
        self._flat, self._scaler = Flat.of(panel.series), scaler
        self._begin, self._known_begin = self._flat.begin, self._flat.known_begin
        self.lengths = self._flat.length
        # All series lie on one grid, so that the calendar of a step is that of every series.
        before, behind = max(lookback, max(lags, default=1)), horizon
        self._first = int(self._flat.start.min()) - before
        last = int((self._flat.start + self.lengths).max()) + behind
        names = panel.frequency.calendar_names
        used = [names.index(name) for name in (names if features is None else features)]
        self._turns = np.array([season / k for season in seasons for k in HARMONICS]) if not names else np.zeros(0)
        self._frequency, self._used = panel.frequency, used
        span = last - self._first
        self._table = self._features(self._first + np.arange(span)) if span <= LONGEST_TABLE else None
        self._static = _standardise(np.stack([s.static_numeric for s in panel]), scaler.static).astype(np.float32)
        codes = [{value: code for code, value in enumerate(values, start=1)} for values in scaler.categories]
        rows = [[code.get(v, 0) for v, code in zip(s.static_categories, codes, strict=True)] for s in panel]
        self._categories = np.array(rows, dtype=np.int64).reshape(len(rows), -1)
        self._back, self._ahead = np.arange(-lookback, 0), np.arange(horizon)
        lag = np.array(lags, dtype=np.int64)
        self._level = level
        self._lagged = self._ahead[:, None] % lag - lag  # (H, lags): seasonal naive with season `lag`

    @property
    def features(self) -> dict[str, int]:
        """Numbers of features of each kind, by the names of `Dimensions`."""
        known, calendar = 2 * self._flat.known.shape[1], len(self._used) + 2 * len(self._turns)
        past = 2 * self._flat.past.shape[1] + known
        return {"past": past, "calendar": calendar, "future": known + calendar, "static": self._static.shape[1]}

    def observed(self, series: IntArray, origins: IntArray) -> FloatArray:
        """What came after the given origins, (B, H), NaN where nothing was observed."""
        return self._y(series, origins[:, None] + self._ahead)

    def _y(self, series: IntArray, steps: IntArray) -> FloatArray:
        """Targets of series (B,) at their steps (B, …), NaN where there are none."""
        return _at(self._flat.y, self._begin[series], self.lengths[series], steps)

    def _past(self, series: IntArray, steps: IntArray) -> FloatArray:
        values = _at(self._flat.past, self._begin[series], self.lengths[series], steps)
        return _standardise(values, self._scaler.past)

    def _known(self, series: IntArray, steps: IntArray) -> FloatArray:
        values = _at(self._flat.known, self._known_begin[series], self._flat.known_length[series], steps)
        return _standardise(values, self._scaler.known)

    def _calendar(self, series: IntArray, steps: IntArray) -> NDArray[np.float32]:
        positions = self._flat.start[series][:, None] + steps
        features: NDArray[np.float32]
        if self._table is not None:
            features = self._table[positions - self._first]
        else:
            features = self._features(positions.ravel()).reshape(*positions.shape, -1)
        return features

    def _features(self, positions: IntArray) -> NDArray[np.float32]:
        """Calendar features of positions on the grid, (P,) to (P, features)."""
        if len(self._turns):
            turns = 2 * np.pi * (positions[:, None] / self._turns)
            features = np.concatenate([np.sin(turns), np.cos(turns)], axis=1)
        else:
            features = self._frequency.calendar(positions)[:, self._used]
        return features.astype(np.float32)

    def cut(self, series: IntArray, origins: IntArray) -> tuple[Batch, Units]:
        """Windows of the given series at the given origins, both of shape (B,)."""
        import torch

        from longshort.tasks.forecast.network import Batch

        arrays, units = self.arrays(series, origins)
        return Batch(**{name: torch.from_numpy(values) for name, values in arrays.items()}), units

    def arrays(self, series: IntArray, origins: IntArray) -> tuple[Arrays, Units]:
        """The same as NumPy arrays, by the names of `Batch`."""
        past, ahead = origins[:, None] + self._back, origins[:, None] + self._ahead
        y = self._y(series, past)
        naive = self.naive_error[series][:, None]
        location = _mean(y)
        scale = np.sqrt(_mean((y - location) ** 2) + (0.1 * naive) ** 2)
        recent = y[:, -self._level :]
        location = np.where(np.isfinite(recent).any(1, keepdims=True), _mean(recent), location)

        def standardise(values: FloatArray, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            seen = np.isfinite(values)
            filled = np.where(seen, (values - location.reshape(shape)) / scale.reshape(shape), 0.0)
            return _single(filled), _single(seen)

        standard, seen = standardise(y, (-1, 1))
        lagged, lagged_seen = standardise(self._y(series, origins[:, None, None] + self._lagged), (-1, 1, 1))
        target, target_seen = standardise(self._y(series, ahead), (-1, 1))
        arrays: Arrays = {
            "y": standard,
            "observed": seen,
            "lagged": lagged,
            "lagged_observed": lagged_seen,
            "past": _single(np.concatenate([self._past(series, past), self._known(series, past)], axis=-1)),
            "calendar": _single(self._calendar(series, past)),
            "future": _single(np.concatenate([self._known(series, ahead), self._calendar(series, ahead)], axis=-1)),
            "static": _single(self._static[series]),
            "categories": self._categories[series],
            "target": target,
            "target_observed": target_seen,
            "weight": _single(scale / naive),
        }
        return arrays, Units(location, scale)


def _at(values: FloatArray, begin: IntArray, length: IntArray, steps: IntArray) -> FloatArray:
    """Values of series at their steps, NaN before the first and after the last one.

    Args:
        values: of all series, (steps of all, …).
        begin, length: of the series that are asked, (B,).
        steps: counted from the first one of each series, (B, …).
    """
    shape = (-1, *(1,) * (steps.ndim - 1))
    inside = (steps >= 0) & (steps < length.reshape(shape))
    if not values.size:
        return np.full((*steps.shape, *values.shape[1:]), np.nan)
    found: FloatArray = values[np.where(inside, begin.reshape(shape) + steps, 0)]
    found[~inside] = np.nan
    return found


def _mean(values: FloatArray) -> FloatArray:
    """Mean of what is not NaN along each row, (B, T) to (B, 1); 0 where there is nothing."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0).sum(1, keepdims=True)
    mean: FloatArray = total / np.maximum(seen.sum(1, keepdims=True), 1)
    return mean


def _single(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def make_store(panel: Panel, plan: Plan, horizon: int, scaler: Scaler, naive_error: Mapping[str, float]) -> WindowStore:
    """The windows of a panel under a plan."""
    return WindowStore(
        panel,
        lookback=plan.lookback,
        horizon=horizon,
        lags=plan.lags,
        scaler=scaler,
        naive_error=np.array([naive_error[s.id] for s in panel]),
        level=plan.level,
        features=plan.calendar,
        seasons=plan.seasons,
    )
