"""What the pictures of a search share: its trials as points, and their numbers as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from longshort.report import Spec, plain, values
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import Tried
from longshort.wording import number

SOFT, DEFAULT, BEST = "var(--soft)", "var(--rival-1)", "var(--ours)"
# Losses above this many times the distance of the median from the best are drawn at the edge.
EDGE = 4


def role(t: Tried, found: Tuning) -> str:
    """What a trial is in the pictures: the best, the default settings, another that finished, or one stopped."""
    if t.number == found.best.number:
        return "best"
    if t.number == 0:
        return "default"
    return "finished" if t.validation is not None else "stopped"


def by_role(
    trials: Sequence[Tried], x: Callable[[Tried], Any], y: Callable[[Tried], float], edge: float, found: Tuning
) -> list[Spec]:
    """Finished trials as points, those of the default settings and of the best apart."""
    names = {"finished": "finished", "default": "default settings", "best": "best"}
    groups = {which: [t for t in trials if role(t, found) == which] for which in names}
    return [points(names[which], group, x, y, edge, found) for which, group in groups.items() if group]


def points(
    name: str,
    trials: Sequence[Tried],
    x: Callable[[Tried], Any],
    y: Callable[[Tried], float],
    edge: float,
    found: Tuning,
) -> Spec:
    """Trials as points that tell their settings; those beyond the edge are triangles on it."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x(t) for t in trials],
        "y": values([min(y(t), edge) for t in trials], 5),
        "marker": {
            "color": [{"best": BEST, "default": DEFAULT}.get(role(t, found), SOFT) for t in trials],
            "size": [11 if role(t, found) in ("best", "default") else 7 for t in trials],
            "symbol": ["triangle-up" if y(t) > edge else symbol(t, found) for t in trials],
        },
        "text": [_said(t) for t in trials],
        "hovertemplate": "%{text}<extra></extra>",
    }


def symbol(t: Tried, found: Tuning) -> str:
    """Its marker, one for each role, so that colour alone tells nothing."""
    return {"best": "star", "default": "diamond"}.get(role(t, found), "circle")


def _said(t: Tried) -> str:
    loss = f"validation loss {number(t.validation)}" if t.validation is not None else t.state
    return plain(f"trial {t.number}: {loss}, {seconds(t.seconds)} s; {_settings(t)}")


def _settings(t: Tried) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in t.settings.items())


def loss_of(t: Tried) -> float:
    """Its validation loss; infinite where it did not finish, so that it sorts last."""
    return np.inf if t.validation is None else t.validation


def edge_of(finished: Sequence[Tried]) -> float:
    """Losses above it would squeeze the others together."""
    losses = np.array([loss_of(t) for t in finished])
    least = float(losses.min())
    return float(max(least + EDGE * (np.median(losses) - least), np.quantile(losses, 0.75)))


def shown(value: Any) -> str:
    """A setting as text."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def count(value: int | None) -> str:
    """A number of weights as text."""
    return "–" if value is None else f"{value:,}"


def seconds(value: float) -> str:
    """A duration as text, without its unit."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
