"""Which steps and channels of its input an answer is due to, by integrated gradients, and a check by deletion.

Sundararajan, Taly & Yan 2017 (arXiv 1703.01365), computed by captum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.errors import InputError
from longshort.explainable import Explainable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Points on the way from the baseline: as few as give attributions that sum up this well, at most so many.
POINTS = (32, 128, 512)
GAP = 0.01
# Steps that are read at once, so that memory does not grow with the sequence.
AT_ONCE = 8_192
# Deletions that are looked at, and orders by chance.
DELETIONS = 20
CHANCE = 10


@dataclass(frozen=True)
class Deletion:
    """The answer while more and more steps of the input are replaced by the baseline.

    Attributes:
        share: of the steps that are replaced, 0 to 1, (K,).
        most: the steps that speak most for the answer first, (K,).
        least: those that speak most against it first, (K,).
        chance: in orders by chance, (R, K).
    """

    share: FloatArray
    most: FloatArray
    least: FloatArray
    chance: FloatArray

    @property
    def areas(self) -> dict[str, float]:
        """The mean of each curve over the share, by trapezoids; those by chance in the mean."""
        return {name: _area(self.share, y) for name, y in (("most", self.most), ("least", self.least))} | {
            "chance": float(np.mean([_area(self.share, y) for y in self.chance]))
        }

    @property
    def holds(self) -> bool:
        """Whether the answer falls sooner than by chance where the steps that speak most for it go first, and later
        where those go first that speak most against it."""
        return self.areas["most"] < self.areas["chance"] < self.areas["least"]


@dataclass(frozen=True)
class Attribution:
    """What the answer to the first sequence is due to.

    Attributes:
        outcome: which answer: its name, or "mean" of all values.
        values: part of each step and channel in it, (T, C).
        answer: what is said of the sequence.
        baseline: what is said of the average step, again and again.
        points: on the way between the two.
        deletion: the check.
    """

    outcome: str
    values: FloatArray
    answer: float
    baseline: float
    points: int
    deletion: Deletion

    @property
    def steps(self) -> FloatArray:
        """Of each step, (T,)."""
        total: FloatArray = self.values.sum(1)
        return total

    @property
    def gap(self) -> float:
        """How far the attributions are from summing up to the difference of the answers, as a share of it, or of the
        sum of their sizes where that is larger."""
        difference = self.answer - self.baseline
        most = max(abs(difference), float(np.abs(self.steps).sum()))
        return abs(float(self.values.sum()) - difference) / most if most else 0.0


def attribute(subject: Explainable) -> Attribution:
    """Integrated gradients of the likeliest outcome's log-odds, or of the mean of the values.

    Log-odds, ln p − ln (1 − p), because a probability near 1 hardly moves any more, whatever speaks for it.

    The baseline is the mean of all steps of all sequences, at every step: a sequence that says nothing in particular.

    Raises:
        InputError: captum is missing.
    """
    method = integrated_gradients()
    x = subject.inputs[:1]
    baseline = subject.inputs.mean((0, 1)).expand_as(x)
    with torch.no_grad():
        said = subject.answer(x)[0]
    chosen = int(said.argmax()) if subject.probabilities else None

    def score(inputs: Tensor) -> Tensor:
        answers = subject.answer(inputs)
        if chosen is None:
            return answers.mean(-1)
        others = torch.cat([answers[:, :chosen], answers[:, chosen + 1 :]], 1)
        return answers[:, chosen] - others.logsumexp(-1)

    with torch.no_grad():
        answer, foot = (float(score(inputs)[0]) for inputs in (x, baseline))
    outcome = "mean" if chosen is None else subject.outcomes[chosen]
    batch = max(1, AT_ONCE // x.shape[1])
    for points in POINTS:
        parts = method(score).attribute(x, baseline, n_steps=points, internal_batch_size=batch)
        values = parts[0].detach().double().numpy()
        found = Attribution(outcome, values, answer, foot, points, Deletion(*[np.zeros(1)] * 4))
        if found.gap <= GAP:
            break
    deletion = _delete(score, x[0], baseline[0], found.steps, batch)
    return Attribution(outcome, values, answer, foot, points, deletion)


def _delete(score: Any, x: Tensor, baseline: Tensor, steps: FloatArray, batch: int) -> Deletion:
    # Closer together at the beginning, where most happens.
    counts = np.unique((len(x) * np.linspace(0, 1, DELETIONS + 1) ** 2).round().astype(int))
    falling, rng = np.argsort(-steps, kind="stable"), np.random.default_rng(0)
    orders = [falling, falling[::-1], *(rng.permutation(len(x)) for _ in range(CHANCE))]
    changed = []
    for order in orders:
        for count in counts:
            gone = torch.zeros(len(x), 1, dtype=torch.bool)
            gone[order[:count].copy()] = True
            changed.append(torch.where(gone, baseline, x))
    with torch.no_grad():
        said = torch.cat([score(torch.stack(changed[k : k + batch])) for k in range(0, len(changed), batch)])
    curves = said.double().numpy().reshape(len(orders), len(counts))
    return Deletion(counts / len(x), curves[0], curves[1], curves[2:])


def _area(x: FloatArray, y: FloatArray) -> float:
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


def integrated_gradients() -> Any:
    """captum's class.

    Raises:
        InputError: it is missing.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise InputError(
            "attributions need captum: pip install 'longshort[explain]', or leave them out with --no-attribution"
        ) from None
    return IntegratedGradients
