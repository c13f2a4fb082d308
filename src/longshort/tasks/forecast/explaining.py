"""What is looked at to explain a forecaster: the window before the forecast, and earlier windows beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.data import Panel
from longshort.errors import InputError
from longshort.explainable import Explainable, first_of, sequences
from longshort.tasks.forecast.model import ForecastModel
from longshort.tasks.forecast.network import Batch
from longshort.tasks.forecast.windows import make_store

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster

IntArray = NDArray[np.int64]


def explainable(forecaster: Forecaster, panel: Panel, place: int) -> Explainable:
    """The first network, and its forecast after the end of a series.

    The answer is the median of every step of the horizon, in units of each window's own scale. All of it comes from
    what was read: the seasonal copies too are values of the window. What is known of the horizon stays as it is.

    Args:
        forecaster: fitted.
        panel: series.
        place: which of them.
    """
    model = forecaster.fitted.model
    network, dims, plan = model.networks[0], model.dims, model.plan
    if network.recurrent is None:
        raise InputError('this run has no recurrent layer (cell "none"): there is nothing to explain')
    series = panel.series[place]
    several = _windows(panel, place, plan.reach)
    if len(several) < 2:
        raise InputError(f"series {series.id!r} is the only one and too short for a second window: give more rows")
    chosen, origins = np.array(several).T
    batch, inputs = _inputs(model, panel, chosen, origins)
    steps, lookback, patch = inputs.shape[1], dims.lookback, dims.patch
    calendar = slice(inputs.shape[2] - dims.calendar, None)
    lags = np.array(plan.lags)
    copied = torch.from_numpy(steps + np.arange(dims.horizon)[:, None] % lags - lags)

    def answer(x: Tensor) -> Tensor:
        # Sequences that are made of these, as many as one likes, are asked about the first one's horizon.
        first = Batch(*(part[:1].expand(len(x), *part.shape[1:]) for part in batch))
        read = x[:, -lookback:]
        window = first._replace(
            y=read[..., 0],
            observed=read[..., 1],
            past=read[..., 2 : 2 + dims.past],
            calendar=read[..., calendar],
            lagged=x[:, copied, 0],
            lagged_observed=(x[:, copied, 1] > 0.5).to(x.dtype),
        )
        return network.parts(window).median

    times = panel.frequency.times(series.start + len(series) + np.arange(-steps, 0))
    y = np.concatenate([np.full(max(steps - len(series), 0), np.nan), series.y[-steps:]])
    target = panel.columns.targets[0] if len(panel.columns.targets) == 1 else series.id
    count = network.recurrent.num_layers
    others = f"{len(several) - 1} other windows of the {'series' if len(panel) > 1 else 'same series'}"
    name = f"the series {series.id!r}" if len(panel) > 1 else "the series"
    return Explainable(
        inputs=inputs,
        answer=answer,
        outcomes=[f"step {k + 1}" for k in range(dims.horizon)],
        probabilities=False,
        question=f"what the next {dims.horizon} steps will be",
        layers={"layer" if count == 1 else f"layers 1 to {count}": network.recurrent},
        labels=[_label(time) for time in times],
        source=f"Looked at are the last {steps:,} steps of {name}{first_of(len(model.networks))}. Beside "
        f"them stand {others}. All windows are standardised each on its own.",
        channels=_channels(model, panel, target),
        drawn={target: y},
        stride=patch,
        unit="standard deviations of the window, from its level",
    )


def _windows(panel: Panel, place: int, reach: int) -> list[tuple[int, int]]:
    """Series and origin of the window that is looked at, and then of others, evenly spread, full ones if there are."""
    lengths = np.array([len(s) for s in panel])
    counts = first = lengths
    wanted = sequences(reach) - 1
    for least in (reach, 2):
        first = np.minimum(lengths, least)
        counts = lengths - first + 1
        counts[place] -= 1  # its last window is the one that is looked at
        if counts.sum() >= wanted:
            break
    total = int(counts.sum())
    picked = np.unique(np.linspace(0, total - 1, wanted).astype(int)) if total else lengths[:0]
    ends = counts.cumsum()
    of = [int(np.searchsorted(ends, k, side="right")) for k in picked]
    others = [(s, int(first[s] + k - (ends[s] - counts[s]))) for k, s in zip(picked, of, strict=True)]
    return [(place, int(lengths[place])), *others]


def _inputs(model: ForecastModel, panel: Panel, series: IntArray, origins: IntArray) -> tuple[Batch, Tensor]:
    """The windows as the network sees them, and as steps with their channels as far back as anything is looked at."""
    plan, horizon = model.plan, model.config.horizon
    batch, units = model.store(panel).cut(series, origins)
    wide = make_store(panel, replace(plan, lookback=plan.reach), horizon, model.scaler, model.naive_errors(panel))
    far, own = wide.cut(series, origins)
    y = (own.location + own.scale * far.y.double().numpy() - units.location) / units.scale
    y = torch.from_numpy(y).float() * far.observed
    parts = [y.unsqueeze(-1), far.observed.unsqueeze(-1), far.past, far.calendar]
    return batch, torch.cat(parts, dim=-1)


def _channels(model: ForecastModel, panel: Panel, target: str) -> list[str]:
    past = [
        name.format(column)
        for columns in (panel.columns.past, panel.columns.known)
        for name in ("{}", "{} is there")
        for column in columns
    ]
    calendar = list(model.plan.calendar) or [f"season {k + 1}" for k in range(model.dims.calendar)]
    return [target, f"{target} is there", *past, *calendar]


def _label(time: object) -> str:
    text = str(time).removesuffix(".000000")
    return text.removesuffix("T00:00:00").replace("T", " ")
