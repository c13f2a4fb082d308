"""The runtime's encoder and decoder: step by step the numbers of the full package's network, of every kind."""

from functools import partial

import numpy as np
import pytest
import torch

from longshort.runtime.encoder_decoder import Network, Stepper
from longshort.runtime.weights import Weights
from longshort.tasks.seq2seq import stepper
from longshort.tasks.seq2seq.config import Seq2SeqConfig
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.decoding import Decoding, answers
from longshort.tasks.seq2seq.network import Dimensions, Dropout, Seq2SeqNetwork

KINDS = {
    "general": {},
    "none": {"attention": "none", "decoder_layers": 2},
    "dot": {"attention": "dot", "encoder_layers": 2},
    "feeding": {"input_feeding": True, "decoder_layers": 2},
    "copying": {"copy": True},
    "covering": {"attention": "additive", "copy": True, "coverage": True},
    "all": {"copy": True, "coverage": True, "input_feeding": True, "decoder_layers": 2, "encoder_layers": 2},
}
# Of V tokens the last two are begin and end.
V = 200


@pytest.fixture(params=KINDS)
def both(request):
    """Whoever can be decoded: the full package and the runtime with the same weights."""
    kind = KINDS[request.param]
    torch.manual_seed(0)
    network = Seq2SeqNetwork(Dimensions(V, V, True, embedding_size=6, hidden_size=8, **kind), Dropout()).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.fill_(-0.7) if "cover" in name else parameter.mul_(3)  # its distributions are not even
    weights = Weights({name: value.numpy() for name, value in network.state_dict().items()})
    return partial(stepper.Stepper, network), partial(Stepper, Network(weights, Seq2SeqConfig(**kind)))


@pytest.fixture
def sources():
    rng = np.random.default_rng(1)
    return [rng.integers(0, V - 2, length) for length in (1, 7, 3, 5, 2, 6)]


def test_steps(both, sources):
    rng = np.random.default_rng(2)
    steps = [begin(sources, 3) for begin in both]
    kept = np.array([0, 2, 5])
    for k in range(6):
        tokens = rng.integers(0, V, (3 if k > 3 else 6, 3))
        theirs, ours = (step(tokens) for step in steps)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        for name in ("weights", "gate"):
            other = getattr(steps[0], name)
            assert (getattr(steps[1], name) is None) == (other is None)
            if other is not None:
                np.testing.assert_allclose(getattr(steps[1], name), other, atol=1e-5)
        parents = rng.integers(0, 3, tokens.shape)
        for step in steps:
            step.select(parents)
            if k == 3:
                step.keep(kept)


@pytest.mark.parametrize(
    "how",
    [
        {"beam": 1},
        {"beam": 5, "n_best": 3, "no_repeat": 2},
        {"beam": 4, "length_penalty": 0},
        {"method": "sample", "n_best": 4, "seed": 3},
        {"method": "sample", "top_p": 0.9, "top_k": 20, "temperature": 0.7},
    ],
)
def test_answers(both, sources, how):
    rules = Constraints(end=V - 1, never=(V - 2,), no_repeat=how.get("no_repeat", 0))
    theirs, ours = (answers(begin, sources, Decoding(**how), rules, [9] * 6) for begin in both)
    for there, here in zip(theirs, ours, strict=True):
        assert [one.tokens.tolist() for one in here] == [one.tokens.tolist() for one in there]
        np.testing.assert_allclose([one.score for one in here], [one.score for one in there], atol=1e-5)
