"""Attributions against networks whose attributions are a formula, and their check by deletion."""

import numpy as np
import pytest
import torch

from longshort.explainable import Explainable
from longshort.nn import LSTM
from longshort.study.attribution import attribute

pytest.importorskip("captum")


def linear(weights, x, **more):
    """An answer that is a weighted sum of all that is read."""
    given = {
        "answer": lambda x: (x * weights).sum((1, 2)).unsqueeze(-1),
        "outcomes": ["sum"],
        "probabilities": False,
        "question": "what it adds up to",
        "layers": {},
        "labels": [str(k) for k in range(x.shape[1])],
        "source": "Made by hand.",
    }
    return Explainable(inputs=x, **{**given, **more})


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(5, 12, 3)))


def test_of_a_sum_every_term_is_its_own_part(x):
    """Sundararajan et al., section 3: of a linear function w (x - baseline)."""
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(12, 3)))
    found = attribute(linear(weights, x))
    baseline = x.mean((0, 1))
    np.testing.assert_allclose(found.values, weights * (x[0] - baseline), atol=1e-6)
    assert found.answer == pytest.approx(float((x[0] * weights).sum()))
    assert found.baseline == pytest.approx(float((baseline * weights).sum()))
    assert found.gap < 1e-6
    assert found.outcome == "mean"


def test_deleting_a_sums_terms_in_order(x):
    """The curves are cumulative sums of the sorted terms; so are the areas."""
    weights = torch.ones(12, 3, dtype=torch.float64)
    found = attribute(linear(weights, x))
    deletion = found.deletion
    kept = np.concatenate([[0], np.sort(found.steps)[::-1].cumsum()])
    counts = (deletion.share * 12).round().astype(int)
    np.testing.assert_allclose(deletion.most, found.answer - kept[counts], atol=1e-6)
    against = np.concatenate([[0], np.sort(found.steps).cumsum()])
    np.testing.assert_allclose(deletion.least, found.answer - against[counts], atol=1e-6)
    assert (counts[0], counts[-1], deletion.share[-1]) == (0, 12, 1)
    assert deletion.areas["most"] == pytest.approx(np.trapezoid(deletion.most, deletion.share))
    assert deletion.areas["chance"] == pytest.approx(np.trapezoid(deletion.chance.mean(0), deletion.share))
    assert deletion.holds


def test_attributions_turned_round_do_not_stand_the_check(x):
    """A network whose gradient points the wrong way: deletion finds it out."""

    class Turned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return -gradient

    honest = linear(torch.ones(12, 3, dtype=torch.float64), x)
    lying = linear(None, x, answer=lambda x: honest.answer(Turned.apply(x)))
    assert not attribute(lying).deletion.holds
    assert attribute(lying).gap > 0.5


def test_of_probabilities_it_is_the_log_odds_of_the_likeliest(x):
    """With two outcomes the log-odds are the difference of the logits, here a sum of what is read."""
    weights = torch.from_numpy(np.random.default_rng(2).normal(size=(12, 3)))

    def answer(x):
        logit = (x * weights).sum((1, 2))
        return torch.stack([logit, torch.zeros_like(logit)], 1).log_softmax(-1)

    found = attribute(linear(weights, x, answer=answer, outcomes=["yes", "no"], probabilities=True))
    sign = 1 if float((x[0] * weights).sum()) > 0 else -1
    assert found.outcome == ("yes" if sign > 0 else "no")
    np.testing.assert_allclose(found.values, sign * weights * (x[0] - x.mean((0, 1))), atol=1e-6)


def test_attributions_of_a_network_add_up(x):
    torch.manual_seed(0)
    layer = LSTM(3, 6).double()
    found = attribute(linear(None, x, answer=lambda x: layer(x.transpose(0, 1))[0][-1]))
    assert found.values.sum() == pytest.approx(found.answer - found.baseline, abs=0.01 * np.abs(found.steps).sum())
    assert found.gap <= 0.01


def test_more_points_are_taken_where_few_do_not_add_up(x):
    """A steep step on the way: 32 points are too few."""
    found = attribute(linear(None, x, answer=lambda x: torch.tanh(400 * (x.sum((1, 2)) - 1)).unsqueeze(-1)))
    assert found.points > 32
