"""How far back a network looks: measured by replacing the past, and by the gradient.

The past beyond the last k steps is replaced by that of another sequence of the same kind. What the network then reads
is as ordinary as before, but for the seam; a state that is reset, or noise, would be something it never met. Khandelwal
et al. 2018 (arXiv 1805.04623) cut the context of language models likewise and watched the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.explainable import Explainable
from longshort.study.states import Call, calls, way

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Answer = Callable[[Tensor], Tensor]

# The past beyond the horizon moves the answer by no more than this share of what another sequence altogether would.
SHARE = 0.05
# All numbers of kept steps up to this one are tried, and then each is larger by this factor.
CLOSE = 8
FACTOR = 1.4
# Resamples of the sequences for the interval.
RESAMPLES = 400


@dataclass(frozen=True)
class Horizon:
    """How the answer moves with the number of last steps that are kept.

    Attributes:
        kept: numbers of steps, ascending, 0 (another sequence altogether) to T (nothing replaced), (K,).
        moved: how far the answer moved, root of the mean square over the sequences, (K,).
        steps: the horizon: the smallest number of kept steps from which on the answer moves by no more than 5 % of
            what it moves by where nothing is kept; 0 where it never moves.
        low, high: a 90 % interval of it, by resampling the sequences.
        length: steps of the sequences, T.
    """

    kept: IntArray
    moved: FloatArray
    steps: int
    low: int
    high: int
    length: int

    @property
    def whole(self) -> bool:
        """Whether it reaches to the beginning of the sequences, so that longer ones might give more."""
        return 0 < self.length <= self.steps

    @property
    def relative(self) -> FloatArray:
        """`moved` as a share of what it is where nothing is kept, (K,); 0 where the answer never moves."""
        return self.moved / self.moved[0] if self.moved[0] > 0 else np.zeros(len(self.moved))


def horizon(answer: Answer, inputs: Tensor, distance: Callable[[Tensor, Tensor], Tensor], back: bool = True) -> Horizon:
    """Measure it.

    Args:
        answer: inputs (B, T, C) to answers (B, A).
        inputs: sequences of one kind, (B, T, C); each has its past replaced by that of the next.
        distance: of answers (B, A) to others, (B,).
        back: keep the last steps; else the first ones, for what reads backwards.
    """
    others, length = inputs.roll(-1, 0), inputs.shape[1]
    with torch.no_grad():
        whole = answer(inputs)
    moved: dict[int, FloatArray] = {length: np.zeros(len(inputs))}

    def measure(kept: int) -> None:
        if kept in moved:
            return
        cut = length - kept
        parts = (others[:, :cut], inputs[:, cut:]) if back else (inputs[:, :kept], others[:, kept:])
        with torch.no_grad():
            moved[kept] = distance(answer(torch.cat(parts, 1)), whole).double().numpy()

    for kept in _ladder(length):
        measure(kept)
    # Between the last rung that is too short and the one above it: by halves.
    while True:
        found, _ = _table(moved)
        steps = _reach(found, _root(moved))
        below = found[found < steps]
        if not len(below) or steps - below[-1] <= 1:
            break
        measure(int(steps + below[-1]) // 2)
    rungs, table = _table(moved)
    rng = np.random.default_rng(0)
    drawn = [_reach(rungs, _rms(table[:, rng.integers(0, len(inputs), len(inputs))])) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.05, 0.95], method="nearest").astype(int)
    return Horizon(rungs, _rms(table), steps, int(low), int(high), length)


def horizons_alone(subject: Explainable) -> dict[str, Horizon]:
    """That of the hidden state of each recurrent layer and direction by itself, whose own input is replaced.

    In steps of the layer. A layer that reads backwards has its first steps kept, for there it ends.
    """
    found = {}
    for name, call in calls(subject, subject.inputs).items():
        layer = subject.layers[name]
        x = call.args[0] if layer.batch_first else call.args[0].transpose(0, 1)
        for direction in range(2 if layer.bidirectional else 1):
            answer = _state_of(layer, direction, call)
            found[name + way(layer, direction)] = horizon(answer, x, distance_of(False), back=direction == 0)
    return found


def _state_of(layer: Any, direction: int, call: Call) -> Answer:
    def answer(x: Tensor) -> Tensor:
        y, _ = layer(x if layer.batch_first else x.transpose(0, 1), *call.args[1:], **call.kwargs)
        y = y if layer.batch_first else y.transpose(0, 1)
        half = y.shape[-1] // (2 if layer.bidirectional else 1)
        last: Tensor = y[:, 0, half:] if direction else y[:, -1, :half]
        return last

    return answer


def distance_of(probabilities: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """How far answers (B, A) are apart, (B,): the Hellinger distance of probabilities, 0 to 1; else the root of the
    mean square over the A values."""

    def hellinger(one: Tensor, two: Tensor) -> Tensor:
        return ((one.double() / 2).exp() - (two.double() / 2).exp()).pow(2).sum(-1).div(2).sqrt()

    def euclid(one: Tensor, two: Tensor) -> Tensor:
        return (one.double() - two.double()).pow(2).mean(-1).sqrt()

    return hellinger if probabilities else euclid


def gradient_by_lag(subject: Explainable) -> FloatArray:
    """Norm of the gradient of the answer by each step of what is read, lag 0 (the last step) first, (T,).

    Of probabilities that of the likeliest answer's logarithm, of values that of their mean; the root of the mean square
    over the sequences, 1 where it is largest.
    """
    total = torch.zeros(subject.inputs.shape[1], dtype=torch.float64)
    for one in subject.inputs:
        x = one.unsqueeze(0).clone().requires_grad_()
        said = subject.answer(x)
        (gradient,) = torch.autograd.grad(said.max() if subject.probabilities else said.mean(), [x])
        total += gradient[0].double().pow(2).sum(-1)
    norms = (total / len(subject.inputs)).sqrt().flip(0).numpy()
    largest = norms.max()
    return np.asarray(norms / largest if largest > 0 else norms)


def _ladder(length: int) -> list[int]:
    rungs = [*range(min(CLOSE, length) + 1)]
    while rungs[-1] < length:
        rungs.append(min(max(rungs[-1] + 1, round(rungs[-1] * FACTOR)), length))
    return rungs


def _table(moved: dict[int, FloatArray]) -> tuple[IntArray, FloatArray]:
    kept = np.array(sorted(moved))
    return kept, np.stack([moved[int(k)] for k in kept])


def _root(moved: dict[int, FloatArray]) -> FloatArray:
    return _rms(_table(moved)[1])


def _rms(table: FloatArray) -> FloatArray:
    """Root of the mean square of (K, B) over B."""
    rms: FloatArray = np.sqrt((table**2).mean(1))
    return rms


def _reach(kept: IntArray, moved: FloatArray) -> int:
    """The smallest number of kept steps from which on nothing moves the answer by more than the share."""
    if not moved[0] > 0:
        return 0
    far = np.flatnonzero(moved > SHARE * moved[0])
    return int(kept[far[-1] + 1])
