"""Timescales and horizons against networks whose memory is known by construction."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.errors import LongshortError
from longshort.explainable import Explainable
from longshort.nn import GRU, LSTM, RNN
from longshort.study.horizon import distance_of, gradient_by_lag, horizon, horizons_alone
from longshort.study.states import layer_states


def leaky(forget, hidden=3, inputs=3):
    """An LSTM with constant gates, c' = f c + g, where tanh is linear: a leaky sum of what it reads."""
    layer = LSTM(inputs, hidden).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.weight_ih_l0.view(4, hidden, inputs)[2].copy_(1e-4 * torch.eye(hidden, inputs))
        bias = layer.bias_ih_l0.view(4, hidden)
        bias[0] = bias[3] = 20.0
        bias[1] = torch.logit(torch.as_tensor(forget, dtype=torch.float64)).expand(hidden)
    return layer


def subject(layer, x, answer=None, **more):
    """The last output of a layer, given (T, B, C), as an `Explainable`."""

    def last(x):
        return layer(x.transpose(0, 1))[0][-1]

    given = {
        "answer": answer or last,
        "outcomes": [str(k) for k in range(layer.hidden_size)],
        "probabilities": False,
        "question": "what stands there",
        "layers": {"layer": layer},
        "labels": [str(k) for k in range(x.shape[1])],
        "source": "Made by hand.",
    }
    return Explainable(inputs=x, **{**given, **more})


def noise(count=8, steps=120, channels=3, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, steps, channels)))


EUCLID = distance_of(False)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_gate_held_at_a_value_has_its_timescale(cell):
    keeps = np.array([0.5, 0.9, 0.99])
    if cell == "lstm":
        layer = leaky(keeps)
    else:
        layer = GRU(3, 3).double()
        with torch.no_grad():
            for weight in layer.parameters():
                weight.zero_()
            layer.bias_ih_l0.view(3, 3)[1] = torch.logit(torch.from_numpy(keeps))
    for stride in (1, 4):
        (found,) = layer_states(subject(layer, noise(), stride=stride))
        np.testing.assert_allclose(found.timescales, -stride / np.log(keeps), rtol=1e-9)
    with torch.no_grad():
        expected = layer(noise()[0])[0]
    np.testing.assert_allclose(found.states["h"], expected.numpy(), atol=1e-12)


def test_the_timescale_is_that_of_the_product_of_the_gates():
    """Gates of 0.5 and 0.98 in turn keep what their geometric mean keeps."""
    layer = leaky(0.7, 1, 1)
    with torch.no_grad():
        layer.weight_ih_l0.view(4, 1, 1)[1] = 1.0
        layer.bias_ih_l0.view(4, 1)[1] = 0.0
    gates = torch.tensor([0.5, 0.98], dtype=torch.float64).repeat(20)
    x = torch.logit(gates).expand(2, 40).unsqueeze(-1)
    (found,) = layer_states(subject(layer, x))
    left = float(gates.prod())
    assert found.timescales[0] == pytest.approx(-40 / math.log(left), rel=1e-9)


def test_a_plain_rnn_has_no_timescales():
    layer = RNN(3, 4).double()
    (found,) = layer_states(subject(layer, noise()))
    assert (found.timescales, found.cell, found.states["h"].shape) == (None, "rnn", (120, 4))


def test_every_layer_and_direction_is_traced_as_it_was_read():
    torch.manual_seed(0)
    below, above = LSTM(3, 4, bidirectional=True).double(), LSTM(8, 5, num_layers=2, batch_first=True).double()

    def answer(x):
        return above(below(x.transpose(0, 1))[0].transpose(0, 1))[0][:, -1]

    x = noise(3, 9)
    found = layer_states(subject(above, x, answer, layers={"one": below, "two": above}))
    assert [layer.name for layer in found] == ["one, forwards", "one, backwards", "two, 1", "two, 2"]
    y, _ = below(x[0])
    np.testing.assert_allclose(np.concatenate([found[0].states["h"], found[1].states["h"]], 1), y.detach(), atol=1e-12)
    np.testing.assert_allclose(found[3].states["h"][-1], answer(x)[0].detach(), atol=1e-12)


def test_a_layer_that_is_not_used_is_a_mistake():
    layer = leaky(0.5)
    with pytest.raises(LongshortError, match="'layer' is not used"):
        layer_states(subject(layer, noise(), lambda x: x[:, -1]))


@pytest.mark.parametrize("forget", [0.3, 0.9, 0.96])
def test_a_leaky_sum_forgets_as_its_gate_says(forget):
    """What is left of a replaced past is Σ f^j (x' - x) over the steps before the kept ones, computed here by NumPy."""
    x = noise(8, 140)
    found = horizon(subject(leaky(forget), x).answer, x, EUCLID)
    difference = (x.roll(-1, 0) - x).numpy()[:, ::-1]
    decayed = difference * (forget ** np.arange(140))[:, None]

    def moved(kept):
        return np.sqrt((decayed[:, kept:].sum(1) ** 2).mean())

    np.testing.assert_allclose(found.relative, [moved(k) / moved(0) for k in found.kept], rtol=1e-3, atol=1e-9)
    expected = next(k for k in range(141) if all(moved(j) <= 0.05 * moved(0) for j in range(k, 141)))
    assert found.steps == expected
    # Of noise that goes on for ever f^k is left: ln 0.05 / ln f steps, three times the timescale.
    assert found.steps == pytest.approx(math.log(0.05) / math.log(forget), abs=3.5)
    assert found.low <= found.steps <= found.high


@settings(max_examples=30)
@given(lag=st.integers(1, 90), steps=st.integers(91, 110))
def test_delayed_recall_has_the_horizon_of_its_lag(lag, steps):
    """A network that answers with what stood `lag` steps back, and one that answers with all since then."""
    x = noise(4, steps)
    recall = horizon(lambda x: x[:, -1 - lag], x, EUCLID)
    assert (recall.steps, recall.low, recall.high) == (lag + 1,) * 3
    assert not recall.whole or lag + 1 == steps
    np.testing.assert_allclose(recall.relative[recall.kept <= lag], 1.0)
    np.testing.assert_allclose(recall.relative[recall.kept > lag], 0.0)


def test_what_cannot_look_back_has_the_horizon_of_one_step_or_none():
    x = noise()
    layer = leaky(1e-12)
    assert horizon(subject(layer, x).answer, x, EUCLID).steps == 1
    assert horizon(lambda x: x[:, -1], x, EUCLID).steps == 1
    deaf = horizon(lambda x: torch.ones(len(x), 2), x, EUCLID)
    assert (deaf.steps, deaf.low, deaf.high, deaf.relative.max()) == (0, 0, 0, 0)


def test_what_never_forgets_reaches_to_the_beginning():
    x = noise(8, 50)
    found = horizon(lambda x: x.sum(1), x, EUCLID)
    assert found.whole
    assert found.steps == 50


def test_a_latch_holds_what_stood_first_however_long_ago():
    """The input gate opens at a marked step alone, the forget gate stays open: the horizon reaches to the mark."""
    layer = leaky(0.5, 1, 2)
    with torch.no_grad():
        i, f, g, _ = layer.weight_ih_l0.view(4, 1, 2)
        i.copy_(torch.tensor([[0.0, 80.0]]))
        f.copy_(torch.tensor([[0.0, -80.0]]))
        g.copy_(torch.tensor([[1e-3, 0.0]]))
        layer.bias_ih_l0.view(4, 1)[:2] = torch.tensor([[-40.0], [40.0]])
    x = noise(6, 90, 2)
    x[..., 1] = 0
    x[:, 90 - 61, 1] = 1  # 60 steps before the last one
    assert horizon(subject(layer, x).answer, x, EUCLID).steps == 61


def test_layers_by_themselves_in_both_directions():
    layer = LSTM(3, 3, bidirectional=True).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        for way, forget in (("", 0.9), ("_reverse", 1e-9)):
            one = leaky(forget)
            for name in ("weight_ih_l0", "bias_ih_l0"):
                getattr(layer, name + way).copy_(getattr(one, name))
    x = noise()
    found = horizons_alone(subject(layer, x, lambda x: layer(x.transpose(0, 1))[0].mean(0)))
    forwards, backwards = found["layer, forwards"], found["layer, backwards"]
    assert forwards.steps == horizon(subject(leaky(0.9), x).answer, x, EUCLID).steps
    assert backwards.steps == 1
    with torch.no_grad():
        layer.bias_ih_l0_reverse.copy_(layer.bias_ih_l0)
    again = horizons_alone(subject(layer, x, lambda x: layer(x.transpose(0, 1))[0].mean(0)))["layer, backwards"]
    assert again.steps == horizon(subject(leaky(0.9), x.flip(1)).answer, x.flip(1), EUCLID).steps


def test_the_gradient_by_lag_of_a_leaky_sum_is_a_power_of_its_gate():
    found = gradient_by_lag(subject(leaky(0.8), noise(4, 40)))
    np.testing.assert_allclose(found, 0.8 ** np.arange(40), rtol=1e-4)


def test_the_distance_of_probabilities_is_hellingers():
    p, q = torch.tensor([[0.2, 0.8], [1.0, 0.0]]).double(), torch.tensor([[0.5, 0.5], [0.0, 1.0]]).double()
    expected = np.sqrt(((np.sqrt(p.numpy()) - np.sqrt(q.numpy())) ** 2).sum(-1) / 2)
    np.testing.assert_allclose(distance_of(True)(p.log(), q.log()), expected, rtol=1e-12)
    assert float(distance_of(True)(p.log(), q.log())[1]) == pytest.approx(1)


def test_a_network_that_learnt_to_recall_uses_its_lag():
    """One of four symbols is marked among others, nine steps before the answer; the network must find that out."""
    torch.manual_seed(0)
    rng, lag, before = np.random.default_rng(0), 9, 11
    layer, head = LSTM(5, 16, batch_first=True, chrono=lag), torch.nn.Linear(16, 4)

    def draw(count):
        symbols = torch.from_numpy(rng.integers(0, 4, (count, before + lag + 1)))
        mark = torch.zeros(*symbols.shape, 1)
        mark[:, before] = 1
        x = torch.cat([torch.nn.functional.one_hot(symbols, 4).float(), mark], -1)
        return x, symbols[:, before]

    def answer(x):
        return head(layer(x)[0][:, -1]).log_softmax(-1)

    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], 2e-2)
    for _ in range(250):
        x, targets = draw(32)
        optimizer.zero_grad()
        torch.nn.functional.nll_loss(answer(x), targets).backward()
        optimizer.step()
    x, targets = draw(24)
    assert (answer(x).argmax(-1) == targets).all()
    found = horizon(answer, x, distance_of(True))
    assert (found.steps, found.length, found.whole) == (lag + 1, 21, False)
    assert int(gradient_by_lag(subject(layer, x, answer, outcomes=list("abcd"), probabilities=True)).argmax()) == lag
