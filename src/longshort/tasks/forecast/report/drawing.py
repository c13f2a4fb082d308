"""What the pictures of a forecaster share: lines, units and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from longshort.data import Series
from longshort.report import OURS, RIVALS, Spec, plain, times

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster

IntArray = NDArray[np.int64]

LINES = {"Naive": RIVALS[0], "SeasonalNaive": RIVALS[1], "AutoETS": RIVALS[2]}


def lines_of(forecaster: Forecaster) -> dict[str, Spec]:
    """How each model is drawn, in every picture, ours first."""
    ours, scores = forecaster.fitted.model.name, forecaster.fitted.scores
    rivals = [m for m in scores.overall if m != ours] if scores else []
    return {ours: OURS, **{m: LINES.get(m, RIVALS[-1]) for m in rivals}}


def unit_of(forecaster: Forecaster, series: Series) -> str:
    """Title of an axis with values of a series."""
    targets = forecaster.fitted.panel.columns.targets
    return plain(targets[0] if len(targets) == 1 else series.id)


def times_of(forecaster: Forecaster, series: Series, steps: IntArray) -> list[Any]:
    """Times of steps of a series, for a figure."""
    return list(times(forecaster.fitted.panel.frequency.times(series.start + steps)))
