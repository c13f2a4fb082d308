"""The network: padding says nothing, pooling is what it says, weights add up to 1; and the temperature."""

import numpy as np
import pytest
import torch

from longshort.tasks.classify.answers import answer
from longshort.tasks.classify.network import ClassifyNetwork, Dimensions, Dropout
from longshort.tasks.classify.numbers import NumberEncoder
from longshort.tasks.classify.pooling import Pooling
from longshort.tasks.classify.temperature import fit_temperature, probabilities
from longshort.tasks.classify.words import WordEncoder

POOLS = [("attention",), ("max",), ("mean",), ("attention", "max", "mean")]
TEXTS = ["good film", "", "bad film film film film", "unheard", "good bad good"]


def small(cell="lstm", pools=("attention", "max", "mean"), layers=1, **dropout):
    torch.manual_seed(0)
    encoder = WordEncoder.train(TEXTS, None, 32, 20)
    dims = Dimensions(encoder.inputs, 32, 6, 5, layers, 3)
    return encoder, ClassifyNetwork(dims, cell, pools, Dropout(**dropout)).eval()


@pytest.mark.parametrize("pools", POOLS, ids="+".join)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_alone_or_beside_longer_texts_the_answer_is_the_same(cell, pools):
    encoder, network = small(cell, pools, layers=2)
    together = answer([network], encoder.encode(TEXTS))
    for k, text in enumerate(TEXTS):
        alone = answer([network], encoder.encode([text]))
        np.testing.assert_allclose(alone.logits[0], together.logits[k], atol=1e-6)
        np.testing.assert_allclose(alone.shares[0], together.shares[k], atol=1e-6)
        assert together.shares[k].sum() == pytest.approx(1, abs=1e-6)
        assert len(together.shares[k]) == max(1, len(text.split()))


def test_pooling_by_hand():
    torch.manual_seed(0)
    pooling = Pooling(4, ("attention", "max", "mean"))
    x, lengths = torch.randn(3, 2, 4), torch.tensor([3, 2])
    x[2, 1] = 0
    found, shares = pooling(x, lengths), pooling.shares(x, lengths)
    for row, length in enumerate([3, 2]):
        own = x[:length, row]
        weights = torch.exp(pooling.score(own)) / torch.exp(pooling.score(own)).sum()
        expected = torch.cat([(weights * own).sum(0), own.max(0).values, own.mean(0)])
        torch.testing.assert_close(found[row], expected)
        counts = torch.bincount(own.argmax(0), minlength=length) / 4
        torch.testing.assert_close(shares[:length, row], (weights[:, 0] + counts + 1 / length) / 3)
    assert shares[2, 1] == 0


def test_a_word_is_itself_and_the_mean_of_its_pieces():
    encoder, network = small()
    batch = encoder.encode(["good"]).batch(np.array([0]), np.array([0]))
    known = encoder.tokenizer.encode("good").ids[0]
    expected = network.embedding.weight[known] + network.pieces.weight[batch.pieces].mean(0)
    torch.testing.assert_close(network.inputs(batch)[0, 0], expected)


def test_unlike_unknown_words_differ_by_their_letters():
    encoder, network = small()
    one, two = answer([network], encoder.encode(["goodly", "xyzzy"])).logits
    assert not np.allclose(one, two)


def test_members_are_averaged():
    encoder, one = small()
    torch.manual_seed(1)
    two = ClassifyNetwork(one.dims, "lstm", ("attention", "max", "mean"), Dropout()).eval()
    encoded = encoder.encode(TEXTS)
    both = answer([one, two], encoded)
    np.testing.assert_allclose(
        both.logits, (answer([one], encoded).logits + answer([two], encoded).logits) / 2, atol=1e-7
    )


@pytest.mark.parametrize("what", ["words", "input", "pooled", "weights"])
def test_each_dropout_is_drawn_in_training_alone(what):
    encoder, network = small(**{what: 0.5})
    batch = encoder.encode(TEXTS).batch(np.arange(5), np.zeros(5, dtype=np.int64))
    assert torch.equal(network(batch), network(batch))
    network.train()
    assert not torch.equal(network(batch), network(batch))


def test_noise_is_drawn_in_training_alone():
    sequences = [np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)]
    encoder = NumberEncoder.train(sequences, 10)
    network = ClassifyNetwork(Dimensions(0, 0, 2, 5, 1, 3), "lstm", ("mean",), Dropout(noise=0.3)).eval()
    batch = encoder.encode(sequences).batch(np.array([0]), np.array([0]))
    assert torch.equal(network(batch), network(batch))
    network.train()
    assert not torch.equal(network(batch), network(batch))


# -- temperature -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 4))
    p = probabilities(logits, true)
    targets = (p.cumsum(1) < rng.random((20_000, 1))).sum(1)
    assert fit_temperature(logits, targets) == pytest.approx(true, rel=0.05)


def test_the_temperature_minimises_what_it_says():
    rng = np.random.default_rng(1)
    logits, targets = rng.normal(0, 2, (50, 3)), rng.integers(0, 3, 50)

    def cost(t):
        return -np.log(probabilities(logits, t)[np.arange(50), targets]).sum() + np.log(t) ** 2 / 2

    found = fit_temperature(logits, targets)
    assert all(cost(found) <= cost(t) + 1e-9 for t in np.exp(np.linspace(-2.9, 2.9, 200)))


def test_a_few_right_examples_do_not_make_it_certain():
    logits = np.array([[2.0, 0.0]] * 3)
    temperature = fit_temperature(logits, np.zeros(3, dtype=np.int64))
    assert 0.5 < temperature < 1
    assert fit_temperature(np.repeat(logits, 1000, 0), np.zeros(3000, dtype=np.int64)) < 0.3


def test_probabilities_of_huge_logits_are_finite():
    assert probabilities(np.array([[1e4, 0.0, -1e4]])).tolist() == [[1.0, 0.0, 0.0]]
