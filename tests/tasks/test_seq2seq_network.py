"""The network against the same equations over torch.nn, pair by pair and step by step; padding; copying; coverage."""

import pytest
import torch
import torch.nn.functional as F
from seq2seq_models import KINDS, network, sequences

from longshort.tasks.seq2seq.batch import make_batch

BEGIN, END = 7, 8


def torch_lstm(layer):
    other = torch.nn.LSTM(layer.input_size, layer.hidden_size, bidirectional=layer.bidirectional).double()
    other.load_state_dict(layer.state_dict())
    return other


def by_hand(net, source, target):
    """Log-probabilities of every token at every step for one pair, (T, V); weights (T, S); coverage penalties (T,)."""
    table, root = net.target_embedding.weight, net.dims.embedding_size**0.5
    x = (table[torch.tensor(source, dtype=torch.int64)] * root).unsqueeze(1)
    for layer in net.encoder.layers:
        x, (h, c) = torch_lstm(layer)(x)
    memory = x[:, 0]
    decoder, layers = net.decoder, [torch_lstm(layer) for layer in net.decoder.layers]
    start = decoder.bridge(torch.cat((h[0, 0], h[1, 0], c[0, 0], c[1, 0])))
    first, second = start.chunk(2)
    size = len(layers)
    states = [
        (a.tanh().view(1, 1, -1), b.view(1, 1, -1)) for a, b in zip(first.chunk(size), second.chunk(size), strict=True)
    ]
    fed, covered = torch.zeros(net.dims.embedding_size, dtype=torch.float64), torch.zeros(len(source)).double()
    rows, looked, penalties = [], [], []
    for token in [BEGIN, *target]:
        embedded = table[token] * root
        read = torch.cat((embedded, fed)) if decoder.feeding else embedded
        out, states[0] = layers[0](read.view(1, 1, -1), states[0])
        h = out.view(-1)
        found = None
        if decoder.attention is not None:
            attention = decoder.attention
            scores = []
            for m, c in zip(memory, covered, strict=True):
                if attention.score == "additive":
                    inner = attention.key.weight @ m + attention.key.bias + attention.query.weight @ h
                    inner = inner + (attention.cover * c if attention.cover is not None else 0)
                    scores.append(attention.value @ inner.tanh())
                else:
                    key = m if attention.score == "dot" else attention.key.weight @ m
                    extra = attention.cover[0] * c if attention.cover is not None else 0
                    scores.append(h @ key + extra)
            weights = torch.stack(scores).softmax(0)
            penalties.append(torch.minimum(weights, covered).sum())
            if decoder.covers:
                covered = covered + weights
            looked.append(weights)
            found = (weights.unsqueeze(1) * memory).sum(0)
        for k in range(1, size):
            read = h if found is None else torch.cat((h, found))
            out, states[k] = layers[k](read.view(1, 1, -1), states[k])
            h = out.view(-1)
        known = h if found is None else torch.cat((h, found))
        fed = torch.tanh(decoder.output.weight @ known + decoder.output.bias)
        p = (table @ fed + net.bias).softmax(0)
        if decoder.gate is not None:
            gate = torch.sigmoid(decoder.gate.weight[0] @ torch.cat((known, embedded)) + decoder.gate.bias[0])
            copied = torch.zeros_like(p)
            for token_read, weight in zip(source, weights, strict=True):
                copied[token_read] += weight
            p = gate * p + (1 - gate) * copied
        rows.append(p.log())
    return torch.stack(rows), looked, penalties


def log_probabilities(net, batch):
    decoded = net(batch)
    gate = None if decoded.gate is None else decoded.gate.t()
    weights = None if decoded.weights is None else decoded.weights.transpose(0, 1)
    return net.log_probabilities(decoded.features.transpose(0, 1), gate, weights, batch.sources), decoded


@pytest.mark.parametrize("kind", KINDS)
def test_the_equations(kind):
    net = network(kind, dtype=torch.float64, scale=1.5)
    sources, targets = sequences(4), sequences(4, seed=1)
    batch = make_batch(sources, targets, BEGIN, END)
    with torch.no_grad():
        logs, decoded = log_probabilities(net, batch)
        everything, penalties = [], []
        for b, (source, target) in enumerate(zip(sources, targets, strict=True)):
            right, looked, penalty = by_hand(net, source.tolist(), target.tolist())
            torch.testing.assert_close(logs[b, : len(right)], right, rtol=1e-9, atol=1e-11)
            if decoded.weights is not None:
                found = decoded.weights[: len(right), b, : len(source)]
                torch.testing.assert_close(found, torch.stack(looked), rtol=1e-9, atol=1e-11)
                assert (decoded.weights[:, b, len(source) :] == 0).all()
            wanted = torch.tensor([*target.tolist(), END])
            everything.append(right.gather(1, wanted.unsqueeze(1)).squeeze(1))
            penalties += penalty
        loss = net.loss(batch)
    torch.testing.assert_close(loss.likelihood, -torch.cat(everything).mean(), rtol=1e-9, atol=1e-11)
    if net.dims.coverage:
        torch.testing.assert_close(loss.penalty, torch.stack(penalties).mean(), rtol=1e-9, atol=1e-11)
    else:
        assert loss.penalty is None


@pytest.mark.parametrize("kind", ["plain", "copy"])
def test_smoothed_labels(kind):
    net, batch = network(kind), make_batch(sequences(3), sequences(3, seed=1), BEGIN, END)
    with torch.no_grad():
        decoded, written = net(batch), batch.written
        logs = F.linear(decoded.features[written], net.target_embedding.weight, net.bias).log_softmax(-1)
        expected = 0.8 * net.loss(batch).likelihood - 0.2 * logs.mean()
        torch.testing.assert_close(net.loss(batch, 0.2).likelihood, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind):
    net = network(kind, scale=1.0).train()
    loss = net.loss(make_batch(sequences(5), sequences(5, seed=1), BEGIN, END), 0.1)
    (loss.likelihood + (0 if loss.penalty is None else loss.penalty)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_probabilities_add_up():
    net, batch = network("copy"), make_batch(sequences(5), sequences(5, seed=1), BEGIN, END)
    with torch.no_grad():
        p = log_probabilities(net, batch)[0].exp().sum(-1)
    torch.testing.assert_close(p, torch.ones_like(p))


def test_words_that_are_left_out_are_drawn_for_each_token():
    net = network(words=0.5).train()
    torch.manual_seed(0)
    x = net.embed(net.target_embedding, torch.full((400, 3), 2))
    share = (x.abs().sum(-1) == 0).float().mean()
    assert 0.45 < share < 0.55
    kept = x[x.abs().sum(-1) > 0]
    torch.testing.assert_close(kept, (net.target_embedding.weight[2] * 5**0.5).expand_as(kept))
