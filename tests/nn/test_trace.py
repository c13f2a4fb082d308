"""What a layer shows of its inside, against the equations written out for single numbers."""

import math

import pytest
import torch

from longshort.nn import GRU, LSTM, RNN, GRUTrace, LSTMTrace, RNNTrace

LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
LENGTHS = [2, 4, 1]


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def rows(layer, x, h):
    """The input's and the state's part of each row of the weights, for one unit's worth of state per gate."""
    w, u = layer.weight_ih_l0.tolist(), layer.weight_hh_l0.tolist()
    b, d = layer.bias_ih_l0.tolist(), layer.bias_hh_l0.tolist()
    from_x = [sum(a * e for a, e in zip(row, x, strict=True)) + bias for row, bias in zip(w, b, strict=True)]
    from_h = [sum(a * e for a, e in zip(row, h, strict=True)) + bias for row, bias in zip(u, d, strict=True)]
    return from_x, from_h


def test_lstm_by_hand():
    layer = LSTM(3, 2, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64)
    trace = layer.trace(x)
    assert isinstance(trace, LSTMTrace)
    h, c = [0.0, 0.0], [0.0, 0.0]
    for t, x_t in enumerate(x.tolist()):
        from_x, from_h = rows(layer, x_t, h)
        z = [a + b for a, b in zip(from_x, from_h, strict=True)]
        i, f, g, o = map(sigmoid, z[0:2]), map(sigmoid, z[2:4]), map(math.tanh, z[4:6]), map(sigmoid, z[6:8])
        wanted = {"i": list(i), "f": list(f), "g": list(g), "o": list(o)}
        c = [wanted["f"][k] * c[k] + wanted["i"][k] * wanted["g"][k] for k in range(2)]  # the old state is added to
        h = [wanted["o"][k] * math.tanh(c[k]) for k in range(2)]
        for name, values in {**wanted, "c": c, "h": h}.items():
            assert getattr(trace, name)[0, 0, t].tolist() == pytest.approx(values, abs=1e-14), name


def test_gru_by_hand():
    layer = GRU(3, 2, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64)
    trace = layer.trace(x)
    assert isinstance(trace, GRUTrace)
    h = [0.0, 0.0]
    for t, x_t in enumerate(x.tolist()):
        a, b = rows(layer, x_t, h)
        r = [sigmoid(a[k] + b[k]) for k in range(2)]
        z = [sigmoid(a[2 + k] + b[2 + k]) for k in range(2)]
        n = [math.tanh(a[4 + k] + r[k] * b[4 + k]) for k in range(2)]
        h = [(1 - z[k]) * n[k] + z[k] * h[k] for k in range(2)]
        for name, values in {"r": r, "z": z, "n": n, "h": h}.items():
            assert getattr(trace, name)[0, 0, t].tolist() == pytest.approx(values, abs=1e-14), name


def test_rnn_by_hand():
    layer = RNN(3, 2, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64)
    trace = layer.trace(x)
    assert isinstance(trace, RNNTrace)
    h = [0.0, 0.0]
    for t, x_t in enumerate(x.tolist()):
        a, b = rows(layer, x_t, h)
        h = [math.tanh(a[k] + b[k]) for k in range(2)]
        assert trace.h[0, 0, t].tolist() == pytest.approx(h, abs=1e-14)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_trace_is_what_forward_computes(name, batch_first):
    layer = LAYERS[name](3, 5, num_layers=2, bidirectional=True, dropout=0.5, batch_first=batch_first).double()
    x = torch.randn(3, 4, 3, dtype=torch.float64) if batch_first else torch.randn(4, 3, 3, dtype=torch.float64)
    trace = layer.trace(x, lengths=LENGTHS)  # in training, and still without dropout
    y, final = layer.eval()(x, lengths=LENGTHS)
    assert all(field.shape == (2, 2, *x.shape[:2], 5) for field in trace)
    torch.testing.assert_close(torch.cat([trace.h[1, 0], trace.h[1, 1]], -1), y, rtol=0, atol=1e-14)
    padded = torch.arange(4).unsqueeze(-1) >= torch.tensor(LENGTHS)
    padded = padded.T if batch_first else padded
    assert all(not field[:, :, padded].any() and field[:, :, ~padded].all() for field in trace)

    fields, final = trace._asdict(), final if isinstance(final, tuple) else (final,)
    for value, part in zip([fields["h"], fields.get("c")], final, strict=False):
        value = value.transpose(2, 3) if batch_first else value
        last = torch.stack([value[:, 0, length - 1, row] for row, length in enumerate(LENGTHS)], 1)
        wanted = part.view(2, 2, 3, 5)
        torch.testing.assert_close(last, wanted[:, 0], rtol=0, atol=1e-14)
        torch.testing.assert_close(value[:, 1, 0], wanted[:, 1], rtol=0, atol=1e-14)


def test_shapes_with_projection_and_without_a_batch():
    layer = LSTM(3, 5, num_layers=2, proj_size=2)
    state = (torch.randn(2, 2), torch.randn(2, 5))
    trace = layer.trace(torch.randn(4, 3), state)
    assert trace.h.shape == (2, 1, 4, 2)
    assert {field.shape for field in trace[:-1]} == {(2, 1, 4, 5)}
    with torch.no_grad():
        wanted = trace.f[:, 0, 0] * state[1] + trace.i[:, 0, 0] * trace.g[:, 0, 0]
    torch.testing.assert_close(trace.c[:, 0, 0], wanted)


def test_gates_have_gradients():
    layer = LSTM(3, 5)
    x = torch.randn(6, 2, 3, requires_grad=True)
    layer.trace(x).f[0, 0, 3].sum().backward()
    assert x.grad[:4].abs().min() > 0
    assert not x.grad[4:].any()
    assert layer.weight_hh_l0.grad.any()
