"""What the benchmarks have in common: a run for each seed, mean and spread over the seeds, results as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from longshort.artifact import MANIFEST, versions
from longshort.estimator import Estimator
from longshort.training import TerminalProgress

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, float]
EstimatorT = TypeVar("EstimatorT", bound=Estimator[Any, Any, Any])


def spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and sample standard deviation over the seeds, of what is known of all of them."""
    result: dict[str, Any] = {"seeds": len(rows)}
    for name in (name for name in rows[0] if all(row[name] is not None for row in rows)):
        values = [float(row[name]) for row in rows]
        result[name] = statistics.mean(values)
        if len(values) > 1:
            result[f"{name} ±"] = statistics.stdev(values)
    return result


def say(what: str, values: Mapping[str, Any]) -> None:
    """Print a row of figures."""
    figures = "  ".join(f"{k} {v:.4g}" for k, v in values.items() if v is not None)
    print(f"{what}: {figures}", flush=True)


def fitted(model: EstimatorT, run: Path, data: Any, **given: Any) -> tuple[EstimatorT, float | None]:
    """A model fitted into a run directory, and how many seconds that took.

    A finished run is only read, an unfinished one is gone on with; how long these took is not known (None).
    """
    if (run / MANIFEST).exists():
        return type(model).load(run), None
    began, fresh = time.perf_counter(), not run.exists()
    model.fit(data, run=run, resume=not fresh, progress=TerminalProgress(), **given)
    return model, time.perf_counter() - began if fresh else None


def main(description: str | None, name: str, parts: Mapping[str, Callable[..., dict[str, Any]]]) -> None:
    """Run one part, which is told where runs lie, the seeds and changed settings, and gives its table."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=list(parts))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE", help="for experiments")
    arguments = parser.parse_args()
    changed = {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in arguments.settings)}
    table = parts[arguments.part](arguments.runs, arguments.seeds, **changed)
    for model, row in table.items():
        if isinstance(row, Mapping):
            say(model, row)
    if changed:
        return
    result = {"seeds": arguments.seeds, "threads": torch.get_num_threads(), "versions": versions(), "table": table}
    (RESULTS / f"{name}-{arguments.part}.json").write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
