"""A search on a cluster: the same trials as here, and nothing lost when a machine is."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from longshort.tasks.forecast import Forecaster

for library in ("optuna", "ray"):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"longshort[ray] is not installed: there is no {library}", allow_module_level=True)

PROGRAM = Path(__file__).parent / "on_ray.py"
SETTINGS = {"horizon": 3, "steps": 300, "batch_size": 8}


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(tmp_path):
    data, run = tmp_path / "sales.csv", tmp_path / "run"
    days = np.arange(120)
    y = 10 + 3 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(0).normal(size=120)
    pl.DataFrame({"ds": np.datetime64("2024-01-01") + days, "y": y.round(3)}).write_csv(data)
    rest = {"settings": SETTINGS, "search": ["hidden_size=2..8", "lookback=7..14"], "trials": 4}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": "/tmp", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(data), str(run), json.dumps(rest)],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [line for line in done.stdout.splitlines() if line.startswith('{"notes"')]  # the cluster talks too
    assert told, done.stdout[-3000:]
    said = json.loads(told[-1])
    assert said["alive"] == 2  # the head and the other worker
    died = [note for note in said["notes"] if "a worker died" in note]
    assert len(died) == 1
    assert "it goes on from its last checkpoint" in died[0]
    trials = json.loads((run / "results.json").read_text())["trials"]
    assert [t["state"] for t in trials] == ["finished"] * 4
    # Each came to what the same settings come to without a cluster: the one that was interrupted too.
    interrupted = int(died[0].split()[1])
    for number in {0, interrupted}:
        chosen = trials[number]["settings"] if number else {}
        here = Forecaster(**{**SETTINGS, "members": 1, **chosen}).trial(data, checkpoints=tmp_path / str(number))
        assert here.validation == trials[number]["validation"]
        assert [c.validation for c in here.checks[0]][:-1] == [loss for _, loss in trials[number]["looks"]][
            : len(here.checks[0]) - 1
        ]
