"""The course of a search: its trials one after the other, and the losses of each as it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from longshort.report import OURS, Section, Spec, figure, values
from longshort.study.report.tune_drawing import DEFAULT, SOFT, by_role, edge_of, loss_of, points, role
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import Tried


def course_section(found: Tuning, finished: Sequence[Tried], stopped: Sequence[Tried]) -> Section:
    """The loss of every trial in the order they were tried, and the best so far."""
    edge = edge_of(finished)
    best_so_far: list[float] = []
    for t in finished:
        assert t.validation is not None
        best_so_far.append(min(best_so_far[-1] if best_so_far else np.inf, t.validation))
    early = [t for t in stopped if t.looks]
    trials: list[Spec] = [
        points("stopped", early, lambda t: t.number, lambda t: min(loss for _, loss in t.looks), edge, found)
        | {"marker": {"color": SOFT, "symbol": "x-thin", "size": 8, "line": {"color": SOFT, "width": 1.5}}},
        *by_role(finished, lambda t: t.number, loss_of, edge, found),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [t.number for t in finished],
            "y": values(best_so_far, 5),
            "line": {**OURS, "shape": "hv"},
            "hoverinfo": "skip",
        },
        *_default_line(found, [0, max(found.tried)]),
    ]
    curves = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": role(t, found),
            "legendgroup": role(t, found),
            "showlegend": first,
            "x": [p for p, _ in t.looks],
            "y": values([min(loss, edge) for _, loss in t.looks], 5),
            "line": _line(t, found),
            "hovertemplate": f"trial {t.number}, %{{x}} %: %{{y:.4~g}}<extra></extra>",
        }
        for t, first in _firsts([t for t in _in_front(found) if t.looks], lambda t: role(t, found))
    ]
    loss_axis = {"title": {"text": "validation loss"}}
    return Section(
        "The course of the search",
        f"The best so far was found in trial {found.best.number} of {len(found.tried)}.",
        [
            figure(
                {
                    "the trials, one after the other": {
                        "data": trials,
                        "layout": {"xaxis": {"title": {"text": "trial"}}, "yaxis": loss_axis},
                    },
                    "the course of every trial": {
                        "data": curves,
                        "layout": {"xaxis": {"title": {"text": "percent of the training"}}, "yaxis": loss_axis},
                    },
                },
                alt="Validation loss of every trial in their order; the numbers are in the table of all trials.",
                caption="A cross is a trial that was stopped early, at the lowest loss it had reached: from a quarter "
                "of the training on, a trial ends whose best look is worse than the median of the others' at that "
                "point."
                + (" Triangles at the upper edge lie beyond it." if any(loss_of(t) > edge for t in finished) else ""),
                height=420,
            )
        ],
    )


def _in_front(found: Tuning) -> list[Tried]:
    """All trials, the most important ones last, so that they are drawn on top."""
    order = {"stopped": 0, "finished": 1, "default": 2, "best": 3}
    return sorted(found.tried.values(), key=lambda t: order[role(t, found)])


def _line(t: Tried, found: Tuning) -> Spec:
    return {
        "best": OURS,
        "default": {"color": DEFAULT, "width": 2, "dash": "dash"},
        "finished": {"color": SOFT, "width": 1},
        "stopped": {"color": SOFT, "width": 0.7, "dash": "dot"},
    }[role(t, found)]


def _default_line(found: Tuning, x: Sequence[float]) -> list[Spec]:
    if found.default.validation is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "default settings",
            "showlegend": False,
            "x": list(x),
            "y": values([found.default.validation] * 2, 5),
            "line": {"color": DEFAULT, "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        }
    ]


def _firsts(trials: Sequence[Tried], group: Callable[[Tried], str]) -> list[tuple[Tried, bool]]:
    """Trials, each with whether it is the first of its group."""
    groups = [group(t) for t in trials]
    return [(t, groups.index(g) == k) for k, (t, g) in enumerate(zip(trials, groups, strict=True))]
