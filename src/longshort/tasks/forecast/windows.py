"""Windows of a panel, standardised: what the network sees and what it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from longshort.data import Panel, Series

if TYPE_CHECKING:
    from longshort.tasks.forecast.config import Plan
    from longshort.tasks.forecast.network import Batch

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
# The fields of a `Batch` as arrays: float32, but for the categories.
Arrays = dict[str, NDArray[np.generic]]

# Of a season's phase, where there is no calendar; three tell the days of a week apart.
HARMONICS = (1, 2, 3)


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
    def fit(cls, panel: Iterable[Series]) -> Scaler:
        """Statistics of the exogenous columns of some series."""
        panel = list(panel)

        def moments(arrays: Sequence[FloatArray]) -> tuple[tuple[float, float], ...]:
            table = np.concatenate(arrays, axis=0)
            result = []
            for column in table.T:
                seen = column[np.isfinite(column)]
                mean, std = (float(seen.mean()), float(seen.std())) if len(seen) else (0.0, 1.0)
                result.append((mean, std if std > 0 else 1.0))
            return tuple(result)

        codes = zip(*(s.static_categories for s in panel), strict=True)
        return cls(
            past=moments([s.past for s in panel]),
            known=moments([s.known for s in panel]),
            static=moments([s.static_numeric[None] for s in panel]),
            categories=tuple(tuple(sorted(set(column) - {""})) for column in codes),
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
    """All series of a panel in flat arrays, from which windows are cut by (series, origin).

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
        self.lengths = np.array([len(s) for s in panel], dtype=np.int64)
        # Before and behind each series lie steps that count as not observed, so that every window can be cut whole.
        before, behind = max(lookback, max(lags, default=1)), horizon
        self._offset = np.concatenate([[0], np.cumsum(self.lengths + before + behind)[:-1]]) + before
        total = int((self.lengths + before + behind).sum())
        self._y = np.full(total, np.nan)
        n_past, n_known = panel.series[0].past.shape[1], panel.series[0].known.shape[1]
        self._past = np.zeros((total, 2 * n_past), dtype=np.float32)
        self._known = np.zeros((total, 2 * n_known), dtype=np.float32)
        positions = np.zeros(total, dtype=np.int64)
        for offset, s in zip(self._offset, panel, strict=True):
            n = len(s)
            self._y[offset : offset + n] = s.y
            self._past[offset : offset + n] = _standardise(s.past, scaler.past)
            reach = min(len(s.known), n + horizon)
            self._known[offset : offset + reach] = _standardise(s.known[:reach], scaler.known)
            positions[offset - before : offset + n + behind] = s.start + np.arange(-before, n + behind)
        names = panel.frequency.calendar_names
        used = [names.index(name) for name in (names if features is None else features)]
        calendar = panel.frequency.calendar(positions)[:, used]
        if not names and seasons:
            turns = positions[:, None] / np.array([season / k for season in seasons for k in HARMONICS])
            calendar = np.concatenate([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1)
        self._calendar = calendar.astype(np.float32)
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
        known, calendar = self._known.shape[1], self._calendar.shape[1]
        past = self._past.shape[1] + known
        return {"past": past, "calendar": calendar, "future": known + calendar, "static": self._static.shape[1]}

    def observed(self, series: IntArray, origins: IntArray) -> FloatArray:
        """What came after the given origins, (B, H), NaN where nothing was observed."""
        came: FloatArray = self._y[(self._offset[series] + origins)[:, None] + self._ahead]
        return came

    def cut(self, series: IntArray, origins: IntArray) -> tuple[Batch, Units]:
        """Windows of the given series at the given origins, both of shape (B,)."""
        import torch

        from longshort.tasks.forecast.network import Batch

        arrays, units = self.arrays(series, origins)
        return Batch(**{name: torch.from_numpy(values) for name, values in arrays.items()}), units

    def arrays(self, series: IntArray, origins: IntArray) -> tuple[Arrays, Units]:
        """The same as NumPy arrays, by the names of `Batch`."""
        at = self._offset[series] + origins
        past, ahead = at[:, None] + self._back, at[:, None] + self._ahead
        y = self._y[past]
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
        lagged, lagged_seen = standardise(self._y[at[:, None, None] + self._lagged], (-1, 1, 1))
        target, target_seen = standardise(self._y[ahead], (-1, 1))
        arrays: Arrays = {
            "y": standard,
            "observed": seen,
            "lagged": lagged,
            "lagged_observed": lagged_seen,
            "past": _single(np.concatenate([self._past[past], self._known[past]], axis=-1)),
            "calendar": _single(self._calendar[past]),
            "future": _single(np.concatenate([self._known[ahead], self._calendar[ahead]], axis=-1)),
            "static": _single(self._static[series]),
            "categories": self._categories[series],
            "target": target,
            "target_observed": target_seen,
            "weight": _single(scale / naive),
        }
        return arrays, Units(location, scale)


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
