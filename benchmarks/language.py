"""Every language-model figure that the README quotes. Each part prints a table and writes it as JSON.

    python benchmarks/language.py ptb-words         Penn Treebank, 10,000 words, fewer than 5 million weights
    python benchmarks/language.py ptb-characters    Penn Treebank, characters, fewer than 3 million weights
    python benchmarks/language.py shakespeare       Tiny Shakespeare, characters, the last tenth held out
    python benchmarks/language.py generation        words a second, beside a loop over torch.nn.LSTMCell

Data sets come from the folder LONGSHORT_DATA, or are downloaded. A part writes a run directory for each seed below
--runs and goes on with what it finds there unfinished; a finished one is only read. Settings were chosen on validation
parts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from longshort import LanguageModel
from longshort.data import Corpus, read_corpus
from longshort.data.datasets import dataset_path
from longshort.sequence.writer import Writer
from longshort.tasks.language import Sampling
from record import fitted, main, spread

# Tokens of a generation that is timed, and how often.
LENGTH, ROUNDS = 300, 9
PARTS = {"training": "train", "validation": "valid", "test": "test"}


def ptb_words(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Mikolov's Penn Treebank: every line end is a token, <unk> is one too; perplexity per token."""
    data = {part: dataset_path(f"text/ptb.{name}.txt") for part, name in PARTS.items()}
    return _fit(runs / "ptb-words", seeds, data, {"tokens": "words", "steps": 10_800, **settings})


def ptb_characters(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """The same text as characters: words with one space between them, a line end after each line, <unk> spelled out.

    That makes 5,017,482 / 393,042 / 442,423 characters, as in the literature.
    """
    data = {}
    for part, name in PARTS.items():
        lines = read_corpus(dataset_path(f"text/ptb.{name}.txt")).documents[0].text.splitlines()
        data[part] = Corpus.of(["".join(line.strip() + "\n" for line in lines)])
    sizes = {"hidden_size": 768, "embedding_size": 96, "window": 100, "steps": 12_000}
    # Less than eight times through the text: it is hardly learnt by heart.
    dropout = {"output_dropout": 0.2, "weight_dropout": 0.1}
    return _fit(runs / "ptb-characters", seeds, data, {"tokens": "characters", **sizes, **dropout, **settings})


def shakespeare(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Tiny Shakespeare: tested on the last 10 %; 5 % of the text, from ten places before, choose the weights."""
    data = {"training": dataset_path("text/tinyshakespeare.txt")}
    return _fit(runs / "shakespeare", seeds, data, {"tokens": "characters", "test": 0.1, "steps": 2600, **settings})


def _fit(runs: Path, seeds: Sequence[int], data: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Train a model for each seed; give mean and spread of ours, and the baselines."""
    rows, baselines = [], {}
    for seed in seeds:
        given = {part: where for part, where in data.items() if part != "training"}
        untrained = LanguageModel(seed=seed, **settings)
        model, seconds = fitted(untrained, runs / f"seed-{seed}", data["training"], **given)
        learnt = model.fitted
        assert learnt.scores
        weights = sum(p.numel() for p in learnt.network.parameters())
        valid = min(check.validation or 0.0 for check in learnt.checks[0])
        own = {k: v for k, v in learnt.scores.overall[model.name].items() if v is not None}
        rows.append({**own, "validation nats": valid, "weights": weights, "seconds": seconds})
        baselines = {name: row for name, row in learnt.scores.overall.items() if name != model.name}
        print(f"seed {seed}:", {k: round(v, 4) for k, v in rows[-1].items() if v is not None}, flush=True)
    return {model.name: spread(rows), **baselines}


def generation(runs: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Tokens a second of one text, by the network of ptb-words: ours, and the loop that one would write oneself.

    All draw at temperature 1 from the whole vocabulary; they take turns, and the medians count. Ours rounds its
    products to bfloat16 where the machine is faster so, as in training; there is a row without that.
    """
    model = LanguageModel.load(runs / "ptb-words" / f"seed-{seeds[0]}")
    network = model.fitted.network
    (layer,) = network.recurrent
    cell = torch.nn.LSTMCell(layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    weight, bias = network.embedding.weight, network.bias
    assert bias is not None

    def loop(length: int) -> None:
        token = torch.tensor([0])
        h = c = torch.zeros(1, layer.hidden_size)
        with torch.no_grad():
            for _ in range(length):
                h, c = cell(network.embed(token), (h, c))
                logits = torch.nn.functional.linear(network.projection(h), weight, bias)
                token = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
                model.fitted.tokenizer.label(int(token))

    def ours(length: int) -> None:
        model.generate(length=length)

    plain = Writer(network)

    def in_float32(length: int) -> None:
        for (token,) in plain.generate([0], Sampling(length=length), None):
            model.fitted.tokenizer.label(token)

    contenders: dict[str, Callable[[int], None]] = {
        "LSTM": ours,
        "LSTM, float32": in_float32,
        "a loop over torch.nn.LSTMCell": loop,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            run(10)
            began = time.perf_counter()
            run(LENGTH)
            seconds[name].append(time.perf_counter() - began)
    rates = {name: LENGTH / statistics.median(took) for name, took in seconds.items()}
    peer = rates["a loop over torch.nn.LSTMCell"]
    return {name: {"tokens/s": rate, "ratio": rate / peer} for name, rate in rates.items()}


PART: dict[str, Callable[..., dict[str, Any]]] = {
    "ptb-words": ptb_words,
    "ptb-characters": ptb_characters,
    "shakespeare": shakespeare,
    "generation": generation,
}


if __name__ == "__main__":
    main(__doc__, "language", PART)
