"""Inside the recurrent layer: its gates and states over one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from longshort.report import Above, Layer, Section, explorer, memory, timescales, visible
from longshort.report.gates import KEEPERS
from longshort.tasks.forecast.report.drawing import times_of
from longshort.tasks.forecast.report.window import Window

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster


def inside_section(forecaster: Forecaster, window: Window) -> Section:
    """The gates and states of the recurrent layer over one window."""
    import torch

    title, model, cell = "Inside the recurrent layer", forecaster.fitted.model, forecaster.config.cell
    network, dims, series = model.networks[0], model.dims, window.series
    if network.recurrent is None:
        return Section(title, "This model has no recurrent layer (cell “none”), so there are no gates to show.", [])
    with torch.no_grad():
        trace = network.recurrent.trace(network.patches(window.batch))
    states = {key: getattr(trace, key)[-1, 0, 0].double().numpy() for key in trace._fields}
    steps = window.origin + np.arange(-dims.lookback, 0)
    y = np.where(steps >= 0, series.y[np.maximum(steps, 0)], np.nan)
    count = dims.lookback // dims.patch
    labels = [str(time).removesuffix("T00:00:00").replace("T", " ") for time in times_of(forecaster, series, steps)]
    layers = f"layer {network.recurrent.num_layers} of {network.recurrent.num_layers}"
    which = layers if network.recurrent.num_layers > 1 else "the layer"
    member = f" of the first of {len(model.networks)} networks" if len(model.networks) > 1 else ""
    read = f"{count} patches of {dims.patch} steps" if dims.patch > 1 else f"{count} steps"
    targets = forecaster.fitted.panel.columns.targets
    keeps = dims.patch * timescales(states[KEEPERS[cell]]) if cell in KEEPERS else None
    maps = explorer(
        [Layer(which, cell, states, keeps)],
        Above(labels, curves={visible(targets[0] if len(targets) == 1 else series.id): y}),
        stride=dims.patch,
        caption=f"{window.words} Shown is {which}{member}, which reads it in {read}.",
    )
    return Section(title, memory(cell, states, dims.patch), [maps])
