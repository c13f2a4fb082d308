"""A search: what it tries, what it stops, what it finds; killed and resumed, with workers that die, on every task."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

pytest.importorskip("optuna", reason="longshort[tune] is not installed")

from longshort.errors import InputError
from longshort.estimator import Trial
from longshort.space import Choice, Range
from longshort.study import Budget, tune
from longshort.study.report.tune import command as winning_command
from longshort.study.report.tune import render
from longshort.study.report.tune_cost import pareto
from longshort.study.tuning.jobs import Job, LostError
from longshort.study.tuning.processes import Process, from_trial, to_trial
from longshort.study.tuning.results import Again
from longshort.study.tuning.search import Search, Tried
from longshort.tasks import load
from longshort.tasks.forecast import Forecaster
from longshort.training import Check, Hardware, Progress

RANGES = {"hidden_size": Range(4, 64, log=True), "dropout": Range(0.0, 0.5), "cell": Choice(("lstm", "gru"))}
DEFAULTS = {"hidden_size": 16, "dropout": 0.1, "cell": "lstm"}


def loss(settings):
    """A landscape with its valley at 32 units of a GRU without dropout."""
    settings = {**DEFAULTS, **settings}
    return abs(np.log2(settings["hidden_size"]) - 5) + settings["dropout"] + (settings["cell"] == "lstm")


def made(path, *, seed=0, trials=12, ranges=RANGES, defaults=DEFAULTS, **more):
    return Search(path, ranges, defaults, seed=seed, trials=trials, minutes=None, **{"prune": True, **more})


def trained(validation):
    return Trial(validation, 10, 100, [[Check(10, 1.0, validation)]], 1.0)


def go(search, most=None):
    """Trials whose loss falls to that of the landscape."""
    while most != 0 and (asked := search.ask()) is not None:
        number, settings = asked
        end = loss(settings)
        if all(search.look(number, percent, end + 1 / percent) for percent in (10, 25, 50)):
            search.tell(number, trained(end))
        else:
            search.tell(number, state="stopped", reason="worse")
        most = None if most is None else most - 1
    return search


def course(search):
    return [replace(t, seconds=0) for t in search.tried.values()]


# -- the search itself -------------------------------------------------------------------------------------------------


def test_the_default_settings_are_trial_0_and_the_best_is_found(tmp_path):
    search = go(made(tmp_path / "a", trials=40))
    assert len(search.tried) == 40
    assert search.tried[0].settings == DEFAULTS
    assert search.tried[0].validation == loss({})
    finished = {n: t.validation for n, t in search.tried.items() if t.state == "finished"}
    assert search.best.validation == min(finished.values()) < 0.5 < loss({})
    for t in search.tried.values():
        assert all(t.settings[name] in space for name, space in RANGES.items())
        if t.state == "finished":
            assert t.validation == loss(t.settings)


def test_a_seed_decides_and_another_one_too(tmp_path):
    one, same, other = (go(made(tmp_path / str(k), seed=s)) for k, s in enumerate((0, 0, 1)))
    assert course(one) == course(same)
    assert course(one) != course(other)


@pytest.mark.parametrize("before", [1, 5, 11])
def test_interrupted_anywhere_it_goes_on_to_the_same_trials(tmp_path, before):
    whole = go(made(tmp_path / "whole"))
    go(made(tmp_path / "cut"), most=before)
    half_done = made(tmp_path / "cut")
    number, settings = half_done.ask()
    half_done.look(number, 10, loss(settings) + 0.1)
    again = made(tmp_path / "cut")
    first = again.ask()
    assert first == (number, settings)
    assert again._running[number].storage.get_trial(again._running[number]._trial_id).intermediate_values == {
        10: loss(settings) + 0.1
    }
    if all(again.look(number, percent, loss(settings) + 1 / percent) for percent in (10, 25, 50)):
        again.tell(number, trained(loss(settings)))
    else:
        again.tell(number, state="stopped", reason="worse")
    assert course(go(again)) == course(whole)


def test_what_is_worse_than_the_median_is_stopped_from_a_quarter_on(tmp_path):
    """Five finish; the sixth is compared with the median of their best looks."""
    search = made(tmp_path / "a")
    ends = [1.0, 2.0, 3.0, 4.0, 5.0]
    for end in ends:
        number, _ = search.ask()
        assert all(search.look(number, percent, end) for percent in (10, 50))
        search.tell(number, trained(end))
    number, _ = search.ask()
    assert search.look(number, 10, 99.0)  # too early to tell
    assert search.look(number, 50, np.median(ends))
    search.tell(number, trained(3.0))
    number, _ = search.ask()
    assert not search.look(number, 50, 3.001)
    told = search.tell(number, state="stopped", reason="worse")
    assert (told.validation, told.looks) == (None, ((50, 3.001),))
    plain = made(tmp_path / "b", prune=False)
    for end in (*ends, 99.0):
        number, _ = plain.ask()
        assert plain.look(number, 50, end)
        plain.tell(number, trained(end))


def test_the_default_settings_are_never_stopped(tmp_path):
    search = made(tmp_path / "a")
    zero, _ = search.ask()
    for _ in range(6):
        number, _ = search.ask()
        search.look(number, 50, 1.0)
        search.tell(number, trained(1.0))
    assert search.look(zero, 50, 99.0)


def test_defaults_outside_of_the_ranges_are_tried_all_the_same(tmp_path):
    ranges = {**RANGES, "hidden_size": Range(32, 64)}
    search = go(made(tmp_path / "a", ranges=ranges))
    assert search.tried[0].settings == DEFAULTS
    assert all(t.settings["hidden_size"] >= 32 for n, t in search.tried.items() if n)


def test_the_budget(tmp_path):
    search = go(made(tmp_path / "a", trials=3))
    assert (len(search.tried), search.ask()) == (3, None)
    assert len(go(made(tmp_path / "a", trials=5)).tried) == 5
    late = Search(tmp_path / "b", RANGES, DEFAULTS, seed=0, trials=None, minutes=1e-9, prune=True)
    assert len(go(late).tried) == 1  # the default settings, whatever the time


def test_what_matters_is_known_by_its_share(tmp_path):
    """A loss that depends on the dropout alone."""
    search = made(tmp_path / "a", trials=30, prune=False)
    while (asked := search.ask()) is not None:
        number, settings = asked
        search.tell(number, trained(settings.get("dropout", 0.1)))
    found = search.importances()
    assert sum(found.values()) == pytest.approx(1)
    assert next(iter(found)) == "dropout"
    assert found["dropout"] > 0.9
    assert go(made(tmp_path / "b", trials=3)).importances() == {}


def test_nothing_cheaper_is_better():
    def one(number, seconds, validation):
        return Tried(number, "finished", {}, validation, 1, 1, seconds, ())

    trials = [one(0, 3, 0.5), one(1, 1, 0.9), one(2, 2, 0.9), one(3, 5, 0.4), one(4, 4, 0.6), one(5, 1, 1.0)]
    front = pareto(trials, lambda t: t.seconds)
    assert [t.number for t in front] == [1, 0, 3]
    for t in trials:  # by the definition
        beaten = any(
            (o.seconds, o.validation) != (t.seconds, t.validation)
            and o.seconds <= t.seconds
            and o.validation <= t.validation
            for o in trials
        )
        assert (t in front) == (not beaten)


# -- a search over a task ----------------------------------------------------------------------------------------------

SMALL = {"horizon": 3, "steps": 20, "batch_size": 8}
SEARCH = ("hidden_size=2..8", "num_layers=1..2", "lookback=7..14")


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "sales.csv"
    days = np.arange(120)
    y = 10 + 3 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(0).normal(size=120)
    pl.DataFrame({"ds": np.datetime64("2024-01-01") + days, "y": y.round(3)}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def searched(sales, tmp_path_factory):
    run = tmp_path_factory.mktemp("study") / "run"
    found = tune(
        "forecast", str(sales), SMALL, search=SEARCH, budget=Budget(trials=10, again=2), run=run, progress=Progress()
    )
    return found, run


def numbers(found):
    return [replace(t, seconds=0) for t in found.tried.values()]


def test_every_trial_is_a_training_of_the_estimator(searched, sales, tmp_path):
    found, _ = searched
    assert [t.number for t in found.tried.values()] == list(range(10))
    for t in (found.default, found.best):
        chosen = t.settings if t.number else {}
        trial = Forecaster(**{**SMALL, "members": 1, **chosen}).trial(sales, checkpoints=tmp_path / str(t.number))
        assert (trial.validation, trial.step, trial.weights) == (t.validation, t.step, t.weights)
        looks = [(5 * k, c.validation) for k, c in enumerate(trial.checks[0], start=1)]
        assert list(t.looks) == looks[: len(t.looks)]
        assert len(t.looks) >= len(looks) - 1


def test_what_a_search_leaves(searched):
    found, run = searched
    assert {p.name for p in run.iterdir()} == {
        *("config.json", "results.json", "report.html", "trials.jsonl", "manifest.json")
    }
    results = json.loads((run / "results.json").read_text())
    assert results == json.loads(json.dumps(found.to_json()))
    assert results["default"] == {"num_layers": 1, "hidden_size": 64, "learning_rate": 0.008, "dropout": 0.1} | {
        "lookback": results["default"]["lookback"]
    }
    config = json.loads((run / "config.json").read_text())
    assert (config["study"], config["task"], config["settings"]) == ("tune", "forecast", SMALL)
    with pytest.raises(InputError, match="holds a study, not a trained model"):
        load(run)
    html = (run / "report.html").read_text()
    for title in ("The best beside the default", "What mattered", "Layers and hidden units", "What quality costs"):
        assert title in html
    assert found.verdict.replace("'", "&#x27;") in html


def test_the_command_of_the_report_trains_the_winner(searched, command, tmp_path):
    found, _ = searched
    best = replace(found, again=None)
    words = shlex.split(winning_command(best, str(tmp_path / "winner")))
    assert words[:3] == ["longshort", "fit", "forecast"]
    code, _, err = command(*words[1:])
    assert code == 0, err
    config = load(tmp_path / "winner").config
    chosen = best.best.settings if best.best.number else {}
    assert config == Forecaster(**SMALL, **chosen).config


def test_what_the_verdict_says(searched):
    found, _ = searched
    one = replace(found.default, number=1, validation=0.5, settings={**found.default.settings, "hidden_size": 4})
    zero = replace(found.default, validation=1.0)
    best = replace(found, tried={0: zero, 1: one}, again=None)
    said = (
        "The best of 2 trials, number 1, has a validation loss of 0.500, 50.0\u00a0% less than the default settings' "
    )
    assert best.verdict == f"{said}1.000, with one seed."
    assert best.winning_settings == {**SMALL, **found.default.settings, "hidden_size": 4}
    sure = replace(best, again=Again((0.9, 0.8), (0.5, 0.4)))
    assert sure.verdict.endswith("trained again from 2 other seeds it comes to 0.4500, they to 0.8500.")
    assert sure.winner is one
    noise = replace(best, again=Again((0.9, 0.3), (0.5, 0.4)))
    assert noise.verdict.endswith("the difference is within the noise of seeds.")
    luck = replace(best, again=Again((0.4,), (0.5,)))
    assert luck.verdict.endswith("another seed it comes to 0.5000, they to 0.4000: that was luck, keep the defaults.")
    assert luck.winner is zero
    assert luck.winning_settings == SMALL
    beaten = replace(found, tried={0: zero, 1: replace(one, validation=1.0)}, again=None)
    assert beaten.verdict == "The default settings are the best of 2 trials: keep them."
    for study in (best, sure, luck, beaten):
        assert study.verdict.replace("'", "&#x27;") in render(study)


def test_other_seeds_leave_the_split_as_it_is(searched, sales, tmp_path):
    """Where several networks are averaged, those of other seeds are further members."""
    found, _ = searched
    if found.again is None:
        pytest.skip("the default settings are the best")
    trial = Forecaster(**{**SMALL, "members": 3}).trial(sales, checkpoints=tmp_path)
    losses = [min(c.validation for c in looks) for looks in trial.checks]
    assert found.again.default == tuple(losses[1:])


# -- interrupted -------------------------------------------------------------------------------------------------------


def words(sales, run, *more):
    settings = [f"--set={name}={value}" for name, value in SMALL.items() if name != "horizon"]
    searches = [f"--search={text}" for text in SEARCH]
    return ["tune", "forecast", str(sales), "-H", "3", "-o", str(run), *settings, *searches, *more]


def begin(arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "longshort", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(ready, process, seconds=90):
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def alive(group):
    """Whether a group of processes has one that runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def looks(run):
    """Looks that the journal knows."""
    journal = run / "checkpoints" / "trials.jsonl"
    return journal.read_text().count('"intermediate_value"') if journal.exists() else 0


def test_killed_in_the_middle_of_a_trial_it_ends_as_if_nothing_had_been(searched, sales, tmp_path, command):
    found, _ = searched
    run = tmp_path / "run"
    process = begin(words(sales, run, "--trials", "10", "--again", "2"))
    wait_for(lambda: looks(run) >= 50, process)
    process.kill()
    process.communicate()
    known = looks(run)
    code, _, err = command(*words(sales, run, "--trials", "10", "--again", "2"))
    assert (code, "pass --resume to go on" in err) == (2, True)
    code, _, err = command(*words(sales, run, "--trials", "10", "--again", "2", "--resume"))
    assert code == 0, err
    assert "trials are done already" in err
    assert 50 <= known < 200
    results = json.loads((run / "results.json").read_text())
    for t, other in zip(results["trials"], found.to_json()["trials"], strict=True):
        assert {**t, "seconds": 0} == {**json.loads(json.dumps(other)), "seconds": 0}
    assert results["verdict"] == found.verdict
    assert results["again"] == json.loads(json.dumps(found.to_json()["again"]))


def test_ctrl_c_ends_all_workers_and_loses_nothing(sales, tmp_path, command):
    run = tmp_path / "run"
    process = begin(words(sales, run, "--trials", "6", "--workers", "2", "--set", "steps=4000"))
    wait_for(lambda: looks(run) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does it
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command with --resume goes on" in err
    assert wait_until(lambda: not alive(process.pid)), "a worker outlived the search"
    states = [json.loads(line) for line in (run / "checkpoints" / "trials.jsonl").read_text().splitlines()]
    assert not any(entry.get("state") == 3 for entry in states), "an interrupted trial was taken for a failed one"


# -- workers -----------------------------------------------------------------------------------------------------------


def test_two_workers_train_what_one_would(searched, sales, tmp_path):
    found, _ = searched
    two = tune(
        "forecast", str(sales), SMALL, search=SEARCH, budget=Budget(trials=4, workers=2, again=0), progress=Progress()
    )
    assert len(two.tried) == 4
    assert replace(two.default, seconds=0) == replace(found.default, seconds=0)
    assert two.workers == 2


def job(sales, folder, **more):
    return Job("trial", "forecast", {**SMALL, "members": 1, **more}, str(sales), {}, str(folder), Hardware())


def test_a_worker_that_dies_loses_nothing(sales, tmp_path):
    """Killed at its second look; the next one goes on from the checkpoint to the same numbers."""
    whole, seen = Process(1), []
    trial = whole.train(job(sales, tmp_path / "whole"), lambda *look: not seen.append(look))
    whole.close()
    worker, again = Process(1), []

    def kill(percent, loss):
        again.append((percent, loss))
        if len(again) == 2:
            worker._child.kill()
        return True

    with pytest.raises(LostError, match="exit code -9"):
        worker.train(job(sales, tmp_path / "killed"), kill)
    assert again == seen[:2]
    told = []
    after = worker.train(job(sales, tmp_path / "killed"), lambda *look: not told.append(look))
    worker.close()
    assert told == seen  # those before its death once more: they might not have arrived
    assert after.checks == trial.checks
    assert to_trial(json.loads(json.dumps(from_trial(trial)))) == trial


def test_errors_of_a_worker_are_those_of_the_training(sales, tmp_path):
    worker = Process(1)
    for wrong, message in ({"learning_rate": -1}, "learning_rate"), ({"horizon": 100}, "a horizon of 100 needs"):
        with pytest.raises(InputError, match=message):
            worker.train(job(sales, tmp_path / "x", **wrong), lambda *_: True)
    with pytest.raises(InputError, match="several workers need data in a file"):
        worker.train(replace(job(sales, tmp_path / "x"), data=pl.read_csv(sales)), lambda *_: True)
    worker.close()


# -- other tasks -------------------------------------------------------------------------------------------------------


def story(folder):
    path = folder / "story.txt"
    rng = np.random.default_rng(0)
    path.write_text("\n".join(" ".join(rng.choice(["the", "cat", "sat", "on", "a", "mat"], 8)) for _ in range(60)))
    return path


def reviews(folder):
    path = folder / "reviews.csv"
    texts = [f"{('fine', 'dull')[k % 2]} film number {k}" for k in range(60)]
    pl.DataFrame({"text": texts, "label": [("good", "bad")[k % 2] for k in range(60)]}).write_csv(path)
    return path


@pytest.mark.parametrize(
    ("task", "write", "settings", "searched_over"),
    [
        ("language", story, {"steps": 10, "batch_size": 4, "test": 0.2}, "window=8..16"),
        ("classify", reviews, {"steps": 10, "batch_size": 8, "embedding_size": 8, "test": 0.2}, "cell=lstm,gru"),
    ],
)
def test_other_tasks(task, write, settings, searched_over, tmp_path, command):
    given = [f"--set={name}={value}" for name, value in settings.items()]
    searches = [f"--search={text}" for text in ("hidden_size=2..8", "num_layers=1..2", searched_over)]
    run, winner = tmp_path / "run", tmp_path / "winner"
    budget = ["--trials", 3, "--again", 1, "--fit", winner]
    code, out, err = command("tune", task, write(tmp_path), "-o", run, *given, *searches, *budget)
    assert code == 0, err
    assert err.count("best so far") == 3
    assert f"Winner: {winner}" in out
    results = json.loads((run / "results.json").read_text())
    assert len(results["trials"]) == 3
    fitted = load(winner)
    assert fitted.evaluate().verdict  # the test, which no trial looked at
    assert {k: getattr(fitted.config, k) for k in results["winner"]["settings"]} == results["winner"]["settings"]


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--search", "horizon=1..3"], "horizon cannot be searched over: validation losses would not mean the same"),
        (["--search", "hidden=1..3"], "unknown setting 'hidden': known are horizon, quantiles"),
        (["--search", "hidden_size=0..3"], "hidden_size must be a whole number from 1, not 0"),
        (["--search", "cell=lstm,elman"], "cell must be one of lstm, gru, rnn, none, not 'elman'"),
        (["--search", "dropout=0..0.2", "--set", "dropout=0.1"], "dropout is given and searched over"),
        (["--trials", "0"], "trials must be a whole number from 1, not 0"),
        (["--minutes", "0"], "minutes must be a number above 0, not 0"),
        (["--engine", "slurm"], "engine must be one of processes, ray, not 'slurm'"),
        (["--set", "horizon=1000"], "a horizon of 1000 needs at least"),
    ],
)
def test_what_is_refused(sales, tmp_path, command, more, message):
    code, out, err = command("tune", "forecast", sales, "-H", 3, "-o", tmp_path / "run", *more)
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "run").exists()


def test_without_optuna(sales, tmp_path, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = command("tune", "forecast", sales, "-H", 3, "-o", tmp_path / "run")
    assert (code, err.splitlines()[-1]) == (
        2,
        "error: a search over settings needs Optuna: pip install 'longshort[tune]'",
    )


def test_a_resumed_search_must_be_the_same(sales, tmp_path, command, monkeypatch):
    import longshort.study.tuning.study as module

    def stop(*_):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setattr(module.Search, "look", stop)
    code, _, err = command(*words(sales, run, "--trials", 2))
    assert code == 130, err
    monkeypatch.undo()
    code, _, err = command(*words(sales, run, "--trials", 2, "--resume", "--seed", 1))
    assert (code, "not as when the run began: seed" in err) == (2, True), err


def test_settings_that_cannot_be_trained_are_told(sales, monkeypatch):
    """A trial that fails is one of the trials; the search goes on."""
    from longshort.study.tuning.jobs import Here

    real = Here.train

    def fail(self, job, look):
        if job.settings.get("num_layers") == 2:
            raise InputError("two are too many")
        return real(self, job, look)

    monkeypatch.setattr(Here, "train", fail)
    found = tune(
        "forecast",
        str(sales),
        {**SMALL, "steps": 4},
        search=("num_layers=1,2", "hidden_size=2..4"),
        budget=Budget(trials=6, again=0),
        progress=Progress(),
    )
    failed = [t for t in found.tried.values() if t.state == "failed"]
    assert 0 < len(failed) < 6
    assert {t.reason for t in failed} == {"two are too many"}
    assert "two are too many" in render(found)
