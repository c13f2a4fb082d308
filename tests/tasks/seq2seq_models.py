"""Small sequence-to-sequence networks that the tests share: their weights are drawn, not learnt."""

import numpy as np
import torch

from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.network import Dimensions, Dropout, Seq2SeqNetwork

# Of a vocabulary of V tokens the last two are begin and end.
KINDS = {
    "plain": {},
    "dot": {"attention": "dot", "hidden_size": 6},
    "additive": {"attention": "additive", "decoder_layers": 2, "encoder_layers": 2},
    "none": {"attention": "none"},
    "feeding": {"input_feeding": True, "decoder_layers": 2},
    "copy": {"copy": True},
    "coverage": {"copy": True, "coverage": True, "attention": "additive"},
    "all": {"copy": True, "coverage": True, "input_feeding": True, "decoder_layers": 2},
}


def network(kind="plain", vocabulary=9, seed=0, scale=3.0, dtype=torch.float32, **dropout):
    """A network in evaluation; `scale` multiplies its weights, so that its distributions are not even."""
    sizes = {"embedding_size": 5, "hidden_size": 6, **KINDS[kind]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Seq2SeqNetwork(Dimensions(vocabulary, vocabulary, True, **sizes), Dropout(**dropout)).to(dtype)
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                parameter.mul_(scale)
                if "cover" in name:
                    parameter.fill_(-0.7)
    return made.eval()


def rules(vocabulary=9, **more):
    return Constraints(end=vocabulary - 1, never=(vocabulary - 2,), **more)


def sequences(count, longest=7, vocabulary=9, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocabulary - 2, rng.integers(1, longest + 1)).astype(np.int32) for _ in range(count)]
