"""`explain`: what a trained network does with what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from longshort.artifact import write_atomically
from longshort.errors import InputError
from longshort.estimator import Estimator
from longshort.explainable import Explainable
from longshort.study.attribution import Attribution, attribute, integrated_gradients
from longshort.study.horizon import SHARE, Horizon, distance_of, gradient_by_lag, horizon, horizons_alone
from longshort.study.states import LayerStates, layer_states
from longshort.training import Progress, default_progress
from longshort.wording import number, percent

FloatArray = NDArray[np.float64]
# So many of the likeliest outcomes are told.
SHOWN_OUTCOMES = 8
# Of the timescales of a layer's units these quantiles are told.
QUANTILES = {"shortest": 0.0, "tenth": 0.1, "median": 0.5, "ninetieth": 0.9, "longest": 1.0}


@dataclass(frozen=True)
class Explanation:
    """What was found; `write` draws it.

    Attributes:
        title: the run, in a few words.
        subject: what was looked at.
        said: the answer to the first sequence, (A,).
        layers: gates and states.
        horizon: of the whole network.
        alone: of each recurrent layer and direction by itself, by name.
        gradient: of the answer by lag, (T,).
        attribution: which input mattered, or None if it was left out.
    """

    title: str
    subject: Explainable
    said: FloatArray
    layers: tuple[LayerStates, ...]
    horizon: Horizon
    alone: dict[str, Horizon]
    gradient: FloatArray
    attribution: Attribution | None

    @property
    def verdict(self) -> str:
        """How far back the network looks, in a sentence."""
        found, step = self.horizon, self.subject.step
        steps = f"the last {found.steps:,} {step}s" if found.steps != 1 else f"the last {step} alone"
        if found.steps == 0:
            return f"This network answers the same whatever it reads: it uses none of the {found.length:,} {step}s."
        if found.whole:
            return f"This network uses all {found.length:,} {step}s that it was shown: what stands first still matters."
        interval = f" ({found.low:,} to {found.high:,})" if found.low != found.high else ""
        return (
            f"This network uses {steps}{interval}: what stands before them moves its answer by no more than "
            f"{percent(SHARE)} of what another sequence altogether would."
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What else was found, a line each."""
        step, stride, lines = self.subject.step, self.subject.stride, []
        for name, alone in self.alone.items():
            reach = f"{stride * alone.steps:,} {step}s" + (" or more" if alone.whole else "")
            lines.append(f"The recurrent {name} by itself carries {reach}.")
        for layer in self.layers:
            if layer.timescales is not None:
                median, longest = np.quantile(layer.timescales, [0.5, 1])
                lines.append(
                    f"Timescales of {layer.name}: {number(float(median), 3)} {step}s for the median unit, "
                    f"{number(float(longest), 3)} for the longest."
                )
        if self.attribution is not None:
            areas, holds = self.attribution.deletion.areas, self.attribution.deletion.holds
            lines.append(
                f"Attributions {'stand' if holds else 'do not stand'} the check by deletion: area "
                f"{number(areas['most'])} with the most attributed first, {number(areas['chance'])} by chance, "
                f"{number(areas['least'])} with the least attributed first."
            )
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """All numbers but the gates themselves."""
        subject, found = self.subject, self.attribution
        return {
            "verdict": self.verdict,
            "question": subject.question,
            "source": subject.source,
            "steps": list(subject.labels),
            "answer": _answers(subject, self.said),
            "horizon": {
                **_horizon(self.horizon),
                "criterion": SHARE,
                "alone": {name: _horizon(alone, subject.stride) for name, alone in self.alone.items()},
            },
            "gradient by lag": self.gradient.tolist(),
            "timescales": {layer.name: _timescales(layer) for layer in self.layers},
            "attribution": None if found is None else _attribution(found, subject),
        }

    def report(self) -> str:
        """A whole HTML document that opens offline."""
        from longshort.study.report.explain import render

        return render(self)

    def write(self, path: str | Path) -> None:
        """Write the report to a file.

        Raises:
            InputError: it cannot be written.
        """
        path = Path(path)
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file, such as {path / 'explained.html'}")
        try:
            write_atomically(path, self.report().encode())
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}; choose another place") from None


def explain(
    run: str | Path | Estimator[Any, Any, Any],
    data: Any = None,
    *,
    which: str | None = None,
    steps: int | None = None,
    attribution: bool = True,
    title: str | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """What a trained network does: its gates over an input, how far back it looks, and which input mattered.

    Args:
        run: a run directory, or a fitted estimator.
        data: what to look at, as the estimator's `predict` takes it; None for something that the run keeps.
        which: of several series or examples the one to look at: its name, or its number from 1.
        steps: how many steps to look at, at most.
        attribution: whether to find out which input mattered; needs captum (extra `explain`).
        title: of the page; the name of the run if None.
        progress: who is told.

    Raises:
        InputError: the run cannot be explained, the data cannot be used, or captum is missing.
    """
    from longshort.tasks import load

    if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 2):
        raise InputError(f"steps must be a whole number from 2, not {steps!r}")
    if attribution:
        integrated_gradients()
    progress = progress or default_progress()
    model = run if isinstance(run, Estimator) else load(run)
    title = title or (type(model).__name__ if isinstance(run, Estimator) else Path(run).name)
    subject = model.explainable(data, which=which, steps=steps)
    return explain_network(subject, title, attribution=attribution, progress=progress)


def explain_network(
    subject: Explainable, title: str = "network", *, attribution: bool = True, progress: Progress | None = None
) -> Explanation:
    """The same for what a task has opened up, or for a network of one's own in the form of `Explainable`."""
    progress = progress or default_progress()
    progress.note(subject.source)
    progress.note("tracing the gates")
    layers = tuple(layer_states(subject))
    with torch.no_grad():
        said = subject.answer(subject.inputs[:1])[0].double().numpy()
    progress.note("replacing the past")
    whole = horizon(subject.answer, subject.inputs, distance_of(subject.probabilities))
    alone = horizons_alone(subject)
    gradient = gradient_by_lag(subject)
    found = None
    if attribution:
        progress.note("integrating gradients")
        found = attribute(subject)
    return Explanation(title, subject, said, layers, whole, alone, gradient, found)


def _answers(subject: Explainable, said: FloatArray) -> dict[str, float]:
    """The likeliest outcomes with their probabilities, or every value."""
    if not subject.probabilities:
        return {name: float(value) for name, value in zip(subject.outcomes, said, strict=True)}
    likeliest = np.argsort(-said, kind="stable")[:SHOWN_OUTCOMES]
    return {subject.outcomes[k]: float(np.exp(said[k])) for k in likeliest}


def _horizon(found: Horizon, stride: int = 1) -> dict[str, Any]:
    """In steps of the input."""
    return {
        "steps": stride * found.steps,
        "low": stride * found.low,
        "high": stride * found.high,
        "of": stride * found.length,
        "kept": (stride * found.kept).tolist(),
        "moved": found.moved.tolist(),
    }


def _timescales(layer: LayerStates) -> dict[str, Any] | None:
    if layer.timescales is None:
        return None
    told = {name: float(np.quantile(layer.timescales, q)) for name, q in QUANTILES.items()}
    return {**told, "units": layer.timescales.tolist()}


def _attribution(found: Attribution, subject: Explainable) -> dict[str, Any]:
    return {
        "outcome": found.outcome,
        "answer": found.answer,
        "baseline": found.baseline,
        "sum": float(found.values.sum()),
        "gap": found.gap,
        "points": found.points,
        "steps": found.steps.tolist(),
        "channels": dict(zip(subject.channels, found.values.sum(0).tolist(), strict=False)),
        "deletion": {"areas": found.deletion.areas, "holds": found.deletion.holds},
    }
