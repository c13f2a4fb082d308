"""One step at a time gives the numbers of the whole sequence."""

import copy

import pytest
import torch

from longshort import _core, ops
from longshort.errors import InputError
from longshort.nn import GRU, LSTM, RNN

LAYERS = {
    "LSTM": lambda: LSTM(3, 6, num_layers=2, dropout=0.5, dtype=torch.float64),
    "LSTM projected": lambda: LSTM(3, 6, num_layers=2, proj_size=2, bias=False, dtype=torch.float64),
    "LSTM peephole": lambda: LSTM(3, 6, peephole=True, coupled=True, proj_size=2, dtype=torch.float64),
    "LSTM normalised": lambda: LSTM(3, 6, num_layers=2, layer_norm=True, proj_size=4, dtype=torch.float64),
    "GRU": lambda: GRU(3, 6, num_layers=3, batch_first=True, dtype=torch.float64),
    "RNN": lambda: RNN(3, 6, nonlinearity="relu", dtype=torch.float64),
}


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("batch", [(), (4,)])
@pytest.mark.parametrize("backend", ops.BACKENDS)
@pytest.mark.parametrize("name", LAYERS)
def test_same_numbers_as_the_sequence(name, backend, batch):
    layer = LAYERS[name]()
    x = torch.randn(7, *batch, 3, dtype=torch.float64)
    given = x.transpose(0, 1) if batch and layer.batch_first else x
    with ops.use_backend(backend):
        step = layer.stream()
        assert step.state is None
        ys = torch.stack([step(x_t) for x_t in x])
        y, state = layer.eval()(given)
        torch.testing.assert_close(ys, y.transpose(0, 1) if given is not x else y, rtol=0, atol=1e-14)
        for found, wanted in zip(flat(step.state), flat(state), strict=True):
            torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=1e-14)

        again = layer.stream(state)  # a stream can go on where a sequence has ended, and from where it was reset to
        first = again(x[0])
        assert not torch.allclose(first, ys[0])
        again(x[1])
        again.reset(step.state)
        torch.testing.assert_close(again(x[0]), first, rtol=0, atol=1e-14)
        again.reset()
        assert torch.equal(again(x[0]), ys[0])


def test_no_gradients_and_changes_in_place_are_seen():
    layer = LSTM(3, 6)
    step = layer.stream((torch.zeros(1, 6, requires_grad=True), torch.zeros(1, 6)))
    x = torch.randn(3, requires_grad=True)
    before = step(x)
    assert not before.requires_grad
    assert not any(part.requires_grad for part in step.state)
    with torch.no_grad():
        layer.weight_ih_l0.mul_(2)
    step.reset()
    assert not torch.allclose(step(x), before)


@pytest.mark.parametrize(
    "layer", [LSTM(9, 40, num_layers=2), LSTM(9, 40, proj_size=7), GRU(9, 40), RNN(9, 40)], ids=lambda layer: str(layer)
)
def test_products_of_bfloat16(layer):
    """Under autocast, and of a layer in bfloat16: the numbers of the whole sequence up to a last digit."""
    x = torch.randn(30, 5, 9)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer.eval()(x)
        step = layer.stream()
        ys = torch.stack([step(x_t) for x_t in x])
        again = layer.stream(step.state)
        other = again(x[0])
    assert ys.dtype is y.dtype is torch.bfloat16
    torch.testing.assert_close(ys, y, rtol=0, atol=2**-7)
    for found, wanted in zip(flat(step.state), flat(state), strict=True):
        assert found.dtype is torch.float32
        torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=2**-8)
    assert torch.equal(step(x[0]), other)  # it stays what it was begun as
    if _core.instruction_set() == "avx512_bf16" and not isinstance(layer, RNN):  # elsewhere products stay float32's
        whole = layer.stream()
        assert not torch.equal(torch.stack([whole(x_t) for x_t in x]).bfloat16(), ys)

    narrow = copy.deepcopy(layer).bfloat16()
    step = narrow.stream()
    ys = torch.stack([step(x_t) for x_t in x.bfloat16()])
    torch.testing.assert_close(ys, narrow(x.bfloat16())[0], rtol=0, atol=2**-7)
    assert {part.dtype for part in flat(step.state)} == {torch.bfloat16}


def test_streams_of_one_layer_do_not_meet():
    layer = GRU(3, 6)
    one, other = layer.stream(), layer.stream()
    x = torch.randn(3)
    first = one(x)
    one(x)
    assert torch.equal(other(x), first)


def test_what_a_stream_refuses():
    with pytest.raises(InputError, match="bidirectional layer reads each sequence from its end"):
        GRU(3, 6, bidirectional=True).stream()
    step = GRU(3, 6).stream()
    with pytest.raises(InputError, match=r"a step must have shape \(B, 3\) or \(3,\), got \(5, 4, 3\)"):
        step(torch.zeros(5, 4, 3))
    with pytest.raises(InputError, match=r"a step must have shape .* got \(4,\)"):
        step(torch.zeros(4))
    step(torch.zeros(4, 3))
    with pytest.raises(InputError, match=r"this stream has steps of shape \(4, 3\), got \(5, 3\); reset\(\) begins"):
        step(torch.zeros(5, 3))
    step.reset()
    step(torch.zeros(5, 3))
    with pytest.raises(InputError, match=r"Expected h_0 of shape \(1, 4, 6\), got \(2, 4, 6\)"):
        step.reset(torch.zeros(2, 4, 6))


@pytest.mark.parametrize("backend", ["core", "aten"])
@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_sequences_chosen_on_the_way_go_on_as_they_would_alone(backend, kind):
    torch.manual_seed(0)
    layer, x = kind(3, 5, num_layers=2).double().eval(), torch.randn(6, 4, 3, dtype=torch.float64)
    chosen = [torch.tensor([2, 2, 0, 3]), torch.tensor([1, 3])]  # as many as before, with one twice; then fewer
    with ops.use_backend(backend):
        stream, came = layer.stream(), torch.arange(4)
        for t in range(6):
            if t in (2, 4):
                rows = chosen[t // 2 - 1]
                stream.select(rows)
                came = came[rows]
            y = stream(x[t, came])
        alone = layer(x[:, came])[0][-1]
    torch.testing.assert_close(y, alone, rtol=1e-10, atol=1e-12)


def test_sequences_are_chosen_from_a_batch():
    stream = LSTM(3, 5).stream()
    stream(torch.randn(3))
    with pytest.raises(InputError, match="needs a stream over a batch"):
        stream.select(torch.tensor([0]))
