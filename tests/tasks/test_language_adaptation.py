"""The cache and dynamic evaluation against their formulas, one token at a time with torch.nn."""

import copy

import numpy as np
import pytest
import torch
from writers import model, network, plain, story

from longshort.data.corpus import Corpus
from longshort.tasks.language import adaptation, parts, scoring
from longshort.tasks.language.adaptation import Cache, Dynamic, choose_cache, choose_dynamic, gradient_roots

RNG = np.random.default_rng(0)
TEXT, OTHER = RNG.integers(11, size=90), RNG.integers(11, size=300)


def slow_cache(net, ids, context, flatness, share, size):
    """Grave et al. 2017, equations 3 to 5, with lists."""
    text = np.concatenate([context, ids])
    with torch.no_grad():
        _, output, _ = net(torch.from_numpy(text[:-1, None]))
        h = output[:, 0].double().numpy()
        p = plain(net, torch.from_numpy(text[:-1, None]))[:, 0].exp().double().numpy()
    found = []
    for t in range(len(context) - 1, len(text) - 1):
        past = range(max(0, t - size), t)
        weights = [np.exp(flatness * h[t] @ h[i]) for i in past]
        same = [w for w, i in zip(weights, past, strict=True) if text[i + 1] == text[t + 1]]
        mixed = (1 - share) * p[t, text[t + 1]] + share * sum(same) / sum(weights) if weights else p[t, text[t + 1]]
        found.append(np.log(mixed))
    return np.array(found)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("size", "before"), [(2000, 1), (7, 1), (7, 30), (1, 3)])
def test_the_cache(monkeypatch, cell, size, before):
    monkeypatch.setattr(parts, "WINDOW", 5)
    net = network(cell=cell, layers=2, scale=5.0)
    with torch.no_grad():
        for layer in net.recurrent:
            layer.weight_hh_l0.mul_(3)
    found = Cache(4.0, 0.3, size).log_probabilities(net, TEXT[before:], TEXT[:before])
    np.testing.assert_allclose(found, slow_cache(net, TEXT[before:], TEXT[:before], 4.0, 0.3, size), atol=1e-5)


def test_the_cache_sums_to_one():
    net = network(scale=5.0)
    total = sum(
        np.exp(Cache(3.0, 0.4).log_probabilities(net, np.array([*TEXT[5:30], token]), TEXT[:5])[-1])
        for token in range(11)
    )
    assert total == pytest.approx(1)


def test_a_cache_of_no_share_is_the_network():
    net = network(scale=5.0)
    found = Cache(1.0, 0.0).log_probabilities(net, TEXT[1:], TEXT[:1])
    np.testing.assert_allclose(found, scoring.log_probabilities(net, TEXT[1:], TEXT[:1]), atol=1e-6)


def slow_dynamic(net, ids, context, roots, rate, decay, segment):
    """The RMS rule with decay, weight by weight, on torch.nn's own network; a segment begins from a given state."""
    net = copy.deepcopy(net)
    text = torch.from_numpy(np.concatenate([context, ids]))
    layer = torch.nn.LSTM(net.recurrent[0].input_size, net.recurrent[0].hidden_size)
    layer.load_state_dict(net.recurrent[0].state_dict())
    weights = {
        "embedding.weight": net.embedding.weight,
        "bias": net.bias,
        "projection.weight": net.projection.weight,
        **{f"layers.0.{name}": p for name, p in layer.named_parameters()},
    }
    roots = dict(zip([name for name, _ in net.named_parameters()], roots, strict=True))
    assert set(roots) == set(weights)
    trained = {name: p.detach().clone() for name, p in weights.items()}
    mean = torch.cat([r.flatten() for r in roots.values()]).mean()
    with torch.no_grad():
        state = layer(weights["embedding.weight"][text[: len(context) - 1]])[1] if len(context) > 1 else None
    found = []
    for begin in range(len(context) - 1, len(text) - 1, segment):
        inputs, targets = text[begin : begin + segment][: len(text) - 1 - begin], text[begin + 1 : begin + segment + 1]
        output, after = layer(weights["embedding.weight"][inputs], state)
        logits = output @ weights["projection.weight"].T @ weights["embedding.weight"].T + weights["bias"]
        logs = logits.log_softmax(-1).gather(-1, targets[:, None])[:, 0]
        found += logs.tolist()
        for p in weights.values():
            p.grad = None
        (-logs.mean()).backward()
        with torch.no_grad():
            for name, p in weights.items():
                r = roots[name]
                back = torch.minimum(decay * r / mean, torch.ones(()))
                p += back * (trained[name] - p) - rate * p.grad / (r + adaptation.EPSILON * mean)
        state = tuple(part.detach() for part in after)
    return np.array(found)


@pytest.mark.parametrize(("rate", "decay", "segment"), [(0.01, 0.0, 7), (0.02, 0.3, 5), (0.01, 50.0, 90)])
@pytest.mark.parametrize("before", [1, 20])
def test_dynamic_evaluation(rate, decay, segment, before):
    net = network(scale=5.0)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    roots = gradient_roots(net, OTHER[:300], 10)
    found = Dynamic(rate, decay, segment).log_probabilities(net, TEXT[before:], TEXT[:before], roots)
    wanted = slow_dynamic(net, TEXT[before:], TEXT[:before], roots, rate, decay, segment)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert all(torch.equal(kept[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_without_a_rate_it_is_the_network():
    net = network(scale=5.0)
    roots = gradient_roots(net, TEXT)
    found = Dynamic(0.0, 0.1, 7).log_probabilities(net, TEXT[1:], TEXT[:1], roots)
    np.testing.assert_allclose(found, scoring.log_probabilities(net, TEXT[1:], TEXT[:1]), atol=1e-5)


def test_the_roots_of_squared_gradients(monkeypatch):
    """Over the places of the training part, each after 512 tokens or what there is."""
    monkeypatch.setattr(parts, "OVERLAP", 12)
    monkeypatch.setattr(adaptation, "PLACES", 5)
    net, text = network(scale=5.0), OTHER[:101]
    squares = [torch.zeros_like(p) for p in net.parameters()]
    for begin in (0, 20, 40, 60, 80):
        ids = torch.from_numpy(text[begin : begin + 21, None])
        with torch.no_grad():
            _, _, state = net(ids[:12])
        net.zero_grad()
        net.loss(net(ids[12:-1], state)[0], ids[13:]).backward()
        for square, p in zip(squares, net.parameters(), strict=True):
            square += p.grad**2 / 5
    found = gradient_roots(net, text, 8)
    for root, square in zip(found, squares, strict=True):
        torch.testing.assert_close(root, square.sqrt(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("length", [2, 3, 30])
def test_little_to_measure_gradients_on(length):
    assert all(root.isfinite().all() for root in gradient_roots(network(), TEXT[:length]))


def test_they_learn_from_a_text_that_repeats_itself():
    net = network(scale=1.0)
    text = np.tile(np.array([3, 1, 4, 1, 5, 9, 2, 6]), 60)
    roots = gradient_roots(net, OTHER[:300])
    frozen = scoring.log_probabilities(net, text[1:], text[:1]).mean()
    dynamic = Dynamic(0.003, 0.0, 10).log_probabilities(net, text[1:], text[:1], roots)
    assert dynamic[-50:].mean() > dynamic[:50].mean() + 0.2
    assert dynamic.mean() > frozen + 0.05
    assert Cache(20.0, 0.5).log_probabilities(net, text[1:], text[:1]).mean() > frozen + 0.15


def test_the_choice_is_the_best_of_the_grid(monkeypatch):
    monkeypatch.setattr(adaptation, "CHOOSING", 60)
    net, text = network(scale=3.0), np.tile(TEXT[:30], 5)
    roots = gradient_roots(net, TEXT)
    cache, dynamic = choose_cache(net, text[1:], text[:1]), choose_dynamic(net, text[1:], text[:1], roots)
    ids, before = text[-60:], text[:-60]
    best = cache.log_probabilities(net, ids, before).sum()
    for flatness in adaptation.FLATNESS:
        for share in adaptation.SHARES:
            assert Cache(flatness, share).log_probabilities(net, ids, before).sum() <= best
    best = dynamic.log_probabilities(net, ids, before, roots).sum()
    for rate in adaptation.RATES:
        for decay in adaptation.DECAYS:
            assert Dynamic(rate, decay).log_probabilities(net, ids, before, roots).sum() <= best


def test_the_choice_is_made_on_the_end_of_the_validation_part(monkeypatch):
    monkeypatch.setattr(adaptation, "CHOOSING", 60)
    monkeypatch.setattr(parts, "OVERLAP", 25)
    text, seen = np.arange(100), []
    adaptation._best([1], text[10:], text[:10], lambda one, ids, before: seen.append((ids, before)) or np.zeros(1))
    ((ids, before),) = seen
    assert np.array_equal(ids, text[40:])
    assert np.array_equal(before, text[15:40])


def test_evaluate_has_a_row_for_each(tmp_path, monkeypatch):
    monkeypatch.setattr(adaptation, "CHOOSING", 200)
    written = model()
    later = Corpus.of([story(6, 5)])
    alone = written.evaluate(later)
    both = written.evaluate(later, cache=True, dynamic=True)
    names = list(alone.overall)
    assert list(both.overall) == [names[0], "LSTM + cache", "LSTM + dynamic evaluation", *names[1:]]
    assert {name: both.overall[name] for name in names} == alone.overall
    assert both.verdict.startswith(alone.verdict)
    fitted = written.fitted
    ids = fitted.tokenizer.encode(story(6, 5)).ids
    newline = fitted.tokenizer.encode("\n").ids
    cache = choose_cache(fitted.network, fitted.validation, fitted.training[-512:])
    assert both.overall["LSTM + cache"]["nats"] == pytest.approx(
        -cache.log_probabilities(fitted.network, ids, newline).mean()
    )
    assert f"LSTM + cache {both.overall['LSTM + cache']['bits per character']:.3f} (chosen on the" in both.verdict
    assert list(written.evaluate(later, cache=True).overall) == [names[0], "LSTM + cache", *names[1:]]
    written.save(tmp_path / "run")
    assert type(written).load(tmp_path / "run").evaluate(later, cache=True, dynamic=True) == both


def test_evaluate_adapts_to_the_test_part_too():
    written = model()
    fitted = written.fitted
    scores = written.evaluate(Corpus.of([fitted.tokenizer.decode(fitted.test)]))
    written._fitted = type(fitted)(**{**vars(fitted), "scores": scores})
    found = written.evaluate(dynamic=True).overall
    assert list(found)[:2] == ["LSTM", "LSTM + dynamic evaluation"]
    before = fitted.training[-512:]
    np.testing.assert_allclose(
        found["LSTM"]["nats"], -scoring.log_probabilities(fitted.network, fitted.test, before).mean(), rtol=1e-6
    )
    assert written.evaluate() == scores


def test_steps_that_diverge_are_not_chosen(monkeypatch):
    monkeypatch.setattr(adaptation, "RATES", (1e30, 1e-4))
    monkeypatch.setattr(adaptation, "DECAYS", (0.0,))
    net = network(scale=3.0)
    assert choose_dynamic(net, TEXT[1:], TEXT[:1], gradient_roots(net, TEXT)).rate == 1e-4


def test_a_large_vocabulary():
    net = network(embedding=16, cutoffs=(4, 8))
    roots = gradient_roots(net, TEXT)
    for found in (
        Cache(1.0, 0.0).log_probabilities(net, TEXT[1:], TEXT[:1]),
        Dynamic(0.0, 0.0, 7).log_probabilities(net, TEXT[1:], TEXT[:1], roots),
    ):
        np.testing.assert_allclose(found, scoring.log_probabilities(net, TEXT[1:], TEXT[:1]), atol=1e-5)
