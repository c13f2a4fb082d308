"""Which season lengths are really in the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from longshort.data.panel import Panel

FloatArray = NDArray[np.float64]

_MOST_SERIES = 200  # looked at
_MOST_STEPS = 20_000  # of a series, the latest ones
_MOST_LAG = 400  # among integer steps, whose seasons nobody names


def find_seasons(panel: Panel, max_lag: int | None = None) -> tuple[int, ...]:
    """At most two season lengths in steps that show in the data, shortest first.

    Candidates are the natural seasons of the frequency and, for integer steps, the peaks of the autocorrelation up to
    `max_lag`. A season counts if the series, freed of all that is slower, resembles itself one season later, more than
    a random walk would by chance (in a third of up to 200 series at least). A longer one must also show in what is
    left after averaging over the shorter one. Needs two full seasons of data.
    """
    stride = max(1, math.ceil(len(panel) / _MOST_SERIES))
    sample = [_level(series.y[-_MOST_STEPS:]) for series in list(panel)[::stride] if len(series) >= 4]
    if not sample:
        return ()
    longest = max(len(values) for values in sample) // 2
    limit = min(longest, max_lag or longest)
    if panel.frequency.unit == "step":
        candidates = _search(sample, min(limit, max_lag or _MOST_LAG))
    else:
        candidates = [season for season in panel.frequency.seasons() if season <= limit]
    found: list[int] = []
    for season in candidates:
        if len(found) < 2 and _excess(sample, season, after=found[0] if found else 1) > 0:
            found.append(season)
    return tuple(found)


def _excess(sample: Sequence[FloatArray], season: int, after: int = 1, strictness: float = 1.0) -> float:
    """By how much a season exceeds chance, beside one of `after` steps that is known to be there.

    `strictness` is 1 for a season that was expected; one that was searched for must exceed chance by more.
    """
    excess = []
    for values in sample:
        if len(values) < 2 * season:
            continue
        if after > 1:
            values = values - _phase_means(values, after)
        values = values - _average(values, season)
        here = _autocorrelation(values, season)
        # Measured on random walks: what 95 to 99 of 100 stay below.
        by_chance = max(0.1, 0.9 * math.sqrt(season / len(values)))
        if after > 1 and season % after == 0:
            # Where the shorter season changes slowly all its multiples correlate; this one must do so more than the
            # two beside it.
            here -= max(_autocorrelation(values, season - after), _autocorrelation(values, season + after))
            by_chance = max(0.05, 3 / math.sqrt(len(values)))
        excess.append(here - strictness * by_chance)
    return float(np.quantile(excess, 2 / 3)) if excess else -1.0


def _search(sample: Sequence[FloatArray], limit: int) -> list[int]:
    """The season up to `limit` steps that repeats best, and the best of its multiples; to be judged again."""
    limit = min(limit, max(len(values) for values in sample) // 3)
    judged = [values for values in sample if len(values) >= 3 * limit]
    if limit < 2:
        return []
    lags = min(len(values) for values in judged) // 2
    # Differences hide what is slow; the series itself shows seasons that noise hides in differences.
    for prepared in ([np.diff(values) for values in judged], [values - _average(values, limit) for values in judged]):
        correlation = np.median([_correlogram(values, lags) for values in prepared], axis=0)
        combs = np.array([_comb(correlation, lag) for lag in range(limit + 1)])
        best = int(np.argmax(combs))
        # Multiples of a season do as well as itself.
        season = next(lag for lag in range(2, best + 1) if best % lag == 0 and combs[lag] >= 0.6 * combs[best])
        if combs[season] > 0 and _excess(judged, season, strictness=2.0) > 0:
            excess = {lag: _excess(sample, lag, season, strictness=1.5) for lag in range(2 * season, limit + 1, season)}
            best_excess = max(excess.values(), default=0.0)
            longer = [lag for lag in excess if excess[lag] >= 0.5 * best_excess > 0]
            return [season, *longer[:1]]
    return []


def _comb(correlation: FloatArray, lag: int) -> float:
    """How much higher the autocorrelation is at the first multiples of a lag than halfway between them."""
    if lag < 2:
        return -1.0
    teeth = lag * np.arange(1, 7)
    teeth = teeth[teeth < len(correlation)]
    return float(correlation[teeth].mean() - correlation[teeth - (lag + 1) // 2].mean()) if len(teeth) else -1.0


# -- on one series, NaN where values are missing -----------------------------------------------------------------------


def _level(values: FloatArray) -> FloatArray:
    """A series without its straight trend, scaled, shape (T,)."""
    seen = ~np.isnan(values)
    largest = np.abs(values[seen]).max(initial=0.0)
    if seen.sum() < 3 or largest == 0:
        return values
    values = values / largest
    time = np.arange(len(values)) - len(values) / 2
    slope, height = np.polyfit(time[seen], values[seen], 1)
    level: FloatArray = values - slope * time - height
    return level


def _average(values: FloatArray, width: int) -> FloatArray:
    """Centred moving average over `width` steps (fewer at the ends and where values are missing), shape (T,)."""
    seen = ~np.isnan(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(seen, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(seen)))
    steps = np.arange(len(values))
    begin = np.maximum(steps - width // 2, 0)
    end = np.minimum(steps - width // 2 + width, len(values))
    count = counts[end] - counts[begin]
    return np.where(count > 0, (sums[end] - sums[begin]) / np.maximum(count, 1), np.nan)


def _phase_means(values: FloatArray, season: int) -> FloatArray:
    """The mean over all steps of the same place in the season, shape (T,)."""
    rows = np.full((-(-len(values) // season), season), np.nan)
    rows.ravel()[: len(values)] = values
    count = (~np.isnan(rows)).sum(axis=0)
    means = np.nansum(rows, axis=0) / np.maximum(count, 1)
    return np.tile(means, len(rows))[: len(values)]


def _autocorrelation(values: FloatArray, lag: int) -> float:
    """Correlation of a series of mean 0 with itself `lag` steps later, over the pairs that are there."""
    products = values[:-lag] * values[lag:]
    variance = np.nanmean(values**2) if not np.isnan(values).all() else 0.0
    if np.isnan(products).all() or variance < 1e-20:
        return 0.0
    return float(np.nanmean(products) / variance)


def _correlogram(values: FloatArray, limit: int) -> FloatArray:
    """The autocorrelation at lags 0 to `limit`, shape (limit + 1,), by fast Fourier transform."""
    seen = ~np.isnan(values)
    size = 1 << (2 * len(values) - 1).bit_length()

    def overlap(signal: FloatArray) -> FloatArray:
        spectrum = np.fft.rfft(signal, size)
        return np.fft.irfft(spectrum * spectrum.conj(), size)[: limit + 1]

    values = np.where(seen, values, 0.0)
    pairs = np.maximum(overlap(seen.astype(np.float64)).round(), 1)
    covariance = overlap(values) / pairs
    return covariance / covariance[0] if covariance[0] > 1e-20 else np.zeros(limit + 1)
