"""Backtests and their scores: the field's metrics for every model over the same windows, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from longshort.scores import Metric, Scores
from longshort.wording import numbers, percent

# A difference of mean errors counts as clear beyond this many standard errors of its paired windows.
CLEAR = 1.96
PAIRS_NEEDED = 8


def quantile_column(model: str, level: float) -> str:
    """Name of the column that holds one quantile of one model."""
    return f"{model}-q{level:g}"


def _shares(found: Sequence[float | None]) -> list[str]:
    return [percent(v, 1) for v in found]


def _thousandths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:.3f}" for v in found]


def _percentages(found: Sequence[float | None]) -> list[str]:
    return [text if text == "–" else f"{text}\u00a0%" for text in numbers(found, 3)]


METRICS = {
    "MASE": Metric(
        "Mean absolute error over that of the seasonal-naive forecast inside the training data, mean over the series: "
        "below 1 is better than repeating the last season was. Low is good.",
        show=_thousandths,
    ),
    "sMAPE": Metric(
        "Mean of the error over the mean size of forecast and value; not to be trusted near zero. Low is good.",
        show=_percentages,
    ),
    "MAE": Metric("Mean absolute error, in the units of the data. Low is good."),
    "RMSE": Metric("Root of the mean squared error, in the units of the data: large misses count more. Low is good."),
    "CRPS": Metric(
        "Error of all quantiles together over the mean size of the values (weighted quantile loss): judges the whole "
        "fan, not its middle alone. Low is good."
    ),
    "coverage 80%": Metric(
        f"Share of the values inside the {percent(0.8)} interval. Near {percent(0.8)} is good, above it is as wrong as "
        "below.",
        0.8,
        _shares,
        title=f"coverage {percent(0.8)}",
    ),
}


@dataclass(frozen=True)
class ForecastScores(Scores):
    """Scores of several models over one backtest.

    MASE, sMAPE (percent), MAE and RMSE are means over the series; CRPS is the weighted quantile loss over all of them
    (twice the pinball loss over the sum of |y|, mean over the levels; Rangapuram et al. 2021); coverage is the share of
    values inside the 80 % interval.

    Attributes:
        per_series: columns `unique_id`, `metric` and one per model.
        windows: number of pairs of series and origin.
    """

    metrics: ClassVar[Mapping[str, Metric]] = METRICS

    per_series: pl.DataFrame
    windows: int

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        rows = self.per_series.to_dict(as_series=False)
        return {**super().to_json(), "windows": self.windows, "per_series": rows}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ForecastScores:
        """The inverse of `to_json`."""
        return cls(values["overall"], values["verdict"], pl.DataFrame(values["per_series"]), values["windows"])


def score(
    forecasts: pl.DataFrame, models: Sequence[str], quantiles: Sequence[float], naive_error: Mapping[str, float]
) -> ForecastScores:
    """Score every model on the same windows; rows whose `y` is missing do not count.

    Args:
        forecasts: columns `unique_id`, `cutoff`, `step`, `y` and, for each model, its median and its quantiles.
        models: names of the models, ours first.
        quantiles: levels present.
        naive_error: in-sample seasonal-naive error by series, the denominator of MASE (Hyndman & Koehler 2006).
    """
    from utilsforecast import losses

    seen = forecasts.drop_nulls("y").sort("unique_id", "cutoff", "step")
    names, levels = list(models), np.array(quantiles)
    point = seen.drop("cutoff")
    by_quantile = {m: [quantile_column(m, q) for q in quantiles] for m in names}
    scale = pl.DataFrame({"unique_id": list(naive_error), "scale": list(naive_error.values())})

    def over_scale(errors: pl.DataFrame) -> pl.DataFrame:
        scaled = errors.join(scale, on="unique_id", maintain_order="left")
        return scaled.with_columns(pl.col(m) / pl.col("scale") for m in names).drop("scale")

    mae = losses.mae(point, names)
    tables = {
        "MASE": over_scale(mae),
        # utilsforecast leaves out the factor 2 of M4's definition
        "sMAPE": losses.smape(point, names).with_columns(pl.col(m) * 200 for m in names),
        "MAE": mae,
        "RMSE": losses.rmse(point, names),
        "CRPS": losses.scaled_crps(point, by_quantile, levels),
    }
    together = point.with_columns(pl.lit("all").alias("unique_id"))
    means: dict[str, dict[str, float]] = {
        metric: table.select(names).mean().to_dicts()[0] for metric, table in tables.items()
    }
    means["CRPS"] = losses.scaled_crps(together, by_quantile, levels).select(names).to_dicts()[0]
    if 0.1 in quantiles and 0.9 in quantiles:
        interval = point.with_columns(
            pl.col(quantile_column(m, q)).alias(f"{m}-{side}-80")
            for m in names
            for q, side in ((0.1, "lo"), (0.9, "hi"))
        )
        tables["coverage 80%"] = losses.coverage(interval, names, 80)
        together = interval.with_columns(pl.lit("all").alias("unique_id"))
        means["coverage 80%"] = losses.coverage(together, names, 80).select(names).to_dicts()[0]
    per_series = pl.concat(
        [table.select("unique_id", pl.lit(metric).alias("metric"), *names) for metric, table in tables.items()]
    )
    overall = {m: {metric: _finite(values[m]) for metric, values in means.items()} for m in names}
    pairs = over_scale(losses.mae(seen, names))
    per_series = per_series.with_columns(pl.when(pl.col(m).is_finite()).then(pl.col(m)).alias(m) for m in names)
    return ForecastScores(overall, _verdict(overall, pairs, names, tables["MASE"]), per_series, len(pairs))


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _verdict(
    overall: Mapping[str, Mapping[str, float | None]], pairs: pl.DataFrame, names: Sequence[str], mase: pl.DataFrame
) -> str:
    """Who wins by MASE, whether that is clear, and on how many series."""
    ours, rivals = names[0], names[1:]
    value = {m: overall[m]["MASE"] for m in names}
    if not rivals or any(v is None for v in value.values()):
        return f"{ours} was evaluated alone."
    if not any(value.values()):
        return "Every model is exact."
    best = min(rivals, key=lambda m: value[m] or 0.0)
    difference = (pairs[ours] - pairs[best]).to_numpy()
    mean = float(difference.mean())
    gain = (value[best] or 0.0) - (value[ours] or 0.0)  # over the series, which may have unequally many windows
    clear = False
    if len(difference) < PAIRS_NEEDED:
        basis = f"over {len(difference)} window{'s' if len(difference) > 1 else ''}, too few to be sure"
    elif -mean * np.sign(gain) <= CLEAR * float(difference.std(ddof=1)) / np.sqrt(len(difference)):
        basis = f"a difference within the noise of {len(difference)} windows"
    else:
        basis, clear = f"over {len(difference)} windows", True
    if gain > 0:
        subject = f"{ours} {'beats' if clear else 'is ahead of'} every baseline"
        sentence = f"{subject}: MASE {value[ours]:.3f}, next {best} {value[best]:.3f} ({basis})."
    else:
        subject = f"{best} {'wins' if clear else 'is ahead'}"
        sentence = f"{subject}: MASE {value[best]:.3f}, {ours} {value[ours]:.3f} ({basis})."
    if len(mase) > 1:
        wins = int((mase[ours] < mase.select(pl.min_horizontal(rivals)).to_series()).sum())
        sentence += f" Series by series, {ours} is best on {wins} of {len(mase)}."
    if "Naive" in rivals and (value["Naive"] or 0.0) <= (value[ours] or 0.0):
        sentence += " A random walk (Naive: the last value repeated) is not beaten."
    return sentence
