"""One contract for all tasks: fit, evaluate, predict, save, load, the command, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from longshort import cli
from longshort.artifact import RunDirectory
from longshort.errors import InputError, LongshortError
from longshort.tasks import ESTIMATORS, load
from longshort.training import Progress


def without_a_line(data, folder):
    other = folder / f"other{data.suffix}"
    other.write_text("\n".join(data.read_text().splitlines()[:-1]) + "\n")
    return other


def without_a_file(data, folder):
    other = folder / "other"
    shutil.copytree(data, other)
    sorted(other.iterdir())[-1].unlink()
    return other


@dataclass(frozen=True)
class Case:
    """A task with data to learn from and settings small enough for a test.

    Attributes:
        task: as in `ESTIMATORS` and `longshort fit TASK`.
        write: writes the training data to a folder, and gives the path.
        settings: of the estimator, `hidden_size` among them; on the command line options or `--set`.
        options: which settings have an option of their own.
        baseline: a model that the metrics must name beside ours.
        files: of a finished run, beside those that every run has.
        training: names of the trainings, in their order.
        less: copies the data without a little of it.
    """

    task: str
    write: Any
    settings: dict[str, Any]
    options: tuple[str, ...]
    baseline: str
    training: tuple[str, ...]
    files: tuple[str, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)
    less: Any = without_a_line

    def command(self, data, run, *more):
        options = [f"--{name.replace('_', '-')}={self.settings[name]}" for name in self.options]
        rest = [f"{k}={json.dumps(v)}" for k, v in self.settings.items() if k not in self.options]
        return ["fit", self.task, str(data), "-o", str(run), *options, *(f"--set={pair}" for pair in rest), *more]


def sales(folder):
    path = folder / "sales.csv"
    days = np.arange(120)
    noise = np.random.default_rng(0).normal(size=120)
    y = 10 + 3 * np.sin(2 * np.pi * days / 7) + noise
    pl.DataFrame({"ds": np.datetime64("2024-01-01") + days, "y": y.round(3)}).write_csv(path)
    return path


def story(folder):
    path = folder / "story.txt"
    rng = np.random.default_rng(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "red", "birds"]
    path.write_text("\n".join(" ".join(rng.choice(words, 8)) for _ in range(60)) + "\n")
    return path


def reviews(folder):
    path = folder / "reviews.csv"
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "great", "lovely"], "bad": ["dull", "poor", "awful"]}
    labels = [("good", "bad")[k % 2] for k in range(80)]
    texts = [" ".join(rng.choice([*words[label], "the", "film", "was"], 6)) for label in labels]
    pl.DataFrame({"text": texts, "label": labels}).write_csv(path)
    return path


def sentences(folder):
    """English and something that each word of it stands for."""
    path = folder / "sentences.csv"
    rng = np.random.default_rng(0)
    words = {"the": "la", "cat": "kato", "dog": "hundo", "sees": "vidas", "a": "unu", "bird": "birdo", "red": "ruga"}
    rows = [" ".join(rng.choice(list(words), rng.integers(3, 8))) for _ in range(120)]
    pl.DataFrame({"source": rows, "target": [" ".join(words[w] for w in row.split()) for row in rows]}).write_csv(path)
    return path


def scales(folder):
    """Walks along a scale, from a note of its own each."""
    from longshort.data.midi import score_of

    (folder / "tunes").mkdir()
    rng = np.random.default_rng(0)
    steps = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    for k in range(16):
        walk = np.abs(np.cumsum(rng.choice([-1, 1, 2], 24))) % len(steps)
        notes = [(0.5 * n, 0.5, 55 + k % 5 + steps[place], 0) for n, place in enumerate(walk)]
        score_of(np.array(notes, dtype=np.float64), 100.0).dump_midi(folder / "tunes" / f"{k:02}.mid")
    return folder / "tunes"


def mails(folder):
    path = folder / "mails.jsonl"
    rng = np.random.default_rng(0)
    topics, days = ["meeting", "invoice", "party"], ["monday", "friday"]
    lines = []
    for _ in range(90):
        topic, day = rng.choice(topics), rng.choice(days)
        filler = " ".join(rng.choice(["please", "note", "that", "we", "all", "agree"], 8))
        document = f"Dear all. The {topic} is on {day}. {filler}."
        lines.append(json.dumps({"document": document, "summary": f"{topic} {day}", "references": [f"{topic} {day}"]}))
    path.write_text("\n".join(lines) + "\n")
    return path


def talks(folder):
    path = folder / "talks.jsonl"
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(40):
        city, food = rng.choice(["Rome", "Oslo"]), rng.choice(["fish", "bread"])
        said = [f"I am in {city}.", "What do you want?", f"Some {food}.", f"There is {food} in {city}."]
        turns = [{"speaker": ("user", "system")[k % 2], "text": text} for k, text in enumerate(said)]
        lines.append(json.dumps({"turns": turns}))
    path.write_text("\n".join(lines) + "\n")
    return path


def tones(folder):
    """Recordings of a low and of a high tone, each called by its name."""
    import soundfile

    rng = np.random.default_rng(0)
    for k in range(48):
        low, time = k % 2 == 0, np.arange(int(8000 * rng.uniform(0.25, 0.4))) / 8000
        sound = np.sin(2 * np.pi * (300 if low else 2000) * time) * np.hanning(len(time)) / 3
        soundfile.write(folder / f"{k:02}.wav", sound + 0.003 * rng.standard_normal(len(time)), 8000)
    paths, words = zip(*((str(folder / f"{k:02}.wav"), ("low", "high")[k % 2]) for k in range(48)), strict=True)
    pl.DataFrame({"path": paths, "transcript": words}).write_csv(folder / "tones.csv")
    return folder / "tones.csv"


SMALL = {"hidden_size": 8, "steps": 10, "embedding_size": 8, "vocabulary_size": 280, "max_target": 8, "beam": 2}
SMALL |= {"batch_tokens": 200, "validation": 0.1, "test": 0.2}
TINY = {"hidden_size": 8, "steps": 10, "members": 2, "batch_size": 16, "test_windows": 2}
CASES = (
    Case(
        task="chat",
        write=talks,
        settings=SMALL,
        options=("hidden_size", "steps", "beam"),
        baseline="Reply to the most similar context (TF-IDF)",
        training=("network",),
        files=("answers.parquet", "examples.parquet", "tokenizer.json"),
    ),
    Case(
        task="classify",
        write=reviews,
        settings={"hidden_size": 8, "steps": 10, "members": 2, "batch_size": 8, "embedding_size": 8, "test": 0.2},
        options=("hidden_size", "steps", "members"),
        baseline="TF-IDF + logistic regression",
        training=("member-0", "member-1"),
        files=("examples.parquet", "tokenizer.json"),
    ),
    Case(
        task="compose",
        write=scales,
        settings={"hidden_size": 8, "num_layers": 1, "steps": 10, "batch_size": 4, "tunes": 2, "bars": 2, "test": 0.2},
        options=("hidden_size", "num_layers", "steps"),
        baseline="Markov chain, order 6",
        training=("network",),
        files=("tokenizer.json", "tunes.json", "tunes.safetensors"),
        less=without_a_file,
    ),
    Case(
        task="forecast",
        write=sales,
        settings={"horizon": 3, **TINY},
        options=("horizon", "members", "test_windows"),
        baseline="Naive",
        training=("member-0", "member-1"),
        files=("history.safetensors", "history.json", "forecasts.parquet"),
    ),
    Case(
        task="language",
        write=story,
        settings={"hidden_size": 8, "steps": 10, "batch_size": 4, "window": 16, "test": 0.2},
        options=("hidden_size", "steps"),
        baseline="Kneser-Ney, order 3",
        training=("network",),
        files=("tokenizer.json", "text.safetensors"),
    ),
    Case(
        task="summarize",
        write=mails,
        settings={**SMALL, "coverage": True},
        options=("hidden_size", "steps", "beam"),
        baseline="TextRank sentence",
        training=("network",),
        files=("answers.parquet", "examples.parquet", "tokenizer.json"),
    ),
    Case(
        task="transcribe",
        write=tones,
        settings={"hidden_size": 8, "num_layers": 1, "steps": 10, "batch_size": 8, "test": 0.2},
        options=("hidden_size", "num_layers", "steps"),
        baseline="Nearest recording (DTW)",
        training=("network",),
        files=("recordings.parquet", "features.safetensors", "tokenizer.json"),
    ),
    Case(
        task="translate",
        write=sentences,
        settings={**SMALL, "shared": False},
        options=("hidden_size", "steps", "beam"),
        baseline="Copy of the source",
        training=("network",),
        files=("answers.parquet", "examples.parquet", "tokenizer.json", "tokenizer-targets.json"),
    ),
)
EVERY_RUN = ("manifest.json", "config.json", "model.json", "model.safetensors", "metrics.json", "report.html")


def estimator(case, **changes):
    import importlib

    module, name = ESTIMATORS[case.task]
    return getattr(importlib.import_module(module), name)(**{**case.settings, **changes})


def main(*arguments):
    """The command in this process: its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["longshort", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
    return exited.value.code or 0


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.task)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def data(case, tmp_path_factory):
    return case.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def fitted(case, data):
    return estimator(case).fit(data, progress=Progress(), **case.columns)


@pytest.fixture(scope="module")
def run(case, data, tmp_path_factory):
    """A run that the command wrote."""
    path = tmp_path_factory.mktemp("run") / "run"
    assert main(*case.command(data, path)) == 0
    return path


def test_every_task_has_its_case():
    assert sorted(case.task for case in CASES) == sorted(ESTIMATORS)


def test_nothing_works_before_fit(case):
    for action in ("predict", "evaluate"):
        with pytest.raises(LongshortError, match=r"not fitted yet: call fit\(data\)"):
            getattr(estimator(case), action)()
    with pytest.raises(LongshortError, match="not fitted yet"):
        estimator(case).save("nowhere")


def test_fit_returns_the_estimator_and_leaves_nothing_behind(case, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    model = estimator(case)
    assert model.fit(data, progress=Progress(), **case.columns) is model
    assert not [p for p in tmp_path.iterdir() if not p.name.startswith("torch")]  # PyTorch has a cache of its own


def test_the_baseline_stands_beside_ours(case, fitted, run):
    scores = fitted.evaluate()
    ours = [model for model in scores.overall if model != case.baseline]
    assert case.baseline in scores.overall
    assert len(ours) >= 1
    assert set(scores.overall[ours[0]]) == set(scores.overall[case.baseline])
    assert case.baseline in json.loads((run / "metrics.json").read_bytes())["test"]["overall"]
    assert scores.verdict
    assert case.baseline in (run / "report.html").read_text()


def test_saved_and_loaded_it_answers_the_same(fitted, data, tmp_path):
    fitted.save(tmp_path / "run")
    for again in (type(fitted).load(tmp_path / "run"), load(tmp_path / "run")):
        assert again.predict().equals(fitted.predict())
        assert again.predict(data).equals(fitted.predict(data))
        assert again.evaluate().to_json() == fitted.evaluate().to_json()
        assert again.config == fitted.config
    again.save(tmp_path / "copy")
    assert load(tmp_path / "copy").predict().equals(fitted.predict())


def test_loading_runs_no_code_and_draws_no_random_numbers(fitted, tmp_path):
    import torch

    fitted.save(tmp_path / "run")
    torch.manual_seed(0)
    before = torch.get_rng_state()
    load(tmp_path / "run").predict()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_command_and_the_estimator_are_one(fitted, run):
    assert load(run).predict().equals(fitted.predict())
    assert load(run).evaluate().to_json() == fitted.evaluate().to_json()


def test_seeds_decide(case, data, fitted):
    again, other = (estimator(case, seed=k).fit(data, progress=Progress(), **case.columns) for k in (0, 1))
    assert again.predict().equals(fitted.predict())
    assert not other.predict().equals(fitted.predict())


def test_a_trial_is_the_training_of_fit_and_leaves_the_estimator_as_it_was(case, data, fitted, tmp_path):
    model = estimator(case)
    trial = model.trial(data, checkpoints=tmp_path / "trial", **case.columns)
    assert trial.checks == fitted.fitted.checks
    best = [min((c.validation, c.step) for c in looks) for looks in trial.checks]
    assert trial.validation == pytest.approx(np.mean([loss for loss, _ in best]), rel=1e-12)
    assert trial.step == max(step for _, step in best)
    assert trial.weights == sum(p.numel() for network in fitted.fitted.networks for p in network.parameters())
    assert trial.scores is None
    again = model.trial(data, checkpoints=tmp_path / "trial", progress=NoTraining(), scored=True, **case.columns)
    assert again.checks == trial.checks
    assert again.scores.to_json() == fitted.evaluate().to_json()
    with pytest.raises(LongshortError, match="not fitted"):
        model.evaluate()


def test_the_size_is_that_of_the_networks_that_are_trained(case, data, fitted):
    size = estimator(case).size(data, **case.columns)
    assert size.weights == sum(p.numel() for network in fitted.fitted.networks for p in network.parameters())
    assert size.hidden_size == 8
    assert estimator(case, hidden_size=9).size(data, **case.columns).weights > size.weights


def test_cells_can_be_compared(case, data, tmp_path):
    """As a study, with the same number of weights; or it is said that there is no cell to choose."""
    from longshort.study import compare

    given = {"settings": case.settings, "cells": ("lstm", "rnn"), "seeds": 1, "progress": Progress(), **case.columns}
    if "cell" not in estimator(case).config.to_dict():
        with pytest.raises(InputError, match=f"the networks of the task '{case.task}' have no cell to choose"):
            compare(case.task, data, **given)
        return
    found = compare(case.task, data, run=tmp_path / "run", **given)
    lstm, rnn = found.contenders
    assert case.baseline in found.baselines
    assert lstm.entrant.hidden_size == case.settings["hidden_size"]
    assert rnn.entrant.hidden_size > lstm.entrant.hidden_size
    assert rnn.entrant.weights == pytest.approx(lstm.entrant.weights, rel=0.1)
    own = estimator(case, cell="lstm").fit(data, progress=Progress(), **case.columns)
    assert lstm.outcomes[0].checks == own.fitted.checks
    assert list(lstm.outcomes[0].overall.values()) == list(own.evaluate().overall.values())
    assert case.baseline in (tmp_path / "run" / "report.html").read_text()


class NoTraining(Progress):
    def training(self, title, steps):
        raise AssertionError("what is finished is trained again")


def test_the_files_of_a_run(case, run):
    assert {p.name for p in run.iterdir()} == {*EVERY_RUN, *case.files}
    manifest = json.loads((run / "manifest.json").read_bytes())
    assert set(manifest["files"]) == {*EVERY_RUN, *case.files} - {"manifest.json"}
    settings = json.loads((run / "config.json").read_bytes())
    assert settings["task"] == case.task
    assert {"settings", "plan", "data", "versions"} < set(settings)
    for path in run.iterdir():
        content = path.read_bytes()
        if path.suffix == ".json":
            json.loads(content, parse_constant=pytest.fail)  # neither NaN nor Infinity
        assert not content.startswith((b"\x80", b"PK", b"\x1f\x8b")), f"{path.name} is a pickle or an archive"
    for path in run.glob("*.safetensors"):
        assert RunDirectory.open(run).read_tensors(path.name)
    assert (run / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_the_verbs_of_the_command(run, data, tmp_path, capfd):
    assert main("predict", run) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.strip()
    assert main("predict", run, "--json") == 0
    assert json.loads(capfd.readouterr().out)
    assert main("predict", run, data, "-o", tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").exists()
    assert main("evaluate", run) == 0
    assert capfd.readouterr().err == ""
    assert main("evaluate", run, "--json") == 0
    assert "overall" in json.loads(capfd.readouterr().out)


def test_the_networks_of_a_run_run_elsewhere(run, tmp_path, capfd):
    assert main("export", run, "-o", tmp_path / "out") == 0
    shown, written = capfd.readouterr(), {path.name for path in (tmp_path / "out").iterdir()}
    networks = [line for line in shown.out.splitlines() if ".onnx: largest difference" in line]
    assert len(networks) == sum(name.endswith(".onnx") for name in written) >= 1
    assert all(float(line.split()[-1]) < 1e-5 for line in networks)
    assert len(written) >= len(networks) + 2  # what stands around them, and export.json


def test_a_run_is_not_replaced_unasked(case, run, data, capfd):
    before = (run / "model.safetensors").read_bytes()
    for more in ([], ["--resume"]):
        assert main(*case.command(data, run, *more)) == 2
        assert "holds a finished run" in capfd.readouterr().err
    assert (run / "model.safetensors").read_bytes() == before


def test_a_run_of_an_unknown_task(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    other = RunDirectory(tmp_path / "run")
    other.write_json("config.json", {"task": "divination"})
    other.finish()
    with pytest.raises(InputError, match=r"the task 'divination', known are forecast, .*: upgrade longshort"):
        load(tmp_path / "run")
    with pytest.raises(InputError, match="divination"):
        getattr(estimator(CASES[0]), "load")(tmp_path / "run")  # noqa: B009


def deliver(process, run, until, sign):
    """Send a signal once `until(run)` holds, while the process still runs."""
    deadline = time.monotonic() + 60
    while not until(run):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(sign)
    return process.communicate()[1]


def checkpoint_of(name):
    return lambda run: (run / "checkpoints" / name / "last.safetensors").exists()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_stopped_and_resumed_the_command_ends_with_the_same_bits(case, data, run, tmp_path, sign, capfd):
    """Another process, stopped in the middle of a later training, and started again with --resume."""
    path = tmp_path / "run"
    command = [sys.executable, "-m", "longshort", *case.command(data, path)]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        said = deliver(process, path, checkpoint_of(case.training[0]), sign)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130}[sign], said
    assert not (path / "manifest.json").exists()
    assert main(*case.command(data, path)) == 2
    assert "holds an unfinished run: pass --resume" in capfd.readouterr().err
    assert main("predict", path) == 2
    assert "is an unfinished run: go on with" in capfd.readouterr().err
    assert main(*case.command(data, path, "--resume")) == 0
    for name in ("model.safetensors", "metrics.json", "model.json", *case.files):
        assert (path / name).read_bytes() == (run / name).read_bytes(), name
    assert {p.name for p in path.iterdir() if not p.name.startswith(".")} == {p.name for p in run.iterdir()}


def test_resuming_with_other_settings_or_data(case, data, tmp_path, capfd):
    class StopError(Exception):
        pass

    class Stopping(Progress):
        def training(self, title, steps):
            raise StopError

    path = tmp_path / "run"
    with pytest.raises(StopError):
        estimator(case).fit(data, run=path, progress=Stopping(), **case.columns)
    before = Path(path / "config.json").read_bytes()
    changed = Case(**{**vars(case), "settings": {**case.settings, "hidden_size": 9}})
    assert main(*changed.command(data, path, "--resume")) == 2
    assert "hidden_size" in capfd.readouterr().err
    assert main(*case.command(case.less(data, tmp_path), path, "--resume")) == 2
    assert "data" in capfd.readouterr().err
    assert Path(path / "config.json").read_bytes() == before
