"""How tokens are drawn: frequencies against the softmax, supports against their definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from longshort.errors import InputError
from longshort.sequence.sampler import Sampler
from longshort.tasks.language import Sampling

DRAWS = 20_000
LOGITS = torch.tensor([0.0, 1.5, -1.0, 0.7, -3.0, 1.2]).log_softmax(-1)


def draw(logits=LOGITS, count=DRAWS, forbidden=None, seen=(), **settings):
    """So many draws from the same distribution."""
    sampling = Sampling(samples=count, **{"seed": 0, **settings})
    sampler = Sampler(sampling, forbidden, torch.tensor(seen, dtype=torch.long), len(logits))
    return sampler(logits.expand(count, -1).clone()).numpy()


def likely(drawn, p):
    """Whether draws may well come from p: none where p is 0, and a chi-square that is not extreme."""
    counts = np.bincount(drawn, minlength=len(p))
    assert (counts[p == 0] == 0).all()
    if (p > 0).sum() == 1:
        return True
    return chisquare(counts[p > 0], len(drawn) * p[p > 0] / p.sum()).pvalue > 1e-3


def softmax(logits):
    z = np.exp(np.asarray(logits, dtype=float) - np.max(logits))
    return z / z.sum()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_frequencies_are_those_of_the_softmax(temperature):
    assert likely(draw(temperature=temperature), softmax(LOGITS.numpy() / temperature))
    assert not likely(draw(temperature=temperature), softmax(LOGITS.numpy() / (1.2 * temperature)))


@pytest.mark.parametrize("k", [1, 2, 4, 6, 50])
def test_top_k_draws_from_the_k_likeliest_only(k):
    p = softmax(LOGITS.numpy())
    p[np.argsort(-p)[k:]] = 0
    assert likely(draw(top_k=k), p)


@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.6, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_top_p_draws_from_the_fewest_tokens_that_have_it(top_p, temperature):
    p = softmax(LOGITS.numpy() / temperature)
    order = np.argsort(-p)
    fewest = next((n for n in range(1, 7) if p[order[:n]].sum() >= top_p - 1e-9), 6)
    p[order[fewest:]] = 0
    assert likely(draw(top_p=top_p, temperature=temperature), p)


def test_both_draw_from_the_share_of_the_k_likeliest():
    p = softmax(LOGITS.numpy())
    order = np.argsort(-p)
    p[order[4:]] = 0
    p /= p.sum()
    fewest = next(n for n in range(1, 5) if p[order[:n]].sum() >= 0.7)
    p[order[fewest:]] = 0
    assert likely(draw(top_k=4, top_p=0.7), p)


@given(st.lists(st.integers(-40, 0), min_size=2, max_size=12, unique=True), st.integers(1, 12), st.floats(0.05, 1))
def test_supports(values, k, top_p):
    logits = torch.tensor(values).div(4.0).log_softmax(-1)
    p = softmax(logits.double().numpy())
    order = np.argsort(-logits.numpy(), kind="stable")[:k]
    kept = p[order] / p[order].sum()
    before = np.cumsum(kept) - kept
    allowed = set(order[before < top_p + 1e-5].tolist())
    assert set(draw(logits, 200, top_k=k, top_p=top_p).tolist()) <= allowed


@pytest.mark.parametrize("more", [{}, {"top_k": 3}, {"top_p": 0.5}])
def test_temperature_zero_takes_the_likeliest(more):
    assert set(draw(temperature=0, count=50, **more)) == {1}
    assert set(draw(temperature=0, count=50, forbidden=1, **more)) == {5}


@pytest.mark.parametrize("temperature", [1e-3, 1e-20, 1e-45, 1e-300])
def test_ever_colder_is_the_likeliest(temperature):
    assert set(draw(temperature=temperature, count=50)) == {1}
    assert set(draw(temperature=temperature, count=50, forbidden=1)) == {5}


def test_hot_is_even():
    assert likely(draw(temperature=1e30), np.full(6, 1 / 6))


def test_a_forbidden_token_is_never_drawn():
    p = softmax(LOGITS.numpy())
    p[1] = 0
    assert likely(draw(forbidden=1), p)
    for settings in ({"top_k": 6}, {"top_p": 1.0}, {"temperature": 100.0}, {"repetition_penalty": 0.1}):
        assert 1 not in draw(forbidden=1, seen=[1], **settings)


@pytest.mark.parametrize("penalty", [0.5, 1.3, 3.0])
def test_the_repetition_penalty(penalty):
    """Keskar et al. 2019, section 4.1, for logits of either sign."""
    logits = torch.tensor([0.4, 1.5, -1.0, -0.7, -3.0, 0.9])
    wanted = logits.numpy().copy()
    for token in (1, 3):
        wanted[token] = wanted[token] / penalty if wanted[token] > 0 else wanted[token] * penalty
    assert likely(draw(logits, seen=[1, 3, 3], repetition_penalty=penalty), softmax(wanted))


def test_what_was_drawn_counts_as_seen_in_its_own_text_only():
    sampler = Sampler(Sampling(samples=2, temperature=0, repetition_penalty=50.0), None, torch.tensor([0]), 3)
    logits = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -9.0, -3.0]])
    assert sampler(logits.clone()).tolist() == [1, 2]
    assert sampler(logits.clone()).tolist() == [2, 1]


def test_seeds_decide():
    assert np.array_equal(draw(seed=3), draw(seed=3))
    assert not np.array_equal(draw(seed=3), draw(seed=4))
    assert not np.array_equal(draw(seed=None), draw(seed=None))
    state = torch.get_rng_state()
    draw()
    assert torch.equal(torch.get_rng_state(), state)


def test_texts_side_by_side_are_drawn_apart():
    drawn = draw(torch.zeros(1000), 500)
    assert len(set(drawn.tolist())) > 300


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number from 0, not -0.1"),
        ({"temperature": math.nan}, "temperature must be a number from 0, not nan"),
        ({"temperature": "hot"}, "temperature must be a number from 0, not 'hot'"),
        ({"length": 0}, "length must be a whole number from 1, not 0"),
        ({"samples": 1.5}, "samples must be a whole number from 1, not 1.5"),
        ({"top_k": 0}, "top_k must be a whole number from 1, not 0"),
        ({"top_p": 0}, "top_p must be above 0, not 0"),
        ({"top_p": 1.1}, "top_p must be at most 1, not 1.1"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0, not 0"),
        ({"seed": -1}, "seed must be a whole number from 0, not -1"),
        ({"stop": ""}, r"stop must be one or several texts that are not empty, not \(''"),
        ({"stop": [3]}, r"stop must be one or several texts that are not empty, not \(3"),
        ({"heat": 1}, "unknown setting 'heat': known are length, temperature"),
    ],
    ids=str,
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message) as raised:
        Sampling.from_dict(settings)
    assert "\n" not in str(raised.value)
