"""Comparisons: verdicts that follow from the numbers, fairness, and every task that can be compared."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import torch

from longshort import Forecaster, InputError, LongshortError
from longshort.scores import HIGHEST, Metric
from longshort.study import LagsConfig, TaskConfig, compare, compare_lags, compare_task
from longshort.study.comparison.compete import compete, sized
from longshort.study.comparison.config import CompareConfig
from longshort.study.comparison.contest import Contest, Entrant, Outcome
from longshort.study.comparison.curriculum import Curriculum
from longshort.study.comparison.dependency import DependencyContest
from longshort.study.comparison.lags import LagComparison
from longshort.study.comparison.recipes import RECIPES
from longshort.study.comparison.result import Comparison, Contender
from longshort.study.comparison.run import task_contest
from longshort.study.dependencies import DEPENDENCIES
from longshort.study.network import StudyNetwork
from longshort.study.report.compare import curve, render_data
from longshort.training import Check, Progress

ACCURACY = {"accuracy": Metric("Share that is right.", HIGHEST, lambda values: [f"{100 * v:.0f} %" for v in values])}


def comparison(cells, baseline=None, metrics=ACCURACY):
    """Cells by name with their scores, seed by seed; None for what diverged."""
    contenders = []
    for cell, scores in cells.items():
        outcomes = []
        for seed, value in enumerate(scores):
            entrant = Entrant(cell, 8, 100)
            overall = {entrant.name: {"accuracy": value}}
            if baseline is not None:
                overall["Counting"] = {"accuracy": baseline}
            outcomes.append(Outcome(seed, None, [], 0.0) if value is None else Outcome(seed, 0.5, [], 1.0, overall))
        contenders.append(Contender(Entrant(cell, 8, 100), tuple(outcomes)))
    return Comparison("toy", "a loss", metrics, tuple(contenders))


@pytest.mark.parametrize(
    ("cells", "baseline", "verdict"),
    [
        (
            {"lstm": [0.90, 0.91, 0.92], "rnn": [0.50, 0.52, 0.51]},
            0.2,
            "The LSTM has the best accuracy (91 %), ahead of the RNN (51 %) and the baseline “Counting” (20 %).",
        ),
        (
            {"lstm": [0.90, 0.91, 0.92], "gru": [0.92, 0.90, 0.88]},
            None,
            "The LSTM has the best accuracy (91 %), but there is no difference to the GRU (90 %) that 3 seeds can "
            "show.",
        ),
        (
            {"lstm": [0.90, 0.91, 0.92], "gru": [0.92, 0.90, 0.88], "rnn": [0.50, 0.52, 0.51]},
            None,
            "The LSTM has the best accuracy (91 %); 3 seeds show no difference to the GRU (90 %), but put it ahead of "
            "the RNN (51 %).",
        ),
        (
            {"lstm": [0.90, 0.91, 0.92], "rnn": [0.50, 0.52, 0.51]},
            0.99,
            "The baseline “Counting” has the best accuracy (99 %), ahead of the LSTM (91 %) and the RNN (51 %): the "
            "baseline wins.",
        ),
        (
            {"lstm": [0.99, 0.80, 0.99], "rnn": [0.50, 0.52, 0.51]},
            0.94,
            "The baseline “Counting” has the best accuracy (94 %); 3 seeds show no difference to the LSTM (93 %), but "
            "put it ahead of the RNN (51 %): no cell is shown to beat the baseline.",
        ),
        (
            {"lstm": [0.9], "rnn": [0.5]},
            None,
            "The LSTM has the best accuracy (90 %), but one seed shows no difference that could not be chance: take "
            "several.",
        ),
        (
            {"lstm": [0.90, 0.91, 0.92], "rnn": [0.5, None, None]},
            None,
            "The LSTM has the best accuracy (91 %), but there is no difference to the RNN (50 %) that 3 seeds can "
            "show; trainings that diverged: 2 of 3 of the RNN.",
        ),
        ({"lstm": [None, None]}, None, "Every training diverged, so nothing can be said: try a lower learning rate."),
    ],
)
def test_the_verdict_follows_from_the_numbers(cells, baseline, verdict):
    assert comparison(cells, baseline).verdict == verdict


def test_low_is_better_where_the_metric_says_so():
    errors = {"accuracy": Metric("An error.")}
    found = comparison({"lstm": [0.1, 0.11, 0.12], "rnn": [0.5, 0.52, 0.51]}, metrics=errors)
    assert found.best == "LSTM"
    assert found.lead("LSTM", "RNN").mean == pytest.approx(0.4)
    assert found.lead("RNN", "LSTM").high < 0


def test_differences_are_paired_by_seed():
    """A split that is hard for all says nothing of the cells."""
    found = comparison({"lstm": [0.30, 0.60, 0.91], "rnn": [0.20, 0.50, 0.80]})
    assert found.lead("LSTM", "RNN").clear
    mixed = comparison({"lstm": [0.30, 0.60, 0.91], "rnn": [0.80, 0.20, 0.50]})
    assert not mixed.lead("LSTM", "RNN").clear


class Toy(Contest):
    """A task whose scores are known: the cell's number of letters, and what the learning rate adds."""

    title, loss, metrics = "toy", "a loss", ACCURACY

    def __init__(self, stop_at=None):
        self.entered, self.tested, self.stop_at = [], [], stop_at

    def size(self, cell, hidden_size):
        from longshort.estimator import Size

        units = hidden_size or 10
        return Size(units, {"lstm": 4, "gru": 3, "rnn": 1}[cell] * units * units)

    def enter(self, entrant, seed, folder, progress, *, test):
        if self.stop_at is not None and len(self.entered) == self.stop_at:
            raise KeyboardInterrupt
        self.entered.append((entrant.cell, entrant.learning_rate, seed))
        if entrant.learning_rate == 9.0:
            raise LongshortError("the training diverged")
        rate = entrant.learning_rate or 0.0
        if test:
            self.tested.append((entrant.cell, entrant.learning_rate, seed))
        overall = {entrant.name: {"accuracy": len(entrant.cell) + rate + seed}, "Chance": {"accuracy": 0.0}}
        return Outcome(seed, 1 - rate, [[Check(1, float("nan"), 1 - rate)]], 2.0, overall if test else {})


def test_all_cells_have_the_weights_of_the_first():
    config = CompareConfig()
    assert [(e.hidden_size, e.weights) for e in sized(Toy(), config)] == [(10, 400), (12, 432), (20, 400)]
    same = CompareConfig(same="units")
    assert [(e.hidden_size, e.weights) for e in sized(Toy(), same)] == [(10, 400), (10, 300), (10, 100)]


def test_learning_rates_are_chosen_by_validation_alone_and_the_test_is_touched_once(tmp_path):
    toy = Toy()
    found = compete(toy, CompareConfig(learning_rates=(0.1, 0.3, 9.0), seeds=2), tmp_path, Progress())
    assert [c.entrant.learning_rate for c in found.contenders] == [0.3] * 3
    assert found.contenders[0].tried == {0.1: 0.9, 0.3: 0.7, 9.0: None}
    assert toy.tested == [(cell, 0.3, seed) for seed in (0, 1) for cell in ("lstm", "gru", "rnn")]
    assert [o.seconds for o in found.contenders[0].outcomes] == [4, 2]  # the first was trained for the choice
    with pytest.raises(InputError, match="the LSTM diverges with all of these learning rates: give lower ones"):
        compete(Toy(), CompareConfig(learning_rates=(9.0,)), tmp_path / "other", Progress())


def test_what_is_finished_is_not_done_again(tmp_path):
    config = CompareConfig(learning_rates=(0.1, 0.3))
    whole = compete(Toy(), config, tmp_path / "whole", Progress())
    toy = Toy(stop_at=8)
    with pytest.raises(KeyboardInterrupt):
        compete(toy, config, tmp_path / "run", Progress())
    again = Toy()
    found = compete(again, config, tmp_path / "run", Progress())
    assert without_seconds(found.to_json()) == without_seconds(whole.to_json())
    assert len(again.entered) == 3 * 2 + 3 * 3 - 8


def test_the_curriculum_goes_on_when_a_lag_is_mastered():
    course = Curriculum(100, first=10, growth=3.0, mastered=0.9, review=0.5)
    assert course.lags == [10, 30, 90, 100]
    rng = np.random.default_rng(0)
    assert {course.draw(rng) for _ in range(50)} == {10}
    told = 0
    while course.lag == 10:
        course.tell(10, 1.0)
        course.tell(30, 0.0)  # says nothing of this lag
        told += 1
    assert told == 22  # 1 - 0.9 ** 22 > 0.9: the running mean begins at none
    drawn = [course.draw(rng) for _ in range(2_000)]
    assert np.mean([lag == 30 for lag in drawn]) == pytest.approx(0.5, abs=0.05)
    copy = Curriculum(100, first=10, growth=3.0, mastered=0.9, review=0.5)
    course.tell(30, 0.7)
    copy.remember(course.memory())
    assert (copy.lag, copy.success) == (30, course.success)
    for _ in range(100):
        course.tell(course.lag, 1.0)
    assert course.lag == 100
    assert Curriculum(5, first=10, growth=2.0, mastered=0.9, review=0.5).lags == [5]


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_success_is_none_by_chance_and_whole_at_perfection(name):
    task = DEPENDENCIES[name]
    assert task.success(task.chance(40)[1], 40) == 0
    assert task.success(1.0 if task.higher else 0.0, 40) == 1


def test_the_copys_training_loss_weighs_a_digit_the_same_at_all_lags():
    task = DEPENDENCIES["copy"]
    for lag in (5, 500):
        _, targets = task.sequences(np.random.default_rng(0), lag, 4)
        outputs = 50 * torch.nn.functional.one_hot(targets, 10).float()
        outputs[-1] = 0  # the last digit is not known: ln 10
        assert task.training_loss(outputs, targets).item() == pytest.approx(np.log(10) / 10, rel=1e-5)


# -- every built-in task -----------------------------------------------------------------------------------------------


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """Images of which the brightest row tells the digit, as the files of MNIST."""
    rng = np.random.default_rng(0)
    (tmp_path / "data" / "images").mkdir(parents=True)
    for part, count in (("train", 5_200), ("test", 120)):
        labels = rng.integers(0, 10, count)
        images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        images[np.arange(count), 2 * labels + 4] = 255
        np.savez(tmp_path / "data" / "images" / f"mnist.{part}.npz", images=images, labels=labels)
    monkeypatch.setenv("LONGSHORT_DATA", str(tmp_path / "data"))
    return tmp_path


TINY = {"hidden_size": 4, "steps": 4, "batch_size": 4, "seeds": 2, "cells": ("lstm", "rnn-relu")}


@pytest.mark.parametrize("task", [name for name in RECIPES if RECIPES[name].least])
def test_every_task_can_be_compared(task, tmp_path):
    run = tmp_path / "run"
    found = compare_task(task=task, lag=12, run=run, progress=Progress(), **TINY)
    results = json.loads((run / "results.json").read_text())
    assert results == json.loads(json.dumps(found.to_json()))
    assert {path.name for path in run.iterdir()} == {"config.json", "results.json", "report.html", "manifest.json"}
    html = (run / "report.html").read_text()
    assert DEPENDENCIES[task].meaning in html
    assert "Learning curves" in html
    assert f"longshort compare task {task} --cells lstm,rnn-relu --seeds 2 --lag 12" in html
    chance = DEPENDENCIES[task].chance(12)[1]
    assert found.scores(found.main)["Chance"] == pytest.approx({0: chance, 1: chance})
    again = compare_task(task=task, lag=12, progress=Progress(), **TINY)
    for one, other in zip(found.contenders, again.contenders, strict=True):
        assert [o.overall for o in one.outcomes] == [o.overall for o in other.outcomes]
        assert [o.checks for o in one.outcomes] == [o.checks for o in other.outcomes]


def test_scores_are_those_of_the_network_on_new_sequences():
    """An LSTM that passes its input on answers a recall of no lag; the score is counted by hand."""
    contest = DependencyContest("recall", 3, RECIPES["recall"])
    torch.manual_seed(0)
    network = StudyNetwork("lstm", 8, 16, 8, every_step=False)
    overall = contest.test(network)
    assert overall == contest.test(network)
    batch = DEPENDENCIES["recall"].sequences(np.random.default_rng([987_654_321, 3, 2]), 3, 125)
    with torch.no_grad():
        right = (network(batch.x).argmax(-1) == batch.targets).double().mean().item()
    assert overall["ours"]["accuracy"] == pytest.approx(right, abs=0.1)
    assert overall["Chance"] == {"accuracy": 1 / 8, "loss": pytest.approx(np.log(8))}


@pytest.mark.parametrize("task", ["mnist", "permuted-mnist"])
def test_images_can_be_compared(task, digits):
    run = digits / "run"
    found = compare_task(task=task, run=run, progress=Progress(), **{**TINY, "steps": 2, "cells": ("gru",)})
    scores = found.scores("accuracy")
    assert set(scores) == {"GRU", "Most frequent digit", "Logistic regression"}
    assert scores["Logistic regression"][0] == 1  # the brightest row is easy to see
    assert scores["Most frequent digit"][0] < 0.3
    assert "which digit an image shows" in (run / "report.html").read_text()


def test_digits_are_read_pixel_by_pixel(digits):
    from longshort.study.mnist import DigitProblem, read_mnist
    from longshort.training.problem import Turn

    plain, shuffled = read_mnist(), read_mnist(permuted=True)
    assert [len(part) for part in (plain.training, plain.validation, plain.test)] == [200, 5_000, 120]
    with np.load(digits / "data" / "images" / "mnist.train.npz") as file:
        images, labels = file["images"], file["labels"]
    x, targets = plain.training.batch(np.arange(3))
    assert x.shape == (784, 3, 1)
    np.testing.assert_allclose(x[:, 1, 0].numpy(), images[1].reshape(-1) / 255, rtol=1e-6)
    assert targets.tolist() == labels[:3].tolist()
    other = shuffled.training.batch(np.arange(3)).x
    assert not torch.equal(x, other)
    assert torch.equal(x.sort(0).values, other.sort(0).values)
    assert torch.equal(other, read_mnist(permuted=True).training.batch(np.arange(3)).x)
    problem = DigitProblem(torch.nn.Identity(), plain, batch_size=50, seed=3)
    rng = np.random.default_rng(0)
    epoch = [problem.training_batch(Turn(step, 0, 1, rng)) for step in range(4)]
    assert len(torch.unique(torch.cat([batch.x[:, :, 0].T for batch in epoch]), dim=0)) == 200  # each image once
    assert not torch.equal(problem.training_batch(Turn(4, 0, 1, rng)).x, epoch[0].x)
    assert torch.equal(problem.training_batch(Turn(2, 0, 1, rng)).x, epoch[2].x)


def test_images_that_are_none(digits):
    np.savez(digits / "data" / "images" / "mnist.test.npz", images=np.zeros((3, 28, 27), np.uint8), labels=np.zeros(3))
    with pytest.raises(InputError, match=r"mnist.test.npz: images must be \(n, 28, 28\), uint8, not \(3, 28, 27\)"):
        compare_task(task="mnist", progress=Progress())
    np.savez(digits / "data" / "images" / "mnist.test.npz", pictures=np.zeros(3))
    with pytest.raises(InputError, match="holds no arrays images and labels"):
        compare_task(task="mnist", progress=Progress())
    np.savez(digits / "data" / "images" / "mnist.test.npz", images=np.array([{}], dtype=object), labels=np.zeros(3))
    with pytest.raises(InputError, match="holds no arrays images and labels"):  # a pickle, which is not opened
        compare_task(task="mnist", progress=Progress())


def test_cells_begin_with_what_helps_them():
    recipe = RECIPES["adding"]
    assert str(recipe.start("lstm", 600)) == str(recipe.start("gru", 600)) == "chrono 600, orthogonal"
    assert str(recipe.start("rnn", 600)) == "orthogonal"
    assert str(recipe.start("rnn-relu", 600)) == "identity"
    assert str(RECIPES["copy"].start("gru", 1000)) == "forget bias 4, orthogonal"


# -- success against the lag -------------------------------------------------------------------------------------------


def lag_comparison(successes):
    """Cell -> for each of the lags 10, 100, 1000 the accuracies of three seeds on recall."""
    config = LagsConfig(lags=(10, 100, 1000), cells=tuple(successes))
    return LagComparison(config, tuple(comparison({cell: of[k] for cell, of in successes.items()}) for k in range(3)))


def test_how_far_each_cell_gets():
    good, bad, chance = [0.99, 1.0, 0.98], [0.99, 0.5, 0.4], [0.125, 0.13, 0.12]
    found = lag_comparison(
        {"lstm": [good, good, good], "gru": [good, good, bad], "rnn": [good, chance, good], "rnn-relu": [chance] * 3}
    )
    assert [found.furthest(cell) for cell in found.cells] == [1000, 100, 10, None]
    assert found.verdict == (
        "The LSTM succeeds at all lags up to 1,000 steps, the GRU up to 100, the RNN up to 10 and the RNN, ReLU fails "
        "even at a lag of 10."
    )
    assert found.success("RNN")[1] == pytest.approx([0, 0.005 / 0.875, 0])


def test_what_diverged_has_no_success():
    found = lag_comparison({"lstm": [[0.99, None, None], [0.99] * 3, [0.99] * 3]})
    assert found.success("LSTM")[0] == pytest.approx([(0.99 - 0.125) / 0.875, 0, 0])
    assert found.furthest("LSTM") is None


def test_lags(tmp_path):
    run = tmp_path / "run"
    found = compare_lags(task="recall", lags=(8, 2), run=run, progress=Progress(), **TINY)
    assert found.config.lags == (2, 8)
    assert json.loads((run / "results.json").read_text()) == json.loads(json.dumps(found.to_json()))
    html = (run / "report.html").read_text()
    assert "Success against the lag" in html
    assert "longshort compare lags recall 2 8 --cells lstm,rnn-relu" in html
    at_two = compare_task(task="recall", lag=2, progress=Progress(), **TINY)
    assert [o.overall for o in found.comparisons[0].contenders[0].outcomes] == [
        o.overall for o in at_two.contenders[0].outcomes
    ]


SIZES = ("--hidden-size", "4", "--steps", "25", "--batch-size", "4", "--seeds", "1", "--cells", "lstm,rnn")


@pytest.fixture(scope="module")
def whole():
    config = {"hidden_size": 4, "steps": 25, "batch_size": 4, "seeds": 1, "cells": ("lstm", "rnn")}
    return without_seconds(compare_lags(task="recall", lags=(2, 9), progress=Progress(), **config).to_json())


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_stopped_and_resumed_the_command_finds_the_same(sign, tmp_path, command, whole):
    words, path = ("compare", "lags", "recall", "2", "9", *SIZES), tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "longshort", *words, "-o", str(path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not (path / "checkpoints" / "9" / "lstm-0" / "network" / "last.safetensors").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(sign)
    process.communicate()
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130}[sign]
    code, _, err = command(*words, "-o", path)
    assert (code, "holds an unfinished run: pass --resume" in err) == (2, True)
    assert command(*words, "-o", path, "--resume")[0] == 0
    assert without_seconds(json.loads((path / "results.json").read_text())) == whole


def without_seconds(value):
    """JSON but for what depends on the machine."""
    if isinstance(value, dict):
        return {key: without_seconds(v) for key, v in value.items() if not key.endswith("seconds")}
    return [without_seconds(v) for v in value] if isinstance(value, (list, tuple)) else value


# -- somebody's data ---------------------------------------------------------------------------------------------------


def sales(path):
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + np.arange(150)
    pl.DataFrame({"day": days, "sales": 9 + rng.normal(size=150)}).write_csv(path)


SALES = {"hidden_size": 6, "steps": 6, "horizon": 3, "members": 1, "test_windows": 2}


def test_data_is_compared_as_it_is_fitted(tmp_path):
    """Settings, seeds and options reach the estimator; the contract of the tasks has this for each of them."""
    sales(tmp_path / "sales.csv")
    given = {"settings": SALES, "seeds": 2, "cells": ("gru", "none"), "progress": Progress(), "target": "sales"}
    found = compare("forecast", tmp_path / "sales.csv", run=tmp_path / "run", **given)
    gru, none = found.contenders
    own = Forecaster(**SALES, cell="gru", seed=1).fit(tmp_path / "sales.csv", progress=Progress())
    assert gru.outcomes[1].overall == own.evaluate().overall
    assert gru.outcomes[1].checks == own.fitted.checks
    assert none.entrant.hidden_size == 6  # there is no recurrent layer to make larger
    html = (tmp_path / "run" / "report.html").read_text()
    assert "No recurrent layer" in html
    assert "--set steps=6" in html


def test_what_cannot_be_compared(tmp_path):
    sales(tmp_path / "sales.csv")
    with pytest.raises(
        InputError, match="there is no task 'weather' to compare cells on: known are forecast, language"
    ):
        compare("weather", tmp_path / "sales.csv")
    with pytest.raises(InputError, match="no test split to compare cells on: hold one out"):
        compare(
            "forecast",
            tmp_path / "sales.csv",
            settings={**SALES, "test_windows": 0},
            seeds=1,
            cells=("rnn",),
            progress=Progress(),
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "adding", "lag": 1}, "lag must be a whole number from 2, not 1"),
        ({"task": "mnist", "lag": 5}, "the task 'mnist' has no lag to choose: leave it out"),
        ({"task": "sorting"}, "task must be one of adding, copy, order, recall, mnist, permuted-mnist, not 'sorting'"),
        ({"cells": ["lstm", "elman"]}, "there is no cell 'elman' to compare: known are lstm, gru, rnn, rnn-relu"),
        ({"cells": ["lstm", "lstm"]}, "cells must differ from each other, not lstm, lstm"),
        ({"same": "size"}, "same must be one of weights, units, not 'size'"),
        ({"learning_rates": [0.1, -1.0]}, "learning_rates must be a list of numbers above 0"),
        ({"seeds": 0}, "seeds must be a whole number from 1, not 0"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(InputError, match=message):
        TaskConfig.from_dict(settings)


def test_lags_that_do_not_fit():
    with pytest.raises(InputError, match="lags must be whole numbers from 10, not"):
        LagsConfig.from_dict({"task": "order", "lags": [5, 20]})
    with pytest.raises(InputError, match="the task 'mnist' has no lag to choose"):
        LagsConfig(task="mnist")


# -- reports and the command -------------------------------------------------------------------------------------------


def test_curves_end_where_the_first_seed_stopped_and_are_means_of_the_members():
    def outcome(seed, *members):
        return Outcome(seed, 0.1, [[Check(10 * (k + 1), 0.0, loss) for k, loss in enumerate(m)] for m in members], 1.0)

    contender = Contender(Entrant("lstm", 8, 9), (outcome(0, [4.0, 2.0, 1.0], [6.0, 4.0, 3.0]), outcome(1, [1.0, 0.5])))
    steps, losses = curve(contender)
    assert steps.tolist() == [10, 20]
    assert losses.tolist() == [[5, 3], [1, 0.5]]


def test_the_report_of_what_diverged():
    found = comparison({"lstm": [0.9, None], "rnn": [None, None]}, 0.3)
    html = render_data(found, CompareConfig(seeds=2), "classify", {})
    assert "trainings that diverged: 1 of 2 of the LSTM and 2 of 2 of the RNN" in html


def test_the_command(command, tmp_path):
    run = tmp_path / "run"
    small = ("--hidden-size", 4, "--steps", 2, "--seeds", 1, "--cells", "rnn,gru", "--lag", 5, "--batch-size", 2)
    code, out, err = command("compare", "task", "copy", "-o", run, *small)
    assert (code, out.splitlines()[1]) == (0, f"Report: {run / 'report.html'}"), err
    assert "one seed shows no difference" in out
    assert "RNN: 4 units" in err
    code, out, _ = command("compare", "task", "copy", "-o", run, "--overwrite", "--json", *small)
    assert json.loads(out) == json.loads((run / "results.json").read_text())
    code, _, err = command("compare", "task", "copy", "-o", tmp_path / "x", "--learning-rates", "high")
    assert (code, err) == (2, "error: --learning-rates needs numbers such as 0.001,0.004, not 'high'\n")
    sales(tmp_path / "sales.csv")
    words = ("--set", "steps=2", "--set", "members=1", "--set", "hidden_size=4", "--seeds", 1, "--cells", "gru,rnn")
    code, out, err = command("compare", "forecast", tmp_path / "sales.csv", "-H", 3, "-o", tmp_path / "data", *words)
    assert code == 0, err
    assert (tmp_path / "data" / "report.html").exists()


def test_recipes_keep_their_promise_of_size():
    for task in ("mnist", "permuted-mnist"):
        assert task_contest(TaskConfig(task=task)).size("lstm", None).weights <= 70_000
