"""Metrics against formulas written out by hand, baselines against obvious forecasts, verdicts in plain words."""

import itertools

import numpy as np
import polars as pl
import pytest

from longshort.data import Frequency, Panel, Series
from longshort.scores import winners
from longshort.tasks.forecast.backtest import Backtest
from longshort.tasks.forecast.baselines import forecast_baselines
from longshort.tasks.forecast.evaluation import METRICS, ForecastScores, quantile_column, score

LEVELS = (0.1, 0.5, 0.9)
MODELS = ("LSTM", "Naive")


def forecasts(*, series=("a", "b"), windows=3, horizon=4, seed=0, models=MODELS, missing=()):
    rng = np.random.default_rng(seed)
    rows = [
        {"unique_id": s, "cutoff": c, "step": h}
        for s in series
        for c in range(10, 10 + windows)
        for h in range(horizon)
    ]
    columns = {"y": rng.normal(5, 3, len(rows)).tolist()}
    for place in missing:
        columns["y"][place] = None
    for model in models:
        ascending = np.sort(rng.normal(5, 2, (len(rows), len(LEVELS))), axis=1)
        columns[model] = ascending[:, 1]
        columns |= {quantile_column(model, q): ascending[:, k] for k, q in enumerate(LEVELS)}
    return pl.DataFrame(rows).with_columns(**{name: pl.Series(v) for name, v in columns.items()})


NAIVE_ERROR = {"a": 2.0, "b": 0.5}


@pytest.fixture(params=[(), (0, 5, 13)], ids=["complete", "values missing"])
def table(request):
    return forecasts(missing=request.param)


def by_hand(table, model):
    """Every metric once more, in NumPy, from its definition."""
    seen = table.drop_nulls("y")
    per = {m: [] for m in ("MASE", "sMAPE", "MAE", "RMSE")}
    for s in seen["unique_id"].unique(maintain_order=True):
        part = seen.filter(unique_id=s)
        y, f = part["y"].to_numpy(), part[model].to_numpy()
        per["MAE"].append(np.mean(np.abs(y - f)))
        per["RMSE"].append(np.sqrt(np.mean((y - f) ** 2)))
        per["MASE"].append(np.mean(np.abs(y - f)) / NAIVE_ERROR[s])
        per["sMAPE"].append(np.mean(200 * np.abs(y - f) / (np.abs(y) + np.abs(f))))
    y = seen["y"].to_numpy()
    pinball = []
    for q in LEVELS:
        error = y - seen[quantile_column(model, q)].to_numpy()
        pinball.append(2 * np.sum(np.maximum(q * error, (q - 1) * error)) / np.sum(np.abs(y)))
    low, high = (seen[quantile_column(model, q)].to_numpy() for q in (0.1, 0.9))
    overall = {name: np.mean(values) for name, values in per.items()}
    overall |= {"CRPS": np.mean(pinball), "coverage 80%": np.mean((low <= y) & (y <= high))}
    return per, overall


@pytest.mark.parametrize("model", MODELS)
def test_metrics_are_those_of_the_definitions(table, model):
    scores = score(table, MODELS, LEVELS, NAIVE_ERROR)
    per, overall = by_hand(table, model)
    assert scores.overall[model] == pytest.approx(overall)
    for metric, values in per.items():
        assert scores.per_series.filter(metric=metric)[model].to_list() == pytest.approx(values), metric


def test_mase_is_that_of_utilsforecast():
    from utilsforecast.losses import mase

    rng = np.random.default_rng(1)
    history = {s: rng.normal(size=40) for s in "ab"}
    table = forecasts(windows=1)
    naive_error = {s: float(np.mean(np.abs(y[7:] - y[:-7]))) for s, y in history.items()}
    frame = table.rename({"step": "ds"}).drop("cutoff")
    train = pl.concat([pl.DataFrame({"unique_id": s, "ds": np.arange(-40, 0), "y": y}) for s, y in history.items()])
    theirs = mase(frame, list(MODELS), seasonality=7, train_df=train)
    ours = score(table, MODELS, LEVELS, naive_error)
    for model in MODELS:
        assert ours.overall[model]["MASE"] == pytest.approx(theirs[model].mean())


def test_a_perfect_forecast():
    table = forecasts()
    table = table.with_columns(pl.col("y").alias(c) for c in table.columns if c.startswith("LSTM"))
    overall = score(table, MODELS, LEVELS, NAIVE_ERROR).overall["LSTM"]
    assert overall == {"MASE": 0, "sMAPE": 0, "MAE": 0, "RMSE": 0, "CRPS": 0, "coverage 80%": 1}


def test_all_models_are_exact():
    table = forecasts()
    table = table.with_columns(pl.col("y").alias(c) for c in table.columns if c.startswith(MODELS))
    assert score(table, MODELS, LEVELS, NAIVE_ERROR).verdict == "Every model is exact."


def test_no_coverage_without_its_quantiles():
    scores = score(forecasts(), MODELS, (0.5,), NAIVE_ERROR)
    assert "coverage 80%" not in scores.overall["LSTM"]


def test_the_order_of_rows_does_not_matter():
    table = forecasts()
    one, two = (score(t, MODELS, LEVELS, NAIVE_ERROR) for t in (table, table.sample(fraction=1, shuffle=True, seed=1)))
    assert one.verdict == two.verdict
    assert one.overall["LSTM"] == pytest.approx(two.overall["LSTM"])


def test_scores_survive_json():
    import json

    scores = score(forecasts(), MODELS, LEVELS, NAIVE_ERROR)
    again = ForecastScores.from_json(json.loads(json.dumps(scores.to_json(), allow_nan=False)))
    assert again.to_json() == scores.to_json()
    assert again.per_series.equals(scores.per_series)


def test_zeros_give_no_nan_in_json():
    """sMAPE of 0 against 0, CRPS of a series of zeros."""
    import json

    table = forecasts().with_columns(pl.lit(0.0).alias(c) for c in ("y", *MODELS))
    json.dumps(score(table, MODELS, LEVELS, NAIVE_ERROR).to_json(), allow_nan=False)


# -- verdicts ----------------------------------------------------------------------------------------------------------


def judged(ours, naive, other=None, *, series=("a",), noise=0.0):
    """Scores of models whose errors have a known size: (windows,) each."""
    names = ["LSTM", "Naive", *(["AutoETS"] if other is not None else [])]
    rng = np.random.default_rng(0)
    frames = []
    for s in series:
        columns = {"unique_id": [s] * len(ours), "cutoff": range(len(ours)), "step": [0] * len(ours)}
        columns["y"] = np.zeros(len(ours))
        for name, errors in zip(names, (ours, naive, other), strict=False):
            shaken = np.abs(np.array(errors, dtype=float) + noise * rng.normal(size=len(ours)))
            columns |= {name: shaken, quantile_column(name, 0.5): shaken}
        frames.append(pl.DataFrame(columns))
    return score(pl.concat(frames), names, (0.5,), dict.fromkeys(series, 1.0))


def test_verdict_we_win():
    assert judged([1.0] * 20, [2.0] * 20, [3.0] * 20).verdict == (
        "LSTM beats every baseline: MASE 1.000, next Naive 2.000 (over 20 windows)."
    )


def test_verdict_a_baseline_wins():
    assert judged([2.0] * 20, [3.0] * 20, [1.0] * 20).verdict == (
        "AutoETS wins: MASE 1.000, LSTM 2.000 (over 20 windows)."
    )


def test_verdict_a_random_walk_is_not_beaten():
    assert judged([2.0] * 20, [1.0] * 20, [3.0] * 20).verdict == (
        "Naive wins: MASE 1.000, LSTM 2.000 (over 20 windows). A random walk (Naive: the last value repeated) is not "
        "beaten."
    )


def test_verdict_too_few_windows():
    assert "(over 7 windows, too few to be sure)" in judged([1.0] * 7, [2.0] * 7).verdict
    assert "(over 1 window, too few to be sure)" in judged([1.0], [2.0]).verdict


def test_verdict_within_the_noise():
    assert "(a difference within the noise of 30 windows)" in judged([5.0] * 30, [5.1] * 30, noise=1.0).verdict
    assert "(over 30 windows)" in judged([5.0] * 30, [9.0] * 30, noise=1.0).verdict


def test_verdict_series_by_series():
    verdict = judged([1.0] * 9, [2.0] * 9, series=("a", "b", "c")).verdict
    assert verdict.endswith("Series by series, LSTM is best on 3 of 3.")
    assert "over 27 windows" in verdict


@pytest.mark.parametrize("ours", [0.5, 1.0, 2.0])
def test_the_verdict_never_contradicts_the_table(ours):
    """Series of different lengths weigh the same in the table; the winner named is the table's."""
    long = judged([ours] * 20, [1.0] * 20)
    assert ("LSTM beats" in long.verdict) == (long.overall["LSTM"]["MASE"] < long.overall["Naive"]["MASE"])
    rows = [("a", 12, 1.0, 2.0), ("b", 2, 5.0 * ours, 3.0)]  # all windows: LSTM; mean over the series: it depends
    table = pl.concat(
        pl.DataFrame(
            {"unique_id": [s] * n, "cutoff": range(n), "step": [0] * n, "y": [0.0] * n, "LSTM": [us] * n,
             "Naive": [them] * n, "LSTM-q0.5": [us] * n, "Naive-q0.5": [them] * n}
        )
        for s, n, us, them in rows
    )  # fmt: skip
    uneven = score(table, MODELS, (0.5,), {"a": 1.0, "b": 1.0})
    wins = uneven.overall["LSTM"]["MASE"] < uneven.overall["Naive"]["MASE"]
    assert ("LSTM beats" in uneven.verdict) == wins


def test_the_best_models():
    overall = {
        "LSTM": {"MASE": 1.0, "sMAPE": 9.0, "CRPS": None, "coverage 80%": 0.95},
        "Naive": {"MASE": 2.0, "sMAPE": 8.0, "CRPS": 0.3, "coverage 80%": 0.70},
    }
    best = {"MASE": {"LSTM"}, "sMAPE": {"Naive"}, "CRPS": set(), "coverage 80%": {"Naive"}}
    assert {metric: models for metric, models in winners(overall, METRICS).items() if metric in best} == best


# -- backtests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("horizon", "windows", "step"), [(3, 1, 1), (3, 4, 3), (5, 3, 2), (1, 2, 7)])
def test_origins_roll_to_the_end(horizon, windows, step):
    backtest = Backtest(horizon, windows, step)
    origins = backtest.origins(100).tolist()
    assert origins[-1] + horizon == 100
    assert len(origins) == windows
    assert all(b - a == step for a, b in itertools.pairwise(origins))
    assert origins[0] == 100 - backtest.test_size


# -- baselines ---------------------------------------------------------------------------------------------------------

BACKTEST = Backtest(4, 3, 2)
QUANTILES = (0.05, 0.3, 0.5, 0.7, 0.95)


def baselines(*values, season=7, models=("Naive", "SeasonalNaive"), backtest=BACKTEST, quantiles=QUANTILES):
    members = [
        Series(str(k), 0, np.asarray(y, float), np.zeros((len(y), 0)), np.zeros((len(y), 0)), np.zeros(0))
        for k, y in enumerate(values)
    ]
    return forecast_baselines(
        Panel(members, Frequency("step")), backtest, season=season, quantiles=quantiles, models=models
    )


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(10, 2, 60)


def test_naive_forecasts_repeat_what_was_seen(noise):
    values = (noise, noise[:33] * 100)
    table = baselines(*values)
    assert table.height == 2 * BACKTEST.windows * BACKTEST.horizon
    for k, y in enumerate(values):
        for origin in BACKTEST.origins(len(y)):
            window = table.filter(unique_id=str(k), cutoff=origin).sort("step")
            assert window["step"].to_list() == [0, 1, 2, 3]
            assert window["Naive"].to_list() == pytest.approx([y[origin - 1]] * 4)
            assert window["SeasonalNaive"].to_list() == pytest.approx([y[origin - 7 + h] for h in range(4)])


def test_naive_forecasts_carry_over_missing_values(noise):
    y = noise.copy()
    y[50:52] = np.nan
    window = baselines(y).filter(cutoff=52).sort("step")
    assert window["Naive"].to_list() == pytest.approx([y[49]] * 4)


def test_quantiles_ascend_around_the_median(noise):
    table = baselines(noise, models=("Naive", "SeasonalNaive", "AutoETS"))
    for model in ("Naive", "SeasonalNaive", "AutoETS"):
        columns = table.select(quantile_column(model, q) for q in QUANTILES).to_numpy()
        assert (np.diff(columns, axis=1) > 0).all()
        np.testing.assert_allclose(columns[:, 2], table[model])
        np.testing.assert_allclose(columns[:, 1] + columns[:, 3], 2 * columns[:, 2])  # Gaussian, so symmetric


def test_quantiles_of_the_naive_forecast_are_those_of_a_random_walk(noise):
    """Standard deviation of the steps so far, times the root of the steps ahead (Hyndman & Athanasopoulos, 5.5)."""
    from statistics import NormalDist

    origin = int(BACKTEST.origins(60)[0])
    window = baselines(noise).filter(cutoff=origin).sort("step")
    sigma = np.sqrt(np.mean(np.diff(noise[:origin]) ** 2))
    for h in range(4):
        expected = noise[origin - 1] + NormalDist().inv_cdf(0.95) * sigma * np.sqrt(h + 1)
        assert window[quantile_column("Naive", 0.95)][h] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("y", [np.full(60, 5.0), np.arange(12.0), np.zeros(60)], ids=["constant", "short", "zeros"])
def test_every_baseline_answers(y):
    table = baselines(y, season=12, models=("Naive", "SeasonalNaive", "AutoETS"))
    columns = table.select("Naive", "SeasonalNaive", "AutoETS").to_numpy()
    assert np.isfinite(columns).all()


def test_a_season_longer_than_the_history_does_not_silence_the_verdict():
    y = np.random.default_rng(0).normal(10, 1, 14)
    table = baselines(y, season=12, backtest=Backtest(4, 1, 4))
    assert table["SeasonalNaive"].is_finite().all()
