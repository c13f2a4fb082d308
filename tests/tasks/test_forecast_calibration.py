"""The two numbers of the calibration, against cases whose answer is known."""

import numpy as np
import pytest
import torch

from longshort.tasks.forecast.calibration import interval_factor, trust
from longshort.tasks.forecast.network import Batch, Dimensions, ForecastNetwork

LEVELS = (0.1, 0.5, 0.9)
WINDOWS, HORIZON = 4000, 2


def windows(target, level=1.0):
    """Windows whose only copy of the past forecasts `level`."""
    count = len(target)
    empty = torch.zeros(count, 4, 0)
    return Batch(
        y=torch.ones(count, 4),
        observed=torch.ones(count, 4),
        lagged=torch.full((count, HORIZON, 1), level),
        lagged_observed=torch.ones(count, HORIZON, 1),
        past=empty,
        calendar=empty,
        future=torch.zeros(count, HORIZON, 0),
        static=torch.zeros(count, 0),
        categories=torch.zeros(count, 0, dtype=torch.int64),
        target=torch.as_tensor(target, dtype=torch.float32),
        target_observed=torch.ones(count, HORIZON),
        weight=torch.ones(count, 1),
    )


def network(correction):
    """Answers 1 + `correction` with intervals of ±softplus(-1) around it."""
    dims = Dimensions(horizon=HORIZON, lookback=4, patch=2, linear=4, lags=1, quantiles=LEVELS)
    net = ForecastNetwork(dims, "none").eval()
    with torch.no_grad():
        net.linear.bias.fill_(correction)
    return net


@pytest.mark.parametrize("truth", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_trust_is_the_share_of_the_correction_that_came_true(truth):
    target = np.full((30, HORIZON), 1 + 2.0 * truth)
    assert trust([network(2.0)], [windows(target)]) == truth
    assert trust([network(1.0), network(3.0)], [windows(target[:15]), windows(target[15:])]) == truth


def test_few_windows_say_nothing_against_what_was_learnt():
    assert trust([network(2.0)], [windows(np.ones((19, HORIZON)))]) == 1.0
    assert trust([network(2.0)], [windows(np.ones((20, HORIZON)))]) == 0.0


def test_trust_scales_the_correction():
    net, batch = network(2.0), windows(np.ones((1, HORIZON)))
    net.trust.fill_(0.25)
    torch.testing.assert_close(net.parts(batch).median, torch.full((1, HORIZON), 1.5))


@pytest.mark.parametrize("width", [0.7, 1.0, 1.6])
def test_the_factor_makes_the_interval_cover_what_it_says(width):
    net = network(0.0)
    half = float(torch.nn.functional.softplus(torch.tensor(-1.0)))
    # 80 % of a normal distribution lie within 1.2816 standard deviations.
    noise = np.random.default_rng(0).normal(scale=width * half / 1.2815516, size=(WINDOWS, HORIZON))
    factor = interval_factor([net], [windows(1 + noise)], LEVELS)
    assert factor == pytest.approx(width, rel=0.03)
    assert np.mean(np.abs(noise) <= factor * half) == pytest.approx(0.8, abs=0.01)


def test_the_factor_is_bounded_shrunk_and_one_without_a_pair_of_levels():
    batch = windows(np.full((50, HORIZON), 100.0))
    assert interval_factor([network(0.0)], [batch], LEVELS) == pytest.approx(2**0.5)  # half of the bound, in the log
    dims = Dimensions(horizon=HORIZON, lookback=4, patch=2, linear=4, lags=1, quantiles=(0.3, 0.5))
    assert interval_factor([ForecastNetwork(dims, "none").eval()], [batch], (0.3, 0.5)) == 1.0
