"""Time and memory of fitting a forecaster to ever more series in Parquet files: `python benchmarks/scale.py`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import longshort.training.loop  # noqa: F401 - what the libraries take is no matter of the data
from longshort import Forecaster
from longshort.artifact import versions
from longshort.data import read_panel, stream_panel
from longshort.training import Progress
from record import RESULTS

STEPS = 200
SERIES = (1_000, 10_000, 100_000)
# The length of the training does not depend on the series here, so that what remains does.
SETTINGS = {"horizon": 14, "members": 1, "steps": 300, "test_windows": 0}
PER_FILE = 5_000


def generate(folder: Path, series: int) -> int:
    """Write days of a noisy week, some thousand series a file; gives the bytes."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + np.arange(STEPS)
    for number, first in enumerate(range(0, series, PER_FILE)):
        count = min(PER_FILE, series - first)
        phase, size = rng.uniform(0, 2 * np.pi, (count, 1)), rng.lognormal(0, 1, (count, 1))
        y = size * (5 + np.sin(2 * np.pi * np.arange(STEPS) / 7 + phase) + 0.5 * rng.normal(size=(count, STEPS)))
        ids = pl.Series([f"s{k:07}" for k in range(first, first + count)])
        frame = pl.DataFrame(
            {"unique_id": ids.gather(np.repeat(np.arange(count), STEPS)), "ds": np.tile(days, count), "y": y.ravel()}
        )
        frame.write_parquet(folder / f"part-{number:04}.parquet", row_group_size=100_000)
    return sum(path.stat().st_size for path in folder.iterdir())


def measure(source: Path, at_once: bool) -> dict[str, float]:
    """Seconds of reading and of all of the fit, and memory of this process at most, in MB."""
    watched = Watched()
    began = time.perf_counter()
    panel = read_panel(pl.read_parquet(source / "*.parquet")) if at_once else stream_panel(source)
    read = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        Forecaster(**SETTINGS).fit(panel, run=Path(folder) / "run", progress=Progress())
    whole = time.perf_counter() - began
    return {"reading": read, "seconds": whole, "before": watched.before, "memory": watched.stop()}


class Watched:
    """The memory that is this process's own (RssAnon): pages of mapped files are the system's to take back."""

    def __init__(self) -> None:
        self.before = self.most = _own()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """The most that there was, in MB."""
        self._ended.set()
        self._thread.join()
        return self.most

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, _own())


def _own() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024e-6


def in_a_fresh_process(source: Path, at_once: bool) -> dict[str, Any]:
    """`measure`, where nothing else has taken memory."""
    words = [sys.executable, __file__, "--measure", str(source), *(["--at-once"] if at_once else [])]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=SERIES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--at-once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.at_once)))
        return
    rows = []
    print("| series | rows | Parquet, MB | read | reading, s | fit, s | memory before, MB | at most, MB |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|")
    for series in given.series:
        with tempfile.TemporaryDirectory() as folder:
            size = generate(Path(folder), series) * 1e-6
            for at_once in (False, True):
                found = in_a_fresh_process(Path(folder), at_once)
                rows.append({"series": series, "at_once": at_once, "megabytes": size, **found})
                print(
                    f"| {series:,} | {series * STEPS:,} | {size:,.0f} | {'at once' if at_once else 'in pieces'} "
                    f"| {found['reading']:,.1f} | {found['seconds']:,.0f} | {found['before']:,.0f} "
                    f"| {found['memory']:,.0f} |",
                    flush=True,
                )
    result = {"settings": SETTINGS, "steps": STEPS, "versions": versions(), "table": rows}
    (RESULTS / "scale.json").write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
