r"""A peer on the M4 hourly data: the LSTM of `neuralforecast`, with its default settings.

The script stands alone and imports nothing of longshort, so that it can run in an environment of its own:

    python -m venv .venv-peer
    .venv-peer/bin/pip install "torch==2.13.0" "neuralforecast==3.3.0"
    LONGSHORT_DATA=<folder> .venv-peer/bin/python benchmarks/peer_neuralforecast.py --seeds 1 2 3 \
        > benchmarks/results/peer-neuralforecast.jsonl

It reads `series/m4-hourly-train.csv` and `series/m4-hourly-test.csv` from the folder in LONGSHORT_DATA (a row per
series: its id, then its values, as many as there are), trains one model on all series with nothing but the horizon
given, forecasts the 48 hours of the test part from the end of the train part, and prints a line of JSON for each
seed on standard output. `--input-size 240` gives the model ten days to look back on instead of the library's own
choice, three horizons. `model` names exactly the arguments given; everything else is the library's default.

The metrics are computed by the same formulas as longshort's own, each per series and then averaged over the series:
MASE is the mean absolute error over the in-sample error of the seasonal-naive forecast, mean |y_t - y_{t-24}| in the
train part (Hyndman & Koehler 2006); sMAPE is in percent, 200 * mean(|y - f| / (|y| + |f|)), as the M4 competition
defines it. `wall_s` is the time to train and to forecast, without imports and reading.
"""

import argparse
import csv
import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]

HORIZON = 48
SEASON = 24
PACKAGES = ("neuralforecast", "torch", "pytorch-lightning", "numpy", "pandas")


def read_wide(path: Path) -> dict[str, FloatArray]:
    """The series of a wide CSV by id: a header, then a row per series, empty fields after its last value."""
    series = {}
    with path.open(newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        next(rows)
        for name, *fields in rows:
            while fields and not fields[-1]:
                fields.pop()
            series[name] = np.array([float(field) for field in fields])
    return series


def mase(actual: FloatArray, forecast: FloatArray, train: FloatArray) -> float:
    """Mean absolute error over the in-sample error of the seasonal-naive forecast."""
    scale = float(np.abs(train[SEASON:] - train[:-SEASON]).mean())
    if not scale > 0:
        raise ValueError("a series repeats its season exactly, or is no longer than it: MASE is not defined")
    return float(np.abs(actual - forecast).mean()) / scale


def smape(actual: FloatArray, forecast: FloatArray) -> float:
    """Symmetric mean absolute percentage error, from 0 to 200; a step where both are 0 counts as 0."""
    error, size = np.abs(actual - forecast), np.abs(actual) + np.abs(forecast)
    return 200 * float(np.divide(error, size, out=np.zeros_like(error), where=size > 0).mean())


def forecast_all(train: Mapping[str, FloatArray], arguments: Mapping[str, int]) -> tuple[dict[str, FloatArray], float]:
    """Train on all series, forecast each; the forecasts by id, and the seconds that both took together."""
    import pandas as pd  # type: ignore[import-untyped]
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    lengths = [len(values) for values in train.values()]
    long = pd.DataFrame(
        {
            "unique_id": np.repeat(list(train), lengths),
            "ds": np.concatenate([np.arange(length) for length in lengths]),
            "y": np.concatenate(list(train.values())),
        }
    )
    start = time.perf_counter()
    model = LSTM(**arguments, logger=False, enable_progress_bar=False, enable_model_summary=False)
    peer = NeuralForecast(models=[model], freq=1)
    peer.fit(long)
    table = peer.predict().sort_values(["unique_id", "ds"])
    seconds = time.perf_counter() - start

    forecasts = {}
    for name, rows in table.groupby("unique_id"):
        steps = rows["ds"].to_numpy() - len(train[name])
        if not np.array_equal(steps, np.arange(HORIZON)):
            raise RuntimeError(f"{name}: the forecast is not of the {HORIZON} steps after the train part")
        forecasts[str(name)] = rows["LSTM"].to_numpy(dtype=np.float64)
    return forecasts, seconds


def run(folder: Path, arguments: Mapping[str, int]) -> dict[str, Any]:
    """The line to print: train on the data in `folder` with these arguments of the library's LSTM, and score."""
    train, test = read_wide(folder / "m4-hourly-train.csv"), read_wide(folder / "m4-hourly-test.csv")
    if train.keys() != test.keys() or any(len(values) != HORIZON for values in test.values()):
        raise ValueError(f"the test part must hold {HORIZON} values of every series of the train part, and no other")
    forecasts, seconds = forecast_all(train, arguments)
    given = ", ".join(f"{key}={value}" for key, value in arguments.items() if key != "random_seed")
    return {
        "model": f"neuralforecast LSTM({given})",
        "MASE": float(np.mean([mase(test[name], forecasts[name], train[name]) for name in test])),
        "sMAPE": float(np.mean([smape(test[name], forecasts[name]) for name in test])),
        "wall_s": round(seconds, 1),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "seed": arguments["random_seed"],
    }


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(
        description="Train neuralforecast's LSTM with its defaults on the M4 hourly data and print its scores as JSON."
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="random seeds (default: 1, as the library's)")
    parser.add_argument("--input-size", type=int, help="steps to look back on (default: the library's)")
    parser.add_argument("--max-steps", type=int, help="training steps, for a smoke test (default: the library's)")
    options = parser.parse_args()
    folder = os.environ.get("LONGSHORT_DATA")
    if not folder:
        parser.error("set LONGSHORT_DATA to the folder that holds series/m4-hourly-train.csv")
    arguments = {"h": HORIZON}
    for key in ("input_size", "max_steps"):
        if (value := getattr(options, key)) is not None:
            arguments[key] = value
    for seed in options.seeds:
        print(json.dumps(run(Path(folder) / "series", arguments | {"random_seed": seed})), flush=True)


if __name__ == "__main__":
    main()
