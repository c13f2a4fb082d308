"""What is looked at to explain a classifier: one example, and others beside it that were brought to its length."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from longshort.errors import InputError
from longshort.explainable import Explainable, first_of, sequences
from longshort.tasks.classify.examples import Examples
from longshort.tasks.classify.numbers import NumberEncoder
from longshort.tasks.classify.words import word_spans

if TYPE_CHECKING:
    from longshort.tasks.classify.estimator import Classifier


def explainable(classifier: Classifier, shown: Examples, steps: int | None) -> Explainable:
    """The first network, and its classes of one example.

    The others are held-out examples of other content, cut to as many steps, or one after the other until they are.

    Args:
        classifier: fitted.
        shown: one example.
        steps: how many steps of it to look at, at most.
    """
    fitted, network = classifier.fitted, classifier.fitted.networks[0]
    one = "word" if fitted.plan.kind == "texts" else "step"
    examples = [_steps(classifier, shown, 0)[:steps]]
    long = len(examples[0])
    if long < 2:
        raise InputError(f"the example has {long} {one}s, at least 2 are needed: look at a longer one")
    beside: list[Tensor] = []
    pool = fitted.held_out
    place = 0
    order = np.random.default_rng(0).permutation(len(pool))
    while place < len(order) and len(beside) < sequences(long) - 1:
        parts: list[Tensor] = []
        while place < len(order) and sum(map(len, parts)) < long:
            if pool.names[order[place]] != shown.names[0]:
                parts.append(_steps(classifier, pool, int(order[place])))
            place += 1
        if sum(map(len, parts)) >= long:
            beside.append(torch.cat(parts)[:long])
    if not beside:
        raise InputError(f"the held-out examples are too few to stand beside {long} {one}s: look at fewer, with steps")

    def answer(x: Tensor) -> Tensor:
        lengths = torch.full((len(x),), x.shape[1])
        read = network.read_inputs(x.transpose(0, 1), lengths)
        logits: Tensor = network.output(network.pooling(read, lengths)) / fitted.temperature
        return logits.log_softmax(-1)

    content = shown.content[0]
    numbers = isinstance(fitted.encoder, NumberEncoder)
    labels = [str(k + 1) for k in range(long)] if numbers else _words(content, long)
    drawn = {name: content[:long, k].astype(np.float64) for k, name in enumerate(fitted.channels)} if numbers else {}
    return Explainable(
        inputs=torch.stack([*examples, *beside]),
        answer=answer,
        outcomes=classifier.classes,
        probabilities=True,
        question="which class it is",
        layers={f"layer {k + 1}": layer for k, layer in enumerate(network.layers)},
        labels=labels,
        source=f"Looked at {'is an example' if numbers else 'is a text'} of {long:,} {one}s"
        f"{f', {shown.names[0]!r}' if numbers else ''}{first_of(len(fitted.networks))}. Beside it stand "
        f"{len(beside)} held-out examples, cut or put together to the same length.",
        step=one,
        channels=_channels(classifier) if numbers else (),
        drawn=drawn,
    )


def longer(examples: Examples) -> int:
    """The place of an example that is longer than three quarters of them."""
    lengths = np.array([len(content) for content in examples.content])
    return int(np.argsort(lengths, kind="stable")[(3 * len(lengths)) // 4])


def _steps(classifier: Classifier, examples: Examples, place: int) -> Tensor:
    """What the first layer reads of an example, (T, C)."""
    encoded = classifier.fitted.encoder.encode([examples.content[place]])
    with torch.no_grad():
        return classifier.fitted.networks[0].inputs(encoded.batch(np.array([0]), np.array([0])))[:, 0]


def _words(text: str, count: int) -> list[str]:
    text = unicodedata.normalize("NFC", text)
    return [text[a:b] for a, b in word_spans(text)[:count]]


def _channels(classifier: Classifier) -> list[str]:
    encoder, names = classifier.fitted.encoder, classifier.fitted.channels
    assert isinstance(encoder, NumberEncoder)
    return [*names, *(f"{name} is missing" for name, some in zip(names, encoder.missing, strict=True) if some)]
