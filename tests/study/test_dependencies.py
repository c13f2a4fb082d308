"""Tasks of long-term dependencies: the answers follow from what is read, and chance levels are those of the answer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longshort.errors import InputError
from longshort.study.dependencies import DEPENDENCIES


def draw(name, lag=40, count=30, seed=0):
    return DEPENDENCIES[name].sequences(np.random.default_rng(seed), lag, count)


@given(lag=st.integers(2, 80), seed=st.integers(0, 5))
def test_adding(lag, seed):
    x, targets = draw("adding", lag, seed=seed)
    values, marks = x.unbind(-1)
    assert x.shape == (lag, 30, 2)
    assert ((values >= 0) & (values < 1)).all()
    half = lag // 2
    assert (marks[:half].sum(0) == 1).all()
    assert (marks[half:].sum(0) == 1).all()
    torch.testing.assert_close((values * marks).sum(0), targets)


@given(lag=st.integers(1, 60), seed=st.integers(0, 5))
def test_copy_memory(lag, seed):
    x, targets = draw("copy", lag, seed=seed)
    letters = x.argmax(-1)
    assert (x.sum(-1) == 1).all()
    assert x.shape == (lag + 20, 30, 10)
    assert ((letters[:10] >= 1) & (letters[:10] <= 8)).all()
    assert (letters[10 : lag + 9] == 0).all()
    assert (letters[lag + 9 :] == 9).all()
    assert torch.equal(targets[-10:], letters[:10])
    assert (targets[:-10] == 0).all()


@given(lag=st.integers(10, 120), seed=st.integers(0, 5))
def test_temporal_order(lag, seed):
    x, targets = draw("order", lag, seed=seed)
    letters = x.argmax(-1).T
    assert (letters[:, 0] == 6).all()
    assert (letters[:, -1] == 7).all()
    for row, target in zip(letters, targets, strict=True):
        places = torch.nonzero(row < 2)[:, 0]
        assert len(places) == 2
        assert lag // 10 <= places[0] < max(2 * lag // 10, lag // 10 + 1)
        assert 5 * lag // 10 <= places[1] < max(6 * lag // 10, 5 * lag // 10 + 1)
        assert target == 2 * row[places[0]] + row[places[1]]


def test_delayed_recall():
    x, targets = draw("recall", 200, count=50)
    assert x.shape == (201, 50, 8)
    assert torch.equal(x[0].argmax(-1), targets)
    assert (x[0].sum(-1) == 1).all()
    assert x[1:].square().sum(-1).mean().item() == pytest.approx(1, abs=0.03)  # as long as a symbol


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_chance_is_what_the_answer_that_remembers_nothing_gets(name):
    task = DEPENDENCIES[name]
    _, targets = draw(name, 30, count=20_000)
    outputs = torch.ones(len(targets), 1) if name == "adding" else torch.zeros(*targets.shape, task.outputs)
    if name == "copy":  # blanks at first, then every digit alike
        outputs[:-10, :, 0] = 1e4
        outputs[-10:, :, [0, 9]] = -1e4
    loss, score = task.chance(30)
    assert task.loss(outputs, targets).item() == pytest.approx(loss, rel=0.02)
    if name != "copy":
        assert task.score(outputs, targets) == pytest.approx(score, rel=0.05)


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_right_answers_score_best(name):
    task = DEPENDENCIES[name]
    _, targets = draw(name)
    answers = targets[:, None] if name == "adding" else 50 * torch.nn.functional.one_hot(targets, task.outputs).float()
    assert task.loss(answers, targets).item() == pytest.approx(0, abs=1e-6)
    assert task.score(answers, targets) == (0 if name == "adding" else 1)


def test_the_copys_score_is_of_the_digits_alone():
    _, targets = draw("copy")
    told = targets.clone()
    told[-10:-5] = 0
    task = DEPENDENCIES["copy"]
    assert task.score(torch.nn.functional.one_hot(told, 10).float(), targets) == 0.5


def test_the_same_seed_gives_the_same_sequences():
    for name in DEPENDENCIES:
        assert all(torch.equal(a, b) for a, b in zip(draw(name), draw(name), strict=True))
        assert not torch.equal(draw(name)[0], draw(name, seed=1)[0])


def test_a_lag_that_is_too_short():
    with pytest.raises(InputError, match="order: the lag must be at least 10, not 9"):
        draw("order", 9)


def test_bais_figures():
    """Bai, Kolter & Koltun 2018: chance levels of the adding problem and of copy memory at T = 1000."""
    assert DEPENDENCIES["adding"].chance(600)[0] == pytest.approx(0.1667, abs=1e-4)
    assert DEPENDENCIES["copy"].chance(1000)[0] == pytest.approx(10 * math.log(8) / 1020)
