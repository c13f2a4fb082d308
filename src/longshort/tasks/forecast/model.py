"""A trained forecaster: the networks and all that is needed to ask them about a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from longshort.data import Panel
from longshort.settings import tuples
from longshort.tasks.forecast.backtest import Backtest
from longshort.tasks.forecast.config import ForecastConfig, Plan
from longshort.tasks.forecast.evaluation import quantile_column
from longshort.tasks.forecast.network import Batch, Dimensions, ForecastNetwork
from longshort.tasks.forecast.windows import Scaler, WindowStore, error_scale, make_store

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[np.generic]]

BATCH = 1024


@dataclass(frozen=True)
class ForecastModel:
    """What training leaves behind.

    Attributes:
        config, plan, dims, scaler: settings, sizes and scales.
        networks: one per member; their quantiles are averaged.
        naive_error: in-sample seasonal-naive error by series, from before the test windows.
        interval_factor: factor on the quantiles' distance from the median that makes the intervals cover what they say.
    """

    config: ForecastConfig
    plan: Plan
    dims: Dimensions
    scaler: Scaler
    networks: tuple[ForecastNetwork, ...]
    naive_error: Mapping[str, float]
    interval_factor: float = 1.0

    @property
    def name(self) -> str:
        """How the model is called in tables: its cell."""
        return {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "none": "no recurrence"}[self.config.cell]

    def naive_errors(self, panel: Panel, held_out: int = 0) -> dict[str, float]:
        """Naive error by series: the one from training, or for other series from all but their last steps."""
        return {
            s.id: self.naive_error.get(s.id) or error_scale(s.y[: max(len(s) - held_out, 1)], self.plan.metric_season)
            for s in panel
        }

    def store(self, panel: Panel, held_out: int = 0) -> WindowStore:
        """The windows of a panel as this model sees them."""
        return make_store(panel, self.plan, self.config.horizon, self.scaler, self.naive_errors(panel, held_out))

    def quantiles(self, store: WindowStore, series: IntArray, origins: IntArray) -> FloatArray:
        """Quantiles of the windows at (series, origin), both (B,), in the units of the data, (B, H, Q)."""
        answers = []
        for k in range(0, len(series), BATCH):
            batch, units = store.cut(series[k : k + BATCH], origins[k : k + BATCH])
            answers.append(units.restore(self._standardised(batch)))
        return np.concatenate(answers)

    def _standardised(self, batch: Batch) -> FloatArray:
        with torch.no_grad():
            members = [network(batch) for network in self.networks]
        mean: FloatArray = torch.stack(members).double().mean(0).numpy()
        median = mean[..., self.config.quantiles.index(0.5)][..., None]
        return median + self.interval_factor * (mean - median)

    def backtest(self, panel: Panel, backtest: Backtest) -> pl.DataFrame:
        """Forecasts of every window of a backtest.

        Returns:
            Columns `unique_id`, `cutoff` (steps before the window), `step` (0 to H - 1), `y`, the median under the
            model's name, and its quantiles.
        """
        store = self.store(panel, backtest.test_size)
        origins = np.stack([backtest.origins(int(n)) for n in store.lengths])
        series = np.repeat(np.arange(len(panel)), origins.shape[1])
        flat = origins.ravel()
        answers = self.quantiles(store, series, flat)
        horizon = self.config.horizon
        levels = self.config.quantiles
        return pl.DataFrame(
            {
                "unique_id": np.repeat([s.id for s in panel], origins.shape[1] * horizon),
                "cutoff": np.repeat(flat, horizon),
                "step": np.tile(np.arange(horizon), len(flat)),
                "y": store.observed(series, flat).ravel(),
                self.name: answers[..., levels.index(0.5)].ravel(),
                **{quantile_column(self.name, q): answers[..., k].ravel() for k, q in enumerate(levels)},
            }
        ).with_columns(pl.col("y").fill_nan(None))

    # -- on disk -------------------------------------------------------------------------------------------------------

    def weights(self) -> Arrays:
        """All members' weights, by `member.name`."""
        return {
            f"{k}.{name}": value.numpy()
            for k, net in enumerate(self.networks)
            for name, value in net.state_dict().items()
        }

    def describe(self) -> dict[str, Any]:
        """Everything but the settings and the weights, as JSON."""
        return {
            "plan": self.plan.to_dict(),
            "dimensions": asdict(self.dims),
            "scaler": asdict(self.scaler),
            "naive_error": dict(self.naive_error),
            "interval_factor": self.interval_factor,
        }

    @classmethod
    def restore(cls, config: ForecastConfig, described: Mapping[str, Any], weights: Arrays) -> ForecastModel:
        """The inverse of `describe` and `weights`."""
        dims = Dimensions(**tuples(described["dimensions"]))
        networks = []
        for k in range(config.members):
            with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
                network = make_network(dims, config)
            prefix = f"{k}."
            own = {n.removeprefix(prefix): torch.from_numpy(v) for n, v in weights.items() if n.startswith(prefix)}
            network.load_state_dict(own)
            networks.append(network.eval())
        return cls(
            config=config,
            plan=Plan.from_dict(described["plan"]),
            dims=dims,
            scaler=Scaler(**tuples(described["scaler"])),
            networks=tuple(networks),
            naive_error=described["naive_error"],
            interval_factor=described["interval_factor"],
        )


def make_network(dims: Dimensions, config: ForecastConfig) -> ForecastNetwork:
    """A fresh network of the given size."""
    return ForecastNetwork(dims, config.cell, config.hidden_size, config.num_layers, config.dropout)


def make_dimensions(store: WindowStore, plan: Plan, config: ForecastConfig, scaler: Scaler) -> Dimensions:
    """The network's sizes for the windows of a panel."""
    return Dimensions(
        horizon=config.horizon,
        lookback=plan.lookback,
        patch=plan.patch,
        linear=plan.linear,
        lags=len(plan.lags),
        quantiles=config.quantiles,
        categories=tuple(len(values) + 1 for values in scaler.categories),
        **store.features,
    )
