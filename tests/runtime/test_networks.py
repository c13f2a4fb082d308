"""The runtime's networks of sound and of rolls: the numbers of the full package's, whole and step by step."""

import numpy as np
import pytest
import torch

from longshort.runtime.compose import RollAuthor
from longshort.runtime.transcribe import Network
from longshort.runtime.weights import Weights
from longshort.sequence.network import Dropout
from longshort.tasks.compose.authors import author
from longshort.tasks.compose.network import FrameNetwork
from longshort.tasks.transcribe import network as transcribe
from longshort.tasks.transcribe.config import Dimensions
from longshort.tasks.transcribe.hearing import hear
from longshort.tasks.transcribe.live import Steps


def weights(module):
    return Weights({name: value.numpy() for name, value in module.state_dict().items()})


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("stride", "live"), [(1, True), (2, False), (3, True), (4, False)])
def test_sound(cell, stride, live):
    torch.manual_seed(0)
    dims = Dimensions(inputs=6, stride=stride, hidden_size=7, num_layers=2, live=live, units=5)
    full = transcribe.TranscribeNetwork(dims, cell, transcribe.Dropout()).eval()
    ours, rng = Network(dims, cell, weights(full)), np.random.default_rng(0)
    recordings = [rng.standard_normal((n, 6)).astype(np.float32) for n in (31, 4, 0, 17)]
    for here, there in zip(hear(ours, recordings), hear(full, recordings), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-5)
    if live:
        both = [Steps(network) for network in (ours, full)]
        for part in np.split(recordings[0], [2, 11, 12]):
            here, there = (steps(part) for steps in both)
            np.testing.assert_allclose(here, there, atol=1e-5)
        here, there = (steps(recordings[0][:0], last=True) for steps in both)
        np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_rolls(cell):
    torch.manual_seed(0)
    full, rng = FrameNetwork(88, 9, 2, cell, Dropout()).eval(), np.random.default_rng(0)
    frames = (rng.random((12, 3, 88)) < 0.1).astype(np.uint8)
    both = [one.frames(frames[:5]) for one in (RollAuthor(cell, weights(full)), author(full))]
    here, there = (next(steps) for steps in both)
    for frame in frames[5:]:
        np.testing.assert_allclose(here, there, atol=1e-5)
        here, there = (steps.send(frame) for steps in both)
    np.testing.assert_allclose(here, there, atol=1e-5)
    with torch.no_grad():
        whole = full(torch.from_numpy(frames).float())[0][-1]
    np.testing.assert_allclose(here, whole.numpy(), atol=1e-5)
