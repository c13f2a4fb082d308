"""The network against torch.nn, and its regularisation against what each kind says it does."""

import math

import pytest
import torch
import torch.nn.functional as F
from writers import network, plain

IDS = torch.randint(11, (9, 3), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("layers", "hidden"), [(1, 6), (2, 6), (3, 5)])
def test_it_is_pytorchs_network(cell, layers, hidden, tied):
    net = network(cell=cell, layers=layers, units=hidden, scale=5.0, tied=tied)
    assert (net.output is None) == tied
    features, output, state = net(IDS[:-1])
    expected = plain(net, IDS[:-1])
    torch.testing.assert_close(net.log_probabilities(features), expected)
    loss = F.nll_loss(expected.flatten(0, 1), IDS[1:].flatten())
    torch.testing.assert_close(net.loss(features, IDS[1:]), loss)
    assert output.shape == (8, 3, hidden)
    assert len(state) == layers
    assert {part.shape for layer in state for part in layer} == {(1, 3, hidden)}


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_its_gradients_are_pytorchs(cell):
    net = network(cell=cell, layers=2)
    net.loss(net(IDS[:-1])[0], IDS[1:]).backward()
    found = net.embedding.weight.grad.clone(), net.bias.grad.clone()
    net.zero_grad()
    F.nll_loss(plain(net, IDS[:-1]).flatten(0, 1), IDS[1:].flatten()).backward()
    torch.testing.assert_close(found, (net.embedding.weight.grad, net.bias.grad))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_text_may_be_read_in_pieces(cell):
    net = network(cell=cell, layers=2)
    whole, _, end = net(IDS)
    first, _, state = net(IDS[:4])
    second, _, last = net(IDS[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(last, end)


@pytest.mark.parametrize("cutoffs", [(), (5,), (3, 8)])
def test_probabilities_sum_to_one_and_the_loss_is_their_mean(cutoffs):
    net = network(embedding=16, cutoffs=cutoffs, scale=5.0)
    features, _, _ = net(IDS[:-1])
    logs = net.log_probabilities(features)
    assert logs.shape == (8, 3, 11)
    torch.testing.assert_close(logs.exp().sum(-1), torch.ones(8, 3))
    torch.testing.assert_close(net.loss(features, IDS[1:]), -logs.gather(-1, IDS[1:, :, None]).mean())
    torch.testing.assert_close(net.log_probabilities(features[2, 1]), logs[2, 1])


def test_the_softmax_has_the_embeddings_weights():
    net = network(units=5)  # without a projection
    assert [name for name, p in net.state_dict().items() if p.shape == (11, 5)] == ["embedding.weight"]
    assert isinstance(net.projection, torch.nn.Identity)
    assert network(units=6).projection.weight.shape == (5, 6)
    features, _, _ = net(IDS)
    with torch.no_grad():
        before = net.log_probabilities(features)
        net.embedding.weight[4] += 1.0
        after = net.log_probabilities(features)
    assert not torch.allclose(after, before)


@pytest.mark.parametrize(("kind", "place"), [("input", 0), ("hidden", 1), ("output", None)])
def test_dropout_is_where_it_says(kind, place):
    """The only dropout: what the layer (or the projection) behind it gets has locked zeros, and others have none."""
    seen = {}
    net = network(layers=2, units=30, embedding=20, **{kind: 0.5}).train()
    for k, layer in enumerate(net.recurrent):
        layer.register_forward_pre_hook(lambda _, given, k=k: seen.__setitem__(k, given[0]))
    net.projection.register_forward_pre_hook(lambda _, given: seen.__setitem__(None, given[0]))
    torch.manual_seed(0)
    net(IDS)
    for where, x in seen.items():
        zeros = x == 0
        assert bool(zeros.any()) == (where == place)
        assert torch.equal(zeros, zeros[:1].expand_as(zeros))


def test_what_the_layers_read_begins_at_the_size_of_one_but_not_where_the_softmax_shares_it():
    assert network(vocabulary=500, embedding=16, tied=False).embedding.weight.std().item() == pytest.approx(1, abs=0.05)
    shared = network(vocabulary=500, embedding=16).embedding.weight.abs().max().item()
    assert 0.09 < shared <= 0.1


def test_word_dropout_leaves_out_whole_words():
    torch.manual_seed(1)
    net = network(words=0.5, embedding=20).train()
    x = net.embed(IDS)
    gone = (x == 0).all(-1)
    assert torch.equal((x == 0).any(-1), gone)
    by_word = {word: gone[word == IDS] for word in IDS.unique().tolist()}
    assert all(bool(g.all()) or not bool(g.any()) for g in by_word.values())
    assert len({bool(g.any()) for g in by_word.values()}) == 2
    kept = ~gone
    torch.testing.assert_close(x[kept], 2 * net.embedding.weight[IDS][kept])
    torch.testing.assert_close(net.eval().embed(IDS), net.embedding.weight[IDS])


def test_dropconnect_is_passed_on():
    net = network(layers=2, weights=0.3)
    assert [layer.weight_dropout for layer in net.recurrent] == [0.3, 0.3]
    torch.manual_seed(0)
    expected = net(IDS)[0]
    assert torch.equal(net(IDS)[0], expected)
    assert not torch.allclose(net.train()(IDS)[0], expected)


def test_the_beginning_is_nearly_even():
    """Before any training no token is expected more than others: the loss is log V."""
    net = network(vocabulary=500, embedding=32, units=32)
    with torch.no_grad():
        net.bias.zero_()
    ids = torch.randint(500, (20, 10))
    assert net.loss(net(ids)[0], ids).item() == pytest.approx(math.log(500), rel=0.01)


def test_an_lstm_begins_by_remembering():
    """The forget gate's biases, the second of four blocks, add up to 1 (Jozefowicz et al. 2015)."""
    for layer in network(layers=2).recurrent:
        biases = (layer.bias_ih_l0 + layer.bias_hh_l0).view(4, -1)
        torch.testing.assert_close(biases[1], torch.ones(6))
        assert not torch.allclose(biases[[0, 2, 3]], torch.ones(3, 6), atol=0.1)
