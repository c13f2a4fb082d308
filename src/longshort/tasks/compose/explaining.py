"""What is looked at to explain a composer: the beginning of a tune, and pieces of held-out tunes beside it."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from longshort.errors import InputError, Note
from longshort.explainable import Explainable, sequences
from longshort.sequence.network import LanguageNetwork
from longshort.tasks.compose.material import Part
from longshort.tasks.compose.next_steps import labels
from longshort.tasks.compose.scoring import step_nats

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer

# Steps that are looked at by default, and at least.
STEPS = 400
LEAST = 4


def explainable(model: Composer, part: Part, steps: int | None) -> Explainable:
    """The network, and what it says of what comes after the beginning of a tune.

    Args:
        model: fitted.
        part: the one tune that is looked at.
        steps: how many tokens or frames of it, at most.
    """
    fitted, network, encoding = model.fitted, model.fitted.network, model.fitted.encoding
    unit = fitted.plan.step
    piece = encoding.whole(part.pieces[0])
    others = [
        tune
        for name, whole in zip(fitted.held_out.names, fitted.held_out.pieces, strict=True)
        for tune in [encoding.whole(whole)]
        if name != part.names[0]
    ]
    others += [encoding.whole(whole) for whole in fitted.parts["training"].pieces]
    long = min(steps or STEPS, len(piece) - 1)
    if steps and long < steps:
        warnings.warn(f"{long:,} {unit}s are looked at: there are no more", Note, stacklevel=4)
    beside = [tune[:long] for tune in others if len(tune) >= long][: sequences(long) - 1]
    if long < LEAST or not beside:
        raise InputError(
            f"{part.names[0]}: a tune of {len(piece):,} {unit}s is too short to look at, or longer than all others: "
            "choose another, or fewer steps"
        )
    whole = torch.from_numpy(np.stack([piece[:long], *beside]))
    names = labels(encoding)
    channels: tuple[str, ...] = ()
    if isinstance(network, LanguageNetwork):
        tokens = network

        def answer(x: Tensor) -> Tensor:
            features, _, _ = tokens.read(x.transpose(0, 1))
            return tokens.log_probabilities(features[-1])

        with torch.no_grad():
            inputs = network.embed(whole.long())
        shown = [names[int(token)] for token in piece[:long]]
    else:
        frames = network

        def answer(x: Tensor) -> Tensor:
            logits, _ = frames(x.transpose(0, 1))
            last: Tensor = logits[-1]
            return last

        inputs = whole.float()
        shown = ["+".join(names[k] for k in np.flatnonzero(frame)) or "rest" for frame in piece[:long]]
        channels = tuple(names)
    surprise = step_nats(network, encoding, part.pieces[0])[: long - 1] / math.log(2)
    return Explainable(
        inputs=inputs,
        answer=answer,
        outcomes=names,
        probabilities=isinstance(network, LanguageNetwork),
        unit="" if isinstance(network, LanguageNetwork) else "log-odds",
        question=f"which {unit} comes next" if isinstance(network, LanguageNetwork) else "which keys sound next",
        layers={f"layer {k + 1}": layer for k, layer in enumerate(network.recurrent)},
        labels=shown,
        channels=channels,
        source=f"Looked at are the first {long:,} {unit}s of {part.names[0]}. Beside them stand as many of "
        f"{len(beside)} other tunes.",
        step=unit,
        drawn={"surprise, bits": np.concatenate([[math.nan], surprise])},
    )
