"""The probability of every token: against one plain reading, and nobody left out where parts are read side by side."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from writers import network, plain

from longshort.tasks.language import parts, scoring
from longshort.tasks.language.scoring import log_probabilities, read


def exact(net, ids, context):
    text = torch.from_numpy(np.concatenate([context, ids]))
    logs = plain(net, text[:-1, None])[:, 0].gather(-1, text[1:, None])[:, 0]
    return logs[len(context) - 1 :].detach().double().numpy()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("count", "before"), [(1, 1), (5, 1), (200, 1), (300, 77), (700, 1)])
def test_short_texts_are_read_in_one_go(cell, count, before):
    rng = np.random.default_rng(0)
    ids, context = rng.integers(11, size=count), rng.integers(11, size=before)
    net = network(cell=cell, layers=2, scale=8.0)
    np.testing.assert_allclose(log_probabilities(net, ids, context), exact(net, ids, context), atol=1e-5)


@pytest.fixture
def short(monkeypatch):
    """Parts and windows a thousandth as long."""
    monkeypatch.setattr(parts, "OVERLAP", 8)
    monkeypatch.setattr(parts, "WINDOW", 5)


def test_every_position_is_answered_exactly_once(monkeypatch):
    monkeypatch.setattr(parts, "OVERLAP", 8)
    monkeypatch.setattr(parts, "WINDOW", 5)
    net = network(vocabulary=2000)

    @given(st.integers(1, 900), st.integers(1, 20))
    def check(count, before):
        text = np.arange(before + count)
        seen = []
        for window in read(net, text[before:], text[:before]):
            mine = window.positions >= 0
            assert torch.equal(window.targets[mine] - before, window.positions[mine])
            seen += window.positions[mine].tolist()
        assert sorted(seen) == list(range(count))

    check()


def test_parts_side_by_side_agree_where_the_memory_is_short(short):
    """Gates that forget in a step or two: what lies 8 tokens back no longer matters."""
    net = network(scale=8.0)
    with torch.no_grad():
        layer = net.recurrent[0]
        layer.weight_hh_l0.mul_(0.05)
        layer.bias_ih_l0[6:12] = -6.0
    rng = np.random.default_rng(0)
    ids, context = rng.integers(11, size=3000), rng.integers(11, size=3)
    assert max(window.positions.size(1) for window in read(net, ids, context)) == 16
    found, wanted = log_probabilities(net, ids, context), exact(net, ids, context)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_parts_have_seen_what_lies_before_them(short):
    """With a long memory they differ a little, but less than parts without any context."""
    net = network(scale=8.0)
    ids = np.random.default_rng(0).integers(11, size=3000)
    wanted = exact(net, ids, ids[:1])
    found = log_probabilities(net, ids, ids[:1])
    assert 0 < np.abs(found - wanted).max() < 0.2
    np.testing.assert_allclose(found[:50], wanted[:50], atol=1e-5)  # the first part has seen all


def test_a_long_text_needs_little_memory(monkeypatch):
    """However long the text and large the vocabulary, no tensor holds more than some millions of numbers."""
    net = network(vocabulary=3000, embedding=4, units=4)
    sizes = []
    whole = net.log_probabilities

    def spy(features):
        logs = whole(features)
        sizes.append(logs.numel())
        return logs

    monkeypatch.setattr(net, "log_probabilities", spy)
    monkeypatch.setattr(scoring, "LARGEST", 1_000_000)
    ids = np.random.default_rng(0).integers(3000, size=10_000)
    logs = log_probabilities(net, ids, ids[:1])
    assert logs.shape == (10_000,)
    assert (logs < 0).all()
    assert max(sizes) <= 1_000_000
    monkeypatch.setattr(scoring, "LARGEST", 10**9)
    np.testing.assert_allclose(log_probabilities(net, ids, ids[:1]), logs, atol=1e-5)
