"""The one window that the report looks into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from longshort.data import Series
from longshort.tasks.forecast.network import Batch
from longshort.tasks.forecast.report.choice import choose_series, shown_windows
from longshort.tasks.forecast.report.drawing import times_of

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster


@dataclass(frozen=True)
class Window:
    """The window that is looked into: the last one of the first series shown.

    Attributes:
        series: the series.
        origin: steps before the horizon.
        batch: what the networks see of it.
        location, scale: from standardised values to those of the data.
        words: which one it is.
    """

    series: Series
    origin: int
    batch: Batch
    location: float
    scale: float
    words: str

    @classmethod
    def of(cls, forecaster: Forecaster) -> Window:
        """The window of a fitted forecaster."""
        fitted = forecaster.fitted
        series = next(iter(choose_series(forecaster)[0].values()))
        windows = shown_windows(forecaster, series)
        origin = windows[-1][0] if windows else len(series)
        store = fitted.model.store(replace(fitted.panel, series=[series]))
        batch, units = store.cut(np.array([0]), np.array([origin]))
        last = times_of(forecaster, series, np.array([origin - 1]))[0]
        of = f" of {series.id}" if len(fitted.panel) > 1 else ""
        words = f"The window is that of the {fitted.model.dims.lookback} steps{of} up to {last}."
        return cls(series, origin, batch, float(units.location[0, 0]), float(units.scale[0, 0]), words)
