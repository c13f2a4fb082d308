"""The network: quantiles that never cross, a start from naive forecasts, blindness for missing values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.tasks.forecast.network import CELLS, Batch, Dimensions, ForecastNetwork, quantile_loss

LEVELS = (0.1, 0.25, 0.5, 0.9)
DIMS = Dimensions(
    horizon=3, lookback=8, patch=4, linear=6, lags=2, quantiles=LEVELS,
    past=2, calendar=1, future=2, static=2, categories=(3,),
)  # fmt: skip
PLAIN = Dimensions(horizon=3, lookback=8, patch=4, linear=6, lags=2, quantiles=LEVELS)


def batch(dims=DIMS, size=4, seed=0, missing=0.2, scale=1.0):
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return scale * torch.randn(size, *shape, generator=g)

    def mask(*shape):
        return (torch.rand(size, *shape, generator=g) >= missing).float()

    observed, lagged_observed = mask(dims.lookback), mask(dims.horizon, dims.lags)
    return Batch(
        y=normal(dims.lookback) * observed,
        observed=observed,
        lagged=normal(dims.horizon, dims.lags) * lagged_observed,
        lagged_observed=lagged_observed,
        past=normal(dims.lookback, dims.past),
        calendar=normal(dims.lookback, dims.calendar),
        future=normal(dims.horizon, dims.future),
        static=normal(dims.static),
        categories=torch.stack([torch.randint(n, (size,), generator=g) for n in dims.categories], dim=1)
        if dims.categories
        else torch.zeros(size, 0, dtype=torch.int64),
        target=normal(dims.horizon),
        target_observed=mask(dims.horizon),
        weight=torch.rand(size, 1, generator=g) + 0.5,
    )


def network(dims=DIMS, cell="lstm", seed=0, trained=True, **options):
    """A network; `trained` gives all its weights some value, since the heads begin at zero."""
    torch.manual_seed(seed)
    net = ForecastNetwork(dims, cell, hidden_size=8, **options).eval()
    if trained:
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dims", [DIMS, PLAIN], ids=["all columns", "target only"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_shapes_and_gradients(cell, dims, num_layers):
    net = network(dims, cell, num_layers=num_layers).train()
    b = batch(dims)
    answer = net(b)
    assert answer.shape == (4, 3, 4)
    quantile_loss(answer, b, LEVELS).backward()
    unused = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    allowed = ("embed.", "from_context") if cell == "none" else ()
    assert [name for name in unused if not name.startswith(allowed or ("?",))] == []


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dims", [DIMS, PLAIN], ids=["all columns", "target only"])
def test_the_parts_make_up_the_answer(cell, dims):
    net, b = network(dims, cell), batch(dims)
    parts = net.parts(b)
    assert torch.equal(parts.median, net(b)[..., LEVELS.index(0.5)])
    added = (parts.copies, parts.linear, parts.learnt)
    torch.testing.assert_close(torch.stack(added).sum(0), parts.median)
    torch.testing.assert_close((parts.weights * b.lagged).sum(-1), parts.copies)
    assert (parts.increments > 0).all()
    available = b.lagged_observed.sum(-1) > 0
    torch.testing.assert_close((parts.weights * b.lagged_observed).sum(-1)[available], torch.ones(int(available.sum())))


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4]))
def test_quantiles_never_cross(seed, scale):
    with torch.no_grad():
        answer = network(seed=seed)(batch(seed=seed, scale=scale))
    assert torch.isfinite(answer).all()
    assert (answer.diff(dim=-1) >= 0).all()


def test_the_first_answer_is_the_mean_of_the_copies():
    b = batch(missing=0.4)
    b.lagged_observed[0, 0] = 0  # no copy at all: the window's own level, 0
    b.lagged[0, 0] = 0
    median = network(trained=False)(b)[..., LEVELS.index(0.5)]
    seen = b.lagged_observed.sum(-1).clamp_min(1)
    torch.testing.assert_close(median, (b.lagged * b.lagged_observed).sum(-1) / seen)


@pytest.mark.parametrize("cell", CELLS)
def test_a_copy_that_is_missing_has_no_influence(cell):
    b, net = batch(missing=0.5), network(cell=cell)
    filled = b._replace(lagged=torch.where(b.lagged_observed == 0, 1e3, b.lagged))
    seen = b.lagged_observed.sum(-1) > 0  # without any copy the mixture cannot leave out all of them
    torch.testing.assert_close(net(filled)[seen], net(b)[seen])


def test_the_median_does_not_depend_on_the_spread():
    net, b = network(), batch()
    before = net(b)
    with torch.no_grad():
        net.spread.weight.add_(1.0)
    after = net(b)
    assert torch.equal(after[..., 2], before[..., 2])
    assert not torch.equal(after, before)


def test_windows_do_not_see_each_other():
    net, b = network(), batch(size=5)
    alone = torch.cat([net(Batch(*(part[k : k + 1] for part in b))) for k in range(5)])
    torch.testing.assert_close(net(b), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["y", "observed", "lagged", "past", "calendar", "future", "static", "categories"])
def test_every_input_reaches_the_answer(name):
    net, b = network(), batch(missing=0.0)
    part = getattr(b, name)
    if name == "calendar":  # one time of day for each patch
        other = part + 1
    elif name == "categories":
        other = (part + 1) % 3
    else:
        other = part.clone()
        other[:, 0] += 1
    assert not torch.allclose(net(b), net(b._replace(**{name: other})))


@pytest.mark.parametrize("name", ["target", "target_observed", "weight"])
def test_the_target_does_not(name):
    net, b = network(), batch()
    assert torch.equal(net(b), net(b._replace(**{name: getattr(b, name) + 1})))


# -- the loss ----------------------------------------------------------------------------------------------------------


def test_the_loss_by_hand():
    """Twice the pinball loss, mean over the levels, weighted, over the observed targets, in float64 and loops."""
    b = batch(missing=0.4)
    answer = network()(b)
    total, count = 0.0, 0
    for w in range(4):
        for h in range(3):
            if b.target_observed[w, h] == 0:
                continue
            count += 1
            y = float(b.target[w, h])
            pinball = [
                tau * (y - q) if y >= q else (1 - tau) * (q - y)
                for tau, q in zip(LEVELS, answer[w, h].tolist(), strict=True)
            ]
            total += float(b.weight[w, 0]) * 2 * np.mean(pinball)
    assert 0 < count < 12
    assert quantile_loss(answer, b, LEVELS).item() == pytest.approx(total / count, rel=1e-5)


def test_the_loss_of_the_median_is_the_mase():
    b = batch(missing=0.0)
    answer = network()(b)[..., 2:3]
    scale, naive = 7.0, 2.0  # of one and the same series
    b = b._replace(weight=torch.full((4, 1), scale / naive))
    error = scale * (b.target - answer[..., 0]).abs()
    assert quantile_loss(answer, b, (0.5,)).item() == pytest.approx((error / naive).mean().item(), rel=1e-6)


def test_a_batch_without_targets_has_no_loss():
    b = batch(missing=1.1)
    assert quantile_loss(network()(b), b, LEVELS).item() == 0


def test_the_best_constant_is_the_quantile():
    """What the loss asks for: of 101 answers to the same window, that with a tenth of the values below it."""
    values = torch.linspace(0, 1, 101)
    shaped = torch.zeros(101, 1)
    b = batch(PLAIN, size=101)._replace(target=values[:, None], target_observed=shaped + 1, weight=shaped + 1)
    losses = [quantile_loss(torch.full((101, 1, 1), float(q)), b, (0.1,)).item() for q in values]
    assert float(values[int(np.argmin(losses))]) == pytest.approx(0.1)
