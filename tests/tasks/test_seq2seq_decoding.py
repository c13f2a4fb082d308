"""Decoding against all sentences that there are, against plain loops, and against its own rules."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2seq_models import KINDS, network, rules, sequences

from longshort.errors import InputError
from longshort.tasks.seq2seq.batch import make_batch
from longshort.tasks.seq2seq.beam import largest
from longshort.tasks.seq2seq.constraints import progress
from longshort.tasks.seq2seq.decoding import Decoding, answers
from longshort.tasks.seq2seq.likelihood import log_likelihoods
from longshort.tasks.seq2seq.problem import Encoded
from longshort.tasks.seq2seq.stepper import Stepper


def found(net, sources, limit=8, constraints=None, **settings_):
    constraints = constraints or rules(net.dims.targets)
    return answers(partial(Stepper, net), sources, Decoding(**settings_), constraints, [limit] * len(sources))


def likelihoods(net, sources, targets):
    size = net.dims.targets
    targets = [np.asarray(target, dtype=np.int32) for target in targets]
    return log_likelihoods(net, Encoded(sources, targets, size - 2, size - 1))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_as_wide_as_all_sentences_finds_the_best(penalty):
    net = network(vocabulary=5, seed=3)
    (source,) = sequences(1, vocabulary=5)
    everything = [list(said) for length in range(3) for said in itertools.product(range(3), repeat=length)]
    logs = likelihoods(net, [source] * len(everything), everything)
    scores = [log / (len(said) + 1) ** penalty for log, said in zip(logs, everything, strict=True)]
    best = np.argsort(scores)[::-1]
    # Longer ones must end where the limit is, however unlikely that is: they are sentences too.
    (hypotheses,) = found(net, [source], limit=2, beam=40, n_best=13, length_penalty=penalty)
    assert len(hypotheses) == 13
    assert [h.tokens.tolist() for h in hypotheses] == [everything[k] for k in best]
    np.testing.assert_allclose([h.score for h in hypotheses], sorted(scores, reverse=True), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_one_hypothesis_is_the_greedy_loop(kind):
    net, sources = network(kind), sequences(6)
    for source, (best,) in zip(sources, found(net, sources, beam=1), strict=True):
        said = []
        while len(said) < 8:
            with torch.no_grad():
                batch = make_batch([source], [np.array(said, dtype=np.int32)], 7, 8)
                decoded = net(batch)
                gate = None if decoded.gate is None else decoded.gate.t()
                weights = None if decoded.weights is None else decoded.weights.transpose(0, 1)
                logs = net.log_probabilities(decoded.features.transpose(0, 1), gate, weights, batch.sources)[0, -1]
            logs[7] = -torch.inf
            token = int(logs.argmax())
            if token == 8:
                break
            said.append(token)
        assert best.tokens.tolist() == said


@pytest.mark.parametrize("kind", KINDS)
def test_the_company_in_a_batch_changes_nothing(kind):
    net, sources = network(kind), sequences(70)
    together = found(net, sources, beam=3, n_best=2)
    for source, several in list(zip(sources, together, strict=True))[::7]:
        (alone,) = found(net, [source], beam=3, n_best=2)
        assert [h.tokens.tolist() for h in alone] == [h.tokens.tolist() for h in several]
        np.testing.assert_allclose([h.score for h in alone], [h.score for h in several], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_its_probabilities_are_those_of_the_network(kind):
    net, sources = network(kind), sequences(20)
    best = [row[0] for row in found(net, sources, limit=30, beam=3)]
    logs = likelihoods(net, sources, [hypothesis.tokens for hypothesis in best])
    np.testing.assert_allclose([hypothesis.log_probability for hypothesis in best], logs, rtol=1e-4, atol=1e-4)


@given(st.integers(1, 3), st.integers(0, 200), st.sampled_from(["beam", "sample"]))
@settings(max_examples=15)
def test_no_n_gram_occurs_twice(n, seed, method):
    net, sources = network(seed=seed), sequences(5, seed=seed)
    for (best,) in found(net, sources, limit=20, constraints=rules(no_repeat=n), method=method, beam=2):
        grams = list(zip(*(best.tokens.tolist()[k:] for k in range(n)), strict=False))
        assert len(set(grams)) == len(grams)


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_forbidden_words_do_not_occur(method):
    net, sources = network(scale=1.0), sequences(30)
    words = ((0,), (1, 2), (3, 3, 4))
    for (best,) in found(net, sources, limit=20, constraints=rules(forbidden=words), method=method):
        said = best.tokens.tolist()
        for word in words:
            assert progress(said, word) < len(word)


def test_forced_words_occur():
    net, sources = network(scale=2.0), sequences(12)
    words = ((4, 5), (2,))
    usual = found(net, sources, limit=12, beam=4)
    forced = found(net, sources, limit=12, beam=4, constraints=rules(forced=words))
    assert any(progress(row[0].tokens.tolist(), (4, 5)) < 2 for row in usual)
    for (best,) in forced:
        for word in words:
            assert progress(best.tokens.tolist(), word) == len(word)
    # What is forced costs something, and the rest is still as likely as may be.
    logs = likelihoods(net, sources, [row[0].tokens for row in forced])
    np.testing.assert_allclose([row[0].log_probability for row in forced], logs, rtol=1e-4, atol=1e-4)


@given(st.integers(1, 4), st.integers(1, 700), st.integers(1, 12), st.integers(0, 2**31))
def test_the_largest_of_a_row(rows, size, count, seed):
    rng = np.random.default_rng(seed)
    numbers = rng.choice([-np.inf, *rng.normal(size=30)], (rows, size)).astype(np.float32)  # with many ties
    values, places = largest(numbers, min(count, size))
    np.testing.assert_array_equal(values, np.sort(numbers)[:, ::-1][:, :count])
    np.testing.assert_array_equal(np.take_along_axis(numbers, places, 1), values)
    assert all(len(set(row)) == len(row) for row in places.tolist())


def test_progress():
    assert progress([1, 2, 3], (2, 3)) == 2
    assert progress([1, 2, 3, 9], (2, 3)) == 2
    assert progress([1, 2], (2, 3)) == 1
    assert progress([2, 1], (2, 3)) == 0
    assert progress([], (2,)) == 0


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_lengths_are_kept(method):
    net, sources = network(), sequences(20)
    rows = found(net, sources, limit=6, constraints=rules(min_length=4), method=method)
    assert {len(row[0].tokens) for row in rows} <= {4, 5, 6}
    endless = network()
    with torch.no_grad():
        endless.bias[8] = -1e4  # it would never end
    for (best,) in found(endless, sources, limit=6, method=method):
        assert len(best.tokens) == 6


def test_draws_come_from_the_distribution():
    net, (source,) = network(scale=1.0, vocabulary=6), sequences(1, vocabulary=6)
    draws = found(net, [source], method="sample", n_best=3000, seed=5)[0]
    assert draws == sorted(draws, key=lambda draw: -draw.score)
    kinds, counts = np.unique([tuple(d.tokens.tolist()) for d in draws if len(d.tokens) == 1], return_counts=True)
    logs = likelihoods(net, [source] * len(kinds), [[kind] for kind in kinds])
    # The begin token is never drawn, and what it would have had is not given to others.
    for count, p in zip(counts, np.exp(logs), strict=True):
        assert abs(count / 3000 - p) < 5 * np.sqrt(p / 3000) + 0.02
    again = found(net, [source], method="sample", n_best=3000, seed=5)[0]
    assert all((a.tokens.tolist(), a.score) == (b.tokens.tolist(), b.score) for a, b in zip(draws, again, strict=True))


def test_a_draw_from_the_likeliest_alone_is_greedy():
    net, sources = network(), sequences(8)
    greedy = [row[0].tokens.tolist() for row in found(net, sources, beam=1)]
    for more in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        drawn = found(net, sources, method="sample", **more)
        assert [row[0].tokens.tolist() for row in drawn] == greedy


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"method": "magic"}, "method must be one of beam, sample, not 'magic'"),
        ({"beam": 0}, "beam must be a whole number from 1, not 0"),
        ({"n_best": 6}, "n_best must not be above beam"),
        ({"top_p": 1.5}, "top_p must be at most 1"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"min_length": 9, "max_length": 3}, "min_length must not be above max_length"),
        ({"forbidden": ("",)}, "forbidden must be words"),
        ({"forced": "x", "method": "sample"}, "forced words need a beam"),
        ({"beams": 3}, "unknown setting 'beams'"),
    ],
)
def test_what_cannot_be(given_, said):
    with pytest.raises(InputError, match=said):
        Decoding.from_dict(given_)
