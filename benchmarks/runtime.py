"""Start-up, memory and step latency of the runtime, beside the full package and onnxruntime, as a table and as JSON.

    python benchmarks/runtime.py                 trains small runs below --runs, exports them, and measures
    python benchmarks/runtime.py --rounds 3      fewer processes for each figure

Each figure is the median over fresh processes, all with one thread. "import" is the time of the imports, "answer" that
from the process's first line to its first answer, "MB" the most memory that the process had by then, and "step" the
median time of one step: of a language model a token read, of a forecaster a value added and the forecast anew, of a
classifier one example, of a translator a sentence of six words by a beam of five, of a live transcriber a tenth of a
second of sound, of a composer a bar of tokens. onnxruntime has no beam, draws no tokens, and of sound it is given the
features and says log-probabilities: neither is part of its step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile

from longshort import Classifier, Composer, Forecaster, LanguageModel, Transcriber, Translator
from longshort.artifact import MANIFEST, versions
from longshort.data.midi import score_of
from longshort.export import DESCRIPTION, export_onnx
from longshort.tasks import load

RESULTS = Path(__file__).parent / "results"
WAYS = ("runtime", "full package", "onnxruntime")
FIGURES = ("import", "answer", "MB", "step")

# What each process runs: {way} imports and loads, {task} gives its first answer and a function that takes a step.
PROCESS = """
import json, statistics, sys, time
began = time.perf_counter()
{imports}
imported = time.perf_counter() - began
run, exported = sys.argv[1:3]
{load}
{task}
step()
answered = time.perf_counter() - began
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
times = []
while len(times) < {steps}:
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
megabytes = int(status["VmHWM"].split()[0]) * 1024e-6
print(json.dumps({{"import": imported, "answer": answered, "MB": megabytes, "step": statistics.median(times)}}))
"""
IMPORTS = {
    "runtime": "from longshort.runtime import load",
    "full package": "import torch; from longshort.tasks import load; torch.set_num_threads(1)",
    "onnxruntime": "import onnxruntime, numpy as np",
}
SESSION = """
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(exported + "/network.onnx", options, providers=["CPUExecutionProvider"])
given = {value.name: np.zeros([size if isinstance(size, int) else 1 for size in value.shape],
         np.int64 if "int64" in value.type else np.float32) for value in session.get_inputs()}
"""
LOADS = {"runtime": "model = load(run)", "full package": "model = load(run)", "onnxruntime": SESSION}
TRANSLATION = "def step(): model.predict(['a fine film with great actors'])"
SPEECH = """
import numpy as np
sound = np.random.default_rng(0).normal(size=800) * 0.1
live = model.live(rate=8000)
def step(): live.feed(sound)
"""
MUSIC = "def step(): model.compose(bars=1, seed=1)"
TASKS = {
    ("language", "runtime"): "reader = model.reader()\ndef step(): reader(1)",
    ("language", "full package"): """
network = model.fitted.network
writer = model.fitted.writer
streams = [layer.stream() for layer in network.recurrent]
token = torch.tensor([1])
def step():
    with torch.no_grad():
        x = network.embed(token)
        for stream in streams:
            x = stream(x)
        writer._log_probabilities(writer._projection(x))
""",
    ("language", "onnxruntime"): """
def step():
    _, given["h"], given["c"] = session.run(None, given)
""",
    ("forecast", "runtime"): "live = model.stream()\ndef step():\n    live.add(1.0)\n    live.forecast()",
    ("forecast", "full package"): """
from dataclasses import replace
import numpy as np
panel = model.fitted.panel
def step():
    global panel
    s = panel.series[0]
    s = replace(s, y=np.append(s.y, 1.0), past=np.concatenate([s.past, s.past[-1:]]))
    panel = replace(panel, series=(s.tail(model.fitted.model.plan.reach),))
    model.predict(panel)
""",
    ("forecast", "onnxruntime"): "def step(): session.run(None, given)",
    ("classify", "runtime"): "def step(): model.predict(['a fine film with great actors'])",
    ("classify", "full package"): "def step(): model.predict(['a fine film with great actors'])",
    ("classify", "onnxruntime"): """
given |= {"steps": np.arange(6)[:, None], "lengths": np.array([6]), "words": np.ones(6, np.int64)}
given |= {"pieces": np.arange(60), "owners": np.arange(60) // 10}
def step(): session.run(None, given)
""",
    ("translate", "runtime"): TRANSLATION,
    ("translate", "full package"): TRANSLATION,
    ("transcribe", "runtime"): SPEECH,
    ("transcribe", "full package"): SPEECH,
    ("transcribe", "onnxruntime"): """
shapes = {value.name: value.shape for value in session.get_inputs()}
given |= {name: np.zeros((10, 1, shapes[name][2]), np.float32) for name in ("frames", "rest")}
def step():
    _, given["rest"], *state = session.run(None, given)
    given.update(zip(("h", "c"), state))
""",
    ("compose", "runtime"): MUSIC,
    ("compose", "full package"): MUSIC,
}
STEPS = {"language": 2000, "forecast": 200, "classify": 200, "translate": 50, "transcribe": 200, "compose": 20}


def make(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Task -> a run whose network has its default size, trained in a few steps, and its export, where there is one."""
    rng, days = np.random.default_rng(0), np.arange(1000)
    words = np.array(["a", "fine", "film", "with", "great", "actors", "dull", "and", "poor"])
    text = "\n".join(" ".join(rng.choice(words, 9)) for _ in range(2000)) + "\n"
    sales = pl.DataFrame({"ds": np.datetime64("2022-01-01") + days, "y": np.sin(days / 7) + rng.normal(size=1000)})
    reviews = [" ".join(rng.choice(words, 9)) for _ in range(300)]
    labelled = pl.DataFrame({"text": reviews, "label": [str("fine" in review) for review in reviews]})
    brief: dict[str, Any] = {"steps": 20}
    fits: dict[str, Any] = {
        "language": lambda run: LanguageModel(tokens="characters", hidden_size=640, **brief).fit(
            (folder / "text.txt"), run=run
        ),
        "forecast": lambda run: Forecaster(horizon=14, test_windows=0, **brief).fit(sales, run=run),
        "classify": lambda run: Classifier(test=0, **brief).fit(labelled, run=run),
        "translate": lambda run: Translator(hidden_size=512, embedding_size=256, test=0, **brief).fit(
            [(review, review.upper()) for review in reviews], run=run
        ),
        "transcribe": lambda run: Transcriber(live=True, test=0, **brief).fit(folder / "sounds", run=run),
        "compose": lambda run: Composer(test=0, **brief).fit(folder / "tunes", run=run),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.txt").write_text(text)
    _sounds(folder / "sounds", rng)
    _tunes(folder / "tunes", rng)
    made = {}
    for task, fit in fits.items():
        run, exported = folder / task, folder / f"{task}-onnx"
        if not (run / MANIFEST).exists():
            fit(run)
        if (task, "onnxruntime") in TASKS and not (exported / DESCRIPTION).exists():
            export_onnx(load(run), exported)
        made[task] = run, exported
    return made


def _sounds(folder: Path, rng: np.random.Generator) -> None:
    """Tones, and what they are called."""
    folder.mkdir(exist_ok=True)
    for k, hertz in enumerate([350, 900] * 10):
        time = np.arange(4_000) / 8_000
        soundfile.write(
            folder / f"{k:02}.wav", np.sin(2 * np.pi * hertz * time) / 2 + rng.normal(size=4_000) / 99, 8_000
        )
        (folder / f"{k:02}.txt").write_text("ding" if hertz < 500 else "dong")


def _tunes(folder: Path, rng: np.random.Generator) -> None:
    """Eighths that wander."""
    folder.mkdir(exist_ok=True)
    for k in range(10):
        rows = [(0.5 * n, 0.5, pitch, 0) for n, pitch in enumerate(62 + np.cumsum(rng.integers(-2, 3, 64)))]
        score_of(np.array(rows, dtype=np.float64), 90.0).dump_midi(folder / f"{k}.mid")


def measure(task: str, way: str, run: Path, exported: Path, rounds: int) -> dict[str, float]:
    """The figures of one way, seconds and megabytes: medians over fresh processes."""
    parts = {"imports": IMPORTS[way], "load": LOADS[way], "task": TASKS[task, way], "steps": STEPS[task]}
    command = [sys.executable, "-W", "ignore", "-c", PROCESS.format(**parts), str(run), str(exported)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    rows = [json.loads(subprocess.check_output(command, env=alone, text=True)) for _ in range(rounds)]
    return {figure: statistics.median(row[figure] for row in rows) for figure in FIGURES}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks/runtime"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "runtime.json")
    arguments = parser.parse_args()
    table: dict[str, dict[str, dict[str, float]]] = {}
    print(f"{'':11}{'':14}{'import, s':>12}{'answer, s':>12}{'MB':>8}{'step, µs':>12}")
    for task, (run, exported) in make(arguments.runs).items():
        table[task] = {}
        for way in WAYS:
            if (task, way) not in TASKS:
                continue
            row = table[task][way] = measure(task, way, run, exported, arguments.rounds)
            figures = f"{row['import']:12.3f}{row['answer']:12.3f}{row['MB']:8.0f}{1e6 * row['step']:12.1f}"
            print(f"{task:11}{way:14}{figures}", flush=True)
    result = {"rounds": arguments.rounds, "threads": 1, "versions": versions(), "table": table}
    arguments.output.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
