"""The forecasts that an LSTM has to beat: naive, seasonal naive and AutoETS, all from statsforecast."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from longshort.data import Panel
from longshort.tasks.forecast.backtest import Backtest
from longshort.tasks.forecast.evaluation import quantile_column

# Steps of history that AutoETS is given: exponential smoothing forgets what lies further back.
ETS_HISTORY = 2000


def forecast_baselines(
    panel: Panel, backtest: Backtest, *, season: int, quantiles: Sequence[float], models: Sequence[str]
) -> pl.DataFrame:
    """Baseline forecasts for every window of a backtest, refitted at every origin.

    Missing values are carried forward for the baselines, which cannot do without.

    Args:
        panel: the whole series, the tested steps included.
        backtest: which windows.
        season: steps of the season, 1 where there is none.
        quantiles: levels to forecast, from the baselines' Gaussian intervals.
        models: some of "Naive", "SeasonalNaive", "AutoETS".

    Returns:
        Columns `unique_id`, `cutoff`, `step` and, for each model, its point forecast and its quantiles.
    """
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    from statsforecast import StatsForecast
    from statsforecast import models as sf

    makers: dict[str, Callable[[], Any]] = {
        "Naive": lambda: sf.Naive(alias="Naive"),
        "SeasonalNaive": lambda: sf.SeasonalNaive(season_length=season, alias="SeasonalNaive"),
        "AutoETS": lambda: sf.AutoETS(season_length=season, alias="AutoETS"),
    }
    long = pl.concat(
        [
            pl.DataFrame({"unique_id": s.id, "ds": range(len(s)), "y": s.y}, schema_overrides={"ds": pl.Int64})
            for s in panel
        ]
    ).with_columns(pl.col("y").fill_nan(None).forward_fill().backward_fill().over("unique_id"))
    levels = sorted({_level(q) for q in quantiles if q != 0.5})
    tables = []
    for name in models:
        engine: Any = StatsForecast(models=[makers[name]()], freq=1, n_jobs=1, fallback_model=sf.Naive())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = engine.cross_validation(
                h=backtest.horizon,
                df=long,
                test_size=backtest.test_size,
                step_size=backtest.step_size,
                n_windows=None,  # follows from the two sizes
                level=levels,
                input_size=ETS_HISTORY if name == "AutoETS" else None,
            )
        columns = [
            pl.col("unique_id"),
            (pl.col("cutoff") + 1).alias("cutoff"),
            (pl.col("ds") - pl.col("cutoff") - 1).alias("step"),
            pl.col(name),
            *(_quantile(name, q).alias(quantile_column(name, q)) for q in quantiles),
        ]
        tables.append(table.select(columns))
    result = tables[0]
    for table in tables[1:]:
        result = result.join(table, on=["unique_id", "cutoff", "step"])
    return _completed(result, quantiles, models)


def _completed(table: pl.DataFrame, quantiles: Sequence[float], models: Sequence[str]) -> pl.DataFrame:
    """Where a history is too short for a model, as one season is for the seasonal naive one, Naive takes its place."""
    if "Naive" not in models:
        return table
    for name in models:
        table = table.with_columns(pl.col(name).fill_nan(pl.col("Naive")))
        table = table.with_columns(
            pl.col(quantile_column(name, q)).fill_nan(
                pl.col(name) + pl.col(quantile_column("Naive", q)) - pl.col("Naive")
            )
            for q in quantiles
        )
    return table


def _level(q: float) -> float | int:
    """The level, in percent, of the symmetric interval that has `q` as a bound; a whole number as an int."""
    level = round(abs(100 - 200 * q), 6)
    return int(level) if level == int(level) else level


def _quantile(name: str, q: float) -> pl.Expr:
    """A quantile out of statsforecast's symmetric intervals."""
    return pl.col(name) if q == 0.5 else pl.col(f"{name}-{'lo' if q < 0.5 else 'hi'}-{_level(q)}")
