"""The network against PyTorch's own layers, CTC's loss against all paths, streams against the whole."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.tasks.transcribe.augmentation import Augmentation
from longshort.tasks.transcribe.config import EDGE, FeaturePlan, TranscribeConfig, make_plan, steps_of
from longshort.tasks.transcribe.hearing import hear
from longshort.tasks.transcribe.live import Steps
from longshort.tasks.transcribe.network import Dimensions, Dropout, TranscribeNetwork
from longshort.tasks.transcribe.problem import Part, TranscribeProblem, batch, padded
from longshort.training.problem import Turn


def made(live=False, stride=2, cell="lstm", layers=2, units=5, **dropout):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dims = Dimensions(inputs=6, stride=stride, hidden_size=7, num_layers=layers, live=live, units=units)
        return TranscribeNetwork(dims, cell, Dropout(**dropout)).eval()


def frames(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 6)).astype(np.float32)


def plain(network, x):
    """The same by torch.nn alone, of one recording."""
    live, dims = network.dims.live, network.dims
    padded_ = torch.nn.functional.pad(torch.from_numpy(x), (0, 0, EDGE, EDGE))
    kernel = 2 * dims.stride + 1
    windows = padded_.unfold(0, kernel, dims.stride)  # (S, C, K)
    y = torch.relu(torch.einsum("sck,ock->so", windows, network.front.weight) + network.front.bias)
    for layer in network.layers:
        other = torch.nn.LSTM(layer.input_size, layer.hidden_size, bidirectional=not live)
        other.load_state_dict(layer.state_dict())
        y, _ = other(y)
    return torch.log_softmax(y @ network.output.weight.T + network.output.bias, -1)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_every_recording_is_read_as_if_it_were_alone(live, stride):
    network = made(live, stride)
    recordings = [frames(n, n) for n in (31, 4, 0, 17)]
    for x, logs in zip(recordings, hear(network, recordings), strict=True):
        assert len(logs) == steps_of(len(x), stride)
        np.testing.assert_allclose(logs, plain(network, x).detach().numpy(), atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(stride=st.integers(1, 4), cuts=st.lists(st.integers(0, 45), max_size=6), cell=st.sampled_from(["lstm", "gru"]))
def test_a_stream_is_the_whole(stride, cuts, cell):
    network, x = made(True, stride, cell), frames(45)
    steps = Steps(network)
    parts = [steps(part) for part in np.split(x, sorted(cuts))]
    found = np.concatenate([*parts, steps(x[:0], last=True)])
    np.testing.assert_allclose(found, hear(network, [x])[0], atol=2e-6)


def test_a_stream_knows_no_future():
    network, x = made(True, 2), frames(40)
    other = x.copy()
    other[30:] = 9
    one, two = Steps(network)(x[:30]), Steps(network)(other[:30])
    assert (one == two).all()
    assert np.abs(hear(network, [x])[0][: len(one)] - one).max() < 2e-6


def problem(network, units):
    plan = make_plan(
        TranscribeConfig(batch_size=2, stride=network.dims.stride),
        FeaturePlan(8000, 6, 0.01),
        units=5,
        sizes=(2, 1, 0),
        frames=[9, 12],
        needed=[2, 3],
        distinct=2,
    )
    part = Part([frames(9), frames(12, 1)], units)
    return TranscribeProblem(network, part, part, plan, Augmentation(0.0, 0.0, 0.0, 0, 0), 0)


def test_the_loss_is_that_of_all_paths():
    network = made(stride=4, units=4)
    units = [np.array([1, 1]), np.array([2, 3, 1])]
    told = problem(network, units)
    with torch.no_grad():
        loss, count = told.loss(network, batch([frames(1), frames(3, 1)], units))
    total = 0.0
    for x, targets in zip((frames(1), frames(3, 1)), units, strict=True):
        rows = plain(network, x).double().detach().numpy()
        p = 0.0
        for path in itertools.product(range(4), repeat=len(rows)):
            if [u for u, _ in itertools.groupby(path) if u] == targets.tolist():
                p += math.exp(sum(rows[t, u] for t, u in enumerate(path)))
        total -= math.log(p)
    assert count == 5
    assert float(loss) == pytest.approx(total / 5, rel=1e-5)


def test_batches_are_the_recordings():
    units = [np.array([1, 2]), np.array([2, 3, 1])]
    told = problem(made(), units)
    seen = told.training_batch(Turn(0, 0, 1, np.random.default_rng(0)))
    order = [int(n) for n in seen.lengths]
    assert sorted(order) == [9, 12]
    for k, long in enumerate(order):
        x = frames(9) if long == 9 else frames(12, 1)
        assert (seen.frames[:long, k].numpy() == x).all()
        assert not seen.frames[long:, k].any()
    assert seen.units.tolist() == [u for long in order for u in units[long == 12].tolist()]
    again = told.training_batch(Turn(0, 0, 1, np.random.default_rng(0)))
    assert all(torch.equal(a, b) for a, b in zip(seen, again, strict=True))


def test_every_weight_learns():
    network = made(input=0.1, hidden=0.1, weights=0.1).train()
    told = problem(network, [np.array([1, 2]), np.array([2, 3, 1])])
    loss, _ = told.loss(network, told.validation_batches()[0])
    loss.backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_padding_is_zero():
    x, lengths = padded([frames(3), frames(5, 1)])
    assert x.shape == (5, 2, 6)
    assert lengths.tolist() == [3, 5]
    assert not x[3:, 0].any()
