"""Forecasters: quantiles of the steps to come, after what a run keeps, after new rows, or value by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.panel import Panel, Series
from longshort.errors import InputError
from longshort.runtime.functions import gelu, softmax, softplus
from longshort.runtime.layers import Recurrent
from longshort.runtime.weights import Weights
from longshort.settings import tuples
from longshort.tasks.forecast import history
from longshort.tasks.forecast.config import ForecastConfig, Plan
from longshort.tasks.forecast.rows import continued, need_future, wanted
from longshort.tasks.forecast.windows import Scaler, WindowStore, error_scale, make_store

FloatArray = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
Columns = dict[str, NDArray[Any]]

# Windows that are computed at once.
BATCH = 256


class Forecaster:
    """What `longshort.Forecaster` forecasts, without PyTorch. Made by `longshort.runtime.load`."""

    def __init__(
        self,
        config: ForecastConfig,
        plan: Plan,
        scaler: Scaler,
        networks: Sequence[Network],
        naive_error: Mapping[str, float],
        interval_factor: float,
        panel: Panel,
    ) -> None:
        self._config, self._plan, self._scaler, self._networks = config, plan, scaler, networks
        self._naive_error, self._interval_factor, self._panel = naive_error, interval_factor, panel

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> Forecaster:
        """From a run of the task "forecast"."""
        config, model = ForecastConfig.from_dict(settings), run.read_json("model.json")
        weights = Weights.of(run)
        return cls(
            config=config,
            plan=Plan.from_dict(model["plan"]),
            scaler=Scaler(**tuples(model["scaler"])),
            networks=[Network(config, model["dimensions"], weights.under(str(k))) for k in range(config.members)],
            naive_error=model["naive_error"],
            interval_factor=model["interval_factor"],
            panel=history.unpack(run.read_tensors("history.safetensors"), run.read_json("history.json")),
        )

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that the run keeps."""
        return tuple(s.id for s in self._panel)

    def predict(self, data: Any = None, *, levels: Sequence[float] = (80,), quantiles: Sequence[float] = ()) -> Columns:
        """Forecast the steps after the last known value of every series.

        Args:
            data: newer rows of the series, or other series, as `longshort.Forecaster.predict` takes them; a path or
                table needs Polars and Narwhals to be read, a `longshort.data.Panel` nothing. None for those that the
                run keeps.
            levels: central intervals to give, in percent: 80 gives columns `lo-80` and `hi-80`.
            quantiles: further quantiles to give: 0.9 gives a column `q0.9`.

        Returns:
            `unique_id`, `ds`, `forecast` (the median) and what `levels` and `quantiles` ask for, a row for each series
            and step.

        Raises:
            InputError: the data cannot be used, or a level lies outside of the learnt ones.
        """
        return self._forecast(self._panel if data is None else _continued(self._panel, data), levels, quantiles)

    def stream(self, series: str | None = None) -> Live:
        """Forecast one series anew with every value that comes.

        Args:
            series: its name; not needed where the run keeps but one.

        Raises:
            InputError: there is no such series, or it has columns that must be known in advance.
        """
        if series is None and len(self._panel) > 1:
            raise InputError(f"the run keeps {len(self._panel):,} series: name the one to go on with")
        found = [s for s in self._panel if series in (None, s.id)]
        if not found:
            raise InputError(f"the run keeps no series {series!r}: give one of `series`, or predict from a table")
        if self._panel.columns.known:
            raise InputError("columns known in advance cannot come value by value: give rows to predict")
        return Live(self, found[0].tail(self._plan.reach))

    def _forecast(self, panel: Panel, levels: Sequence[float], quantiles: Sequence[float]) -> Columns:
        horizon, learnt = self._config.horizon, np.array(self._config.quantiles)
        asked = wanted(levels, quantiles, self._config.quantiles)
        need_future(panel, horizon)
        errors = {s.id: self._naive_error.get(s.id) or error_scale(s.y, self._plan.metric_season) for s in panel}
        store = make_store(panel, self._plan, horizon, self._scaler, errors)
        answers = self._quantiles(store, np.arange(len(panel)), store.lengths).reshape(-1, len(learnt))
        return {
            "unique_id": np.repeat(np.array([s.id for s in panel], dtype=object), horizon),
            "ds": np.concatenate([panel.frequency.times(s.end + np.arange(horizon)) for s in panel]),
            **{name: np.array([np.interp(q, learnt, row) for row in answers]) for name, q in asked.items()},
        }

    def _quantiles(
        self, store: WindowStore, series: NDArray[np.int64], origins: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """In the units of the data, (B, H, Q)."""
        middle, found = self._config.quantiles.index(0.5), []
        for k in range(0, len(series), BATCH):
            windows, units = store.arrays(series[k : k + BATCH], origins[k : k + BATCH])
            mean = np.mean([network(windows).astype(np.float64) for network in self._networks], 0)
            median = mean[..., [middle]]
            found.append(units.restore(median + self._interval_factor * (mean - median)))
        return np.concatenate(found)


class Live:
    """A series that grows value by value, and its forecast: `live.add(value)`, then `live.forecast()`."""

    def __init__(self, forecaster: Forecaster, series: Series) -> None:
        self._forecaster, self._series, self._reach = forecaster, series, len(series)

    def add(self, value: float, past: Sequence[float] = ()) -> None:
        """The next value, NaN where it is missing, with those of the exogenous columns, where there are any."""
        s = self._series
        width = s.past.shape[1]
        if len(past) not in (0, width):
            raise InputError(f"there are {width} exogenous columns, not {len(past)}: give a value for each, or none")
        row = np.array([past or [np.nan] * width], dtype=np.float64)
        self._series = replace(s, y=np.append(s.y, value), past=np.concatenate([s.past, row])).tail(self._reach)

    def forecast(self, *, levels: Sequence[float] = (80,), quantiles: Sequence[float] = ()) -> Columns:
        """The steps after the last value, as `Forecaster.predict` gives them."""
        panel = replace(self._forecaster._panel, series=(self._series,))
        return self._forecaster._forecast(panel, levels, quantiles)


class Network:
    """The equations of `longshort.tasks.forecast.network`, in evaluation."""

    def __init__(self, config: ForecastConfig, dims: Mapping[str, Any], weights: Weights) -> None:
        self._dims, self._weights = dims, weights
        self._middle = config.quantiles.index(0.5)
        self._recurrent = None if config.cell == "none" else Recurrent(config.cell, weights.under("recurrent"))

    def __call__(self, batch: Arrays) -> NDArray[np.float32]:
        """Standardised quantiles, (B, H, Q), of windows by the names of `network.Batch`."""
        w = self._weights
        context = self._context(batch)
        hidden: FloatArray = w["step"][None]
        if "from_context.weight" in w:
            hidden = hidden + w.linear("from_context", context)[:, None]
        if "from_future.weight" in w:
            hidden = hidden + w.linear("from_future", batch["future"])
        hidden = np.broadcast_to(gelu(hidden), (len(batch["y"]), *hidden.shape[1:]))
        gate = np.where(batch["lagged_observed"] == 0, np.float32(-1e4), w.linear("gate", hidden))
        copies = (softmax(gate) * batch["lagged"]).sum(-1)
        learnt = w.linear("lift", hidden)[..., 0]
        if "direct.weight" in w:
            learnt = learnt + w.linear("direct", context)
        linear = w.linear("linear", batch["y"][:, -self._dims["linear"] :])
        median = (copies + w["trust"] * (linear + learnt))[..., None]
        steps = softplus(w.linear("spread", hidden) - 1)
        above = steps[..., self._middle + 1 :].cumsum(-1)
        below = steps[..., : self._middle][..., ::-1].cumsum(-1)[..., ::-1]
        return np.concatenate([median - below, median, median + above], -1)

    def _context(self, batch: Arrays) -> FloatArray:
        """What is known of the whole window, (B, context)."""
        codes = batch["categories"].T
        parts = [batch["static"]] if self._dims["static"] else []
        parts += [self._weights[f"category_embeddings.{k}.weight"][code] for k, code in enumerate(codes)]
        if self._recurrent is not None:
            y, _ = self._recurrent(self._patches(batch).transpose(1, 0, 2))
            parts.append(y[-1])
        return np.concatenate(parts, -1) if parts else np.zeros((len(batch["y"]), 0), np.float32)

    def _patches(self, batch: Arrays) -> FloatArray:
        patch = self._dims["patch"]
        steps = np.concatenate([batch["y"][..., None], batch["observed"][..., None], batch["past"]], -1)
        steps = steps.reshape(len(steps), self._dims["lookback"] // patch, -1)
        last = batch["calendar"][:, patch - 1 :: patch]
        return gelu(self._weights.linear("embed", np.concatenate([steps, last], -1)))


def _continued(known: Panel, data: Any) -> Panel:
    try:
        return continued(known, data)
    except ImportError as error:
        raise InputError(f"reading tables needs Polars: pip install polars narwhals ({error})") from None
