"""Small language models that the tests share, made by hand: their weights are drawn, not learnt."""

import numpy as np
import torch

from longshort.data.tokens import Tokenizer
from longshort.sequence.network import Dimensions, Dropout, LanguageNetwork
from longshort.tasks.language import LanguageModel
from longshort.tasks.language.config import LanguageConfig, make_plan
from longshort.tasks.language.estimator import Fitted

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "red", "birds"]


def story(lines=60, seed=0, words=WORDS):
    rng = np.random.default_rng(seed)
    return "\n".join(" ".join(rng.choice(words, 8)) for _ in range(lines)) + "\n"


def network(
    vocabulary=11, embedding=5, units=6, layers=1, cell="lstm", cutoffs=(), tied=True, seed=0, scale=1.0, **dropout
):
    """A network in evaluation; `scale` multiplies the weights of the softmax: 1 is nearly even."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dims = Dimensions(vocabulary, embedding, units, layers, cutoffs, tied)
        made = LanguageNetwork(dims, cell, Dropout(**dropout))
        with torch.no_grad():
            made.embedding.weight.mul_(scale)
            if made.bias is not None:
                made.bias.uniform_(-1, 1)
    return made.eval()


def model(text=None, kind="characters", vocabulary_size=None, scale=10.0, **sizes):
    """A fitted LanguageModel that learnt nothing: everything but the training is as `fit` leaves it."""
    text = story() if text is None else text
    tokenizer = Tokenizer.train([text], kind, vocabulary_size=vocabulary_size)
    ids = tokenizer.encode(text).ids
    cut, end = int(0.8 * len(ids)), int(0.9 * len(ids))
    shape = {"cell": sizes.get("cell", "lstm"), "num_layers": sizes.get("layers", 1)}
    config = LanguageConfig(tokens=kind, embedding_size=5, hidden_size=6, tied=True, **shape)
    plan = make_plan(config, kind, len(tokenizer), cut, end - cut, len(ids) - end)
    made = LanguageModel(config)
    made._fitted = Fitted(
        network=network(len(tokenizer), scale=scale, **sizes),
        tokenizer=tokenizer,
        plan=plan,
        training=ids[:cut],
        validation=ids[cut:end],
        test=ids[end:],
        order=2,
        checks=[],
    )
    return made


def plain(net, ids):
    """Log-probabilities of what comes after each of ids (T, B), (T, B, V), by torch.nn alone; for a full softmax."""
    kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}[type(net.recurrent[0]).__name__]
    x = torch.nn.functional.embedding(ids, net.embedding.weight)
    for layer in net.recurrent:
        other = kind(layer.input_size, layer.hidden_size)
        other.load_state_dict(layer.state_dict())
        x, _ = other(x)
    if isinstance(net.projection, torch.nn.Linear):
        x = x @ net.projection.weight.T
    weight, bias = (net.embedding.weight, net.bias) if net.output is None else (net.output.weight, net.output.bias)
    return torch.log_softmax(x @ weight.T + bias, -1)
