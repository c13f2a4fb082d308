"""Every forecasting figure that the README quotes. Each part prints a table and writes it as JSON.

    python benchmarks/forecasting.py m4              defaults, beside the baselines
    python benchmarks/forecasting.py m4-ensemble     six members, refit on the validation windows
    python benchmarks/forecasting.py ett             ETTh1, horizon 96, multivariate protocol
    python benchmarks/forecasting.py temperatures    rolling origin over the last two years, horizon 7
    python benchmarks/forecasting.py stock           daily close, horizon 5
    python benchmarks/forecasting.py ablation        LSTM, GRU, plain RNN and no recurrent layer on M4 hourly and ETTh1
    python benchmarks/forecasting.py start-up        seconds that `longshort predict` takes

Data sets come from the folder LONGSHORT_DATA, or are downloaded. Every part uses the default configuration of
`Forecaster`, but for what its docstring says.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort import Forecaster
from longshort.artifact import versions
from longshort.data import Panel, Series, read_panel
from longshort.data.datasets import dataset_path
from longshort.tasks.forecast import Backtest
from longshort.training import TerminalProgress
from record import RESULTS, Row, say, spread

ENSEMBLE = 6


def m4_panels() -> tuple[Panel, Panel]:
    """M4 hourly: the 414 training series, and the same with the 48 test steps behind them."""
    train = read_panel(dataset_path("series/m4-hourly-train.csv"))
    table = pl.read_csv(dataset_path("series/m4-hourly-test.csv"), infer_schema_length=None)
    future = {row[0]: np.array(row[1:], dtype=float) for row in table.iter_rows()}
    whole = [_series(s.id, np.concatenate([s.y, future[s.id]]), s.start) for s in train]
    return train, Panel(whole, train.frequency, train.columns)


def _series(name: str, y: np.ndarray[Any, Any], start: int = 0) -> Series:
    empty = np.zeros((len(y), 0))
    return Series(name, start, y, empty, empty, np.zeros(0))


def m4(seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """M4 hourly, horizon 48: one global model on the 414 series, tested on the competition's test set."""
    train, whole = m4_panels()
    rows = []
    baselines: dict[str, Row] = {}
    for seed in seeds:
        began = time.perf_counter()
        model = Forecaster(horizon=48, test_windows=0, seed=seed, **settings).fit(train, progress=TerminalProgress())
        took = time.perf_counter() - began
        if not baselines:
            began = time.perf_counter()
            scores = model.evaluate(whole)
            baselines = {k: dict(v) for k, v in scores.overall.items() if k != _name(model)}  # type: ignore[arg-type]
            baselines["AutoETS"] = {**baselines["AutoETS"], "seconds": time.perf_counter() - began}
            rows.append({**scores.overall[_name(model)], "seconds": took})
        else:
            rows.append({**_alone(model, whole, Backtest(48)), "seconds": took})
        say(f"seed {seed}", rows[-1])
    return {_name(model): spread(rows), **baselines}


def m4_ensemble(seeds: Sequence[int]) -> dict[str, Any]:
    """The same with six members that learn from the validation windows too."""
    return m4(seeds, members=ENSEMBLE, refit=True)


def _alone(model: Forecaster, panel: Panel, backtest: Backtest) -> dict[str, float]:
    """Scores of a model without the baselines, which do not depend on the seed."""
    from longshort.tasks.forecast.evaluation import score

    fitted = model.fitted.model
    scores = score(
        fitted.backtest(panel, backtest), [fitted.name], fitted.config.quantiles, fitted.naive_errors(panel, 48)
    )
    return {k: float(v) for k, v in scores.overall[fitted.name].items() if v is not None}


def _name(model: Forecaster) -> str:
    return model.fitted.model.name


def ett(seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """ETTh1, horizon 96, 8640 / 2880 / 2880 rows, all seven columns, values standardised by the training rows.

    Test windows start at every step (2,785 of them), as in the literature since Informer (arXiv 2012.07436); MSE and
    MAE are means over windows, steps and columns.
    """
    table = pl.read_csv(dataset_path("series/ETTh1.csv"), try_parse_dates=True).head(14400)
    columns = table.columns[1:]
    first = table.head(8640)
    scaled = table.with_columns((pl.col(c) - first[c].mean()) / first[c].std(ddof=0) for c in columns)
    whole = read_panel(scaled, target=columns, time="date")
    rows = []
    for seed in seeds:
        began = time.perf_counter()
        model = Forecaster(horizon=96, test_windows=0, validation_size=2880, seed=seed, **settings)
        model.fit(whole.head(11520), progress=TerminalProgress())
        took = time.perf_counter() - began
        fitted = model.fitted.model
        frame = fitted.backtest(whole, Backtest(96, 2880 - 96 + 1, 1))
        error = (frame[fitted.name] - frame["y"]).to_numpy()
        rows.append({"MSE": float((error**2).mean()), "MAE": float(np.abs(error).mean()), "seconds": took})
        say(f"seed {seed}", rows[-1])
    naive = pl.concat([_seasonal(s.y, s.id) for s in whole])
    error = (naive["forecast"] - naive["y"]).to_numpy()
    return {
        _name(model): spread(rows),
        "SeasonalNaive": {"MSE": float((error**2).mean()), "MAE": float(np.abs(error).mean())},
    }


def _seasonal(y: np.ndarray[Any, Any], name: str) -> pl.DataFrame:
    """The seasonal-naive forecast (24 steps) of every test window of one ETTh1 column."""
    origins = np.arange(11520, 14400 - 96 + 1)[:, None]
    steps = np.arange(96)
    return pl.DataFrame({"id": name, "forecast": y[origins - 24 + steps % 24].ravel(), "y": y[origins + steps].ravel()})


def temperatures(seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Daily minimum temperatures, Melbourne: the last two years week by week, horizon 7."""
    panel = read_panel(dataset_path("series/daily-min-temperatures.csv"))
    return _held_out(panel, seeds, horizon=7, test_windows=104, **settings)


def stock(seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Apple, daily close: the last 100 trading days in windows of 5. The random walk is the baseline to watch."""
    panel = read_panel(dataset_path("series/stock-aapl-daily.csv"), target="AAPL.Close")
    return _held_out(panel, seeds, horizon=5, test_windows=20, **settings)


def _held_out(panel: Panel, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    rows, verdicts = [], []
    others: dict[str, Any] = {}
    for seed in seeds:
        began = time.perf_counter()
        model = Forecaster(seed=seed, **settings).fit(panel, progress=TerminalProgress())
        scores = model.evaluate()
        rows.append({**scores.overall[_name(model)], "seconds": time.perf_counter() - began})
        others = {name: values for name, values in scores.overall.items() if name != _name(model)}
        verdicts.append(scores.verdict)
        say(f"seed {seed}", rows[-1])
    return {_name(model): spread(rows), **others, "verdicts": verdicts}


def ablation(seeds: Sequence[int]) -> dict[str, Any]:
    """What the recurrent layer adds: one network each, stopped by the validation windows, everything else the same."""
    result = {}
    for cell in ("lstm", "gru", "rnn", "none"):
        table = _m4_only(seeds, cell)
        result.update({f"M4 hourly, {name}": values for name, values in table.items()})
    for cell in ("lstm", "gru", "rnn", "none"):
        table = ett(seeds, cell=cell, members=1)
        result.update({f"ETTh1, {name}": values for name, values in table.items() if name != "SeasonalNaive"})
    return result


def _m4_only(seeds: Sequence[int], cell: str) -> dict[str, Any]:
    train, whole = m4_panels()
    rows = []
    for seed in seeds:
        began = time.perf_counter()
        model = Forecaster(horizon=48, test_windows=0, seed=seed, cell=cell, members=1)
        model.fit(train, progress=TerminalProgress())
        took = time.perf_counter() - began
        rows.append({**_alone(model, whole, Backtest(48)), "seconds": took})
        say(f"{cell}, seed {seed}", rows[-1])
    return {_name(model): spread(rows)}


def start_up(seeds: Sequence[int]) -> dict[str, Any]:
    """Seconds of `longshort predict` on a saved run of one series, process start included."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        Forecaster(horizon=12).fit(dataset_path("series/airline-passengers.csv"), run=run)
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            command = [sys.executable, "-m", "longshort", "predict", str(run), "--json"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    return {"longshort predict": {"seconds, median of 5": statistics.median(seconds), "slowest": max(seconds)}}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "m4": m4,
    "m4-ensemble": m4_ensemble,
    "ett": ett,
    "temperatures": temperatures,
    "stock": stock,
    "ablation": ablation,
    "start-up": start_up,
}


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for part in PARTS if "all" in options.parts else options.parts:
        print(f"\n{part}: {(PARTS[part].__doc__ or '').splitlines()[0] if PARTS[part].__doc__ else ''}", flush=True)
        began = time.perf_counter()
        table = PARTS[part](options.seeds)
        took = time.perf_counter() - began
        for name, values in table.items():
            if isinstance(values, Mapping):
                say(f"  {name}", values)
        record = {"part": part, "seeds": options.seeds, "seconds": took, "versions": versions(), "table": table}
        (RESULTS / f"forecasting-{part}.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
