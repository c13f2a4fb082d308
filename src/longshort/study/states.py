"""Gates and states of the recurrent layers of a network over what it reads, and how long each unit keeps something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.errors import LongshortError
from longshort.explainable import Explainable
from longshort.report.gates import KEEPERS, timescales

FloatArray = NDArray[np.float64]

# Sequences over which the gates are averaged.
TRACED = 4


class Call(NamedTuple):
    """What a layer was given."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class LayerStates:
    """One layer in one direction.

    Attributes:
        name: of both.
        cell: "lstm", "gru" or "rnn".
        states: gate or state -> its values over the first sequence, (T, H).
        timescales: of each unit in steps of the input, (H,); None for a plain RNN, which has no gate that keeps.
    """

    name: str
    cell: str
    states: dict[str, FloatArray]
    timescales: FloatArray | None


def layer_states(subject: Explainable) -> list[LayerStates]:
    """Every gate and state of every layer, as the network read the first sequence.

    The timescale of a unit is −1 / (mean of ln f) in steps of the input, f its forget gate (a GRU's: its update gate),
    the mean over the steps of the first four sequences: over n steps the product of the gates leaves e^(−n / timescale)
    of what was stored.
    """
    found = []
    for name, call in calls(subject, subject.inputs[:TRACED]).items():
        layer = subject.layers[name]
        with torch.no_grad():
            trace = layer.trace(*call.args, **call.kwargs)
        values = {key: getattr(trace, key) for key in trace._fields}
        if not layer.batch_first:
            values = {key: value.transpose(2, 3) for key, value in values.items()}
        cell = "lstm" if layer.cell.endswith("lstm") else "gru" if layer.cell == "gru" else "rnn"
        for depth in range(layer.num_layers):
            for direction in range(2 if layer.bidirectional else 1):
                own = {key: value[depth, direction].double().numpy() for key, value in values.items()}
                keeps = subject.stride * timescales(own[KEEPERS[cell]]) if cell in KEEPERS else None
                within = f"{name}, {depth + 1}" if layer.num_layers > 1 else name
                states = {key: value[0] for key, value in own.items()}
                found.append(LayerStates(within + way(layer, direction), cell, states, keeps))
    return found


def calls(subject: Explainable, x: Tensor) -> dict[str, Call]:
    """What every layer is given while the network answers x (B, T, C)."""
    found: dict[str, Call] = {}
    with _listening(subject, found), torch.no_grad():
        subject.answer(x)
    for name in subject.layers:
        if name not in found:
            raise LongshortError(f"the recurrent layer {name!r} is not used by the answer")
    return {name: found[name] for name in subject.layers}


@contextmanager
def _listening(subject: Explainable, found: dict[str, Call]) -> Iterator[None]:
    def listen(name: str) -> Any:
        def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found[name] = Call(args, kwargs)

        return hook

    hooks = [layer.register_forward_pre_hook(listen(name), with_kwargs=True) for name, layer in subject.layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def way(layer: Any, direction: int) -> str:
    """What a direction adds to the name of its layer."""
    if not layer.bidirectional:
        return ""
    return ", backwards" if direction else ", forwards"
