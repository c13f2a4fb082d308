"""What is looked at to explain a transcriber: a recording up to a unit, and others beside it of the same length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from longshort.errors import InputError
from longshort.explainable import Explainable, sequences
from longshort.tasks.transcribe.config import kernel_of
from longshort.tasks.transcribe.hearing import hear
from longshort.tasks.transcribe.units import BLANK
from longshort.tasks.transcribe.utterances import Utterances

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber


def explainable(model: Transcriber, utterances: Utterances, place: int, steps: int | None) -> Explainable:
    """The network, and which unit it hears at the end of so much of a recording.

    The others are held-out recordings, one after the other until they are as long.

    Args:
        model: fitted.
        utterances: recordings, of which the one at `place` is looked at.
        steps: frames to look at; if None up to the last unit that is heard.
    """
    fitted, network = model.fitted, model.fitted.network
    plan, stride = fitted.plan, fitted.plan.stride
    (features,) = model._normalised(utterances.chosen([place]))
    if steps is None:
        heard = np.flatnonzero(hear(network, [features])[0].argmax(1) != BLANK)
        steps = int(heard[-1]) * stride if len(heard) else len(features)
    long = min(steps, len(features)) // stride * stride
    if long < 2 * stride:
        raise InputError(f"the recording has {len(features)} frames, {2 * stride} are needed: look at a longer one")
    rows, pool = [torch.from_numpy(features[:long])], fitted.held_out
    others = model._normalised(pool)
    kept: list[Tensor] = []
    for k in np.random.default_rng(0).permutation(len(pool)):
        if pool.names[k] != utterances.names[place]:
            kept.append(torch.from_numpy(others[k]))
        if sum(map(len, kept)) >= long:
            rows.append(torch.cat(kept)[:long])
            kept = []
        if len(rows) == sequences(long):
            break
    if len(rows) < 2:
        raise InputError(
            f"the held-out recordings are too few to stand beside {long} frames: look at fewer, with steps"
        )

    def answer(x: Tensor) -> Tensor:
        # Without the frames of nothing at the ends, so that the last step ends with the sequence.
        before = F.pad(x.transpose(0, 1), (0, 0, 0, 0, kernel_of(stride) - stride, 0))
        count = torch.full((len(x),), x.shape[1] // stride)
        return network.read(network.convolve(before), count)[-1]

    outcomes = ["blank", *(repr(fitted.units.piece(k)) for k in range(1, len(fitted.units)))]
    bands = f"band {{}} of {plan.features.inputs}" if plan.features.rate else "feature {}"
    return Explainable(
        inputs=torch.stack(rows),
        answer=answer,
        outcomes=outcomes,
        probabilities=True,
        question="which unit is heard",
        layers={f"layer {k + 1}": layer for k, layer in enumerate(network.layers)},
        labels=[f"{k * plan.features.hop:.2f} s" for k in range(long)],
        source=f"Looked at is the recording {utterances.names[place]!r} up to {long * plan.features.hop:.2f} s. Beside "
        f"it stand {len(rows) - 1} pieces of held-out recordings of the same length.",
        step="frame",
        channels=[bands.format(k + 1) for k in range(plan.features.inputs)],
        stride=stride,
    )
