"""The vanishing gradient in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from longshort.report import RIVALS, Html, Section, Spec, figure, page, plain, table, values
from longshort.study.network import NAMES
from longshort.wording import listed, number, percent

if TYPE_CHECKING:
    from longshort.study.dependencies import Dependency
    from longshort.study.gradients import Course, GradientStudy

COLOURS = {"lstm": "var(--ours)", "gru": RIVALS[0]["color"], "rnn": RIVALS[1]["color"], "rnn-relu": RIVALS[2]["color"]}
DASHES = ("solid", "dash", "dot", "longdash")
# Curves end here, lest the ones above be squeezed together.
LOWEST = 1e-30


def render(study: GradientStudy) -> str:
    """A whole HTML document that opens offline."""
    config = study.config
    sections = [_before(study), *([_after(study)] if study.after else []), _carousel(study), _explosions(study)]
    return page(
        title="Vanishing gradients, by longshort",
        kind="Study · gradients",
        headline=study.verdict,
        lead=[
            "To learn that something long ago mattered, a network must hear of it: the gradient of the loss must reach "
            "the state of that step. On its way back it passes through the Jacobian of every step in between, and a "
            "product of many matrices either vanishes, explodes, or is kept in balance by construction.",
            f"The task: {config.dependency.meaning}, over a lag of {config.lag} steps; {config.hidden_size} units. The "
            "loss is at the last step; norms are relative to that there, geometric means over the sequences. One seed.",
        ],
        sections=sections,
    )


def _before(study: GradientStudy) -> Section:
    return Section(
        "At the beginning",
        "Each curve falls from 1 at the loss; one that falls as a straight line loses the same share at every step.",
        [
            figure(
                {
                    "what arrives at c, or h where there is no c": _curves(study.before, "state"),
                    "what arrives at h": _curves(study.before, "hidden"),
                    "the most that could arrive (largest singular value)": _curves(study.before, "largest"),
                },
                alt="Line chart of gradient norms against the distance from the loss; numbers are in the table below.",
                caption="Norm of the gradient of a loss by the number of steps back, logarithmic. The most that could "
                "arrive is the largest singular value of the product of all Jacobians of the state in between: in no "
                "direction is more of a gradient kept.",
                height=460,
            ),
            _numbers(study.before),
        ],
    )


def _after(study: GradientStudy) -> Section:
    task, lag = study.config.dependency, study.config.lag
    said = listed([f"{NAMES[course.cell]} {_score(task, course.score)}" for course in study.after])
    return Section(
        "After training",
        f"After {study.config.steps:,} steps of training on the task: {task.metric} {said}; by chance "
        f"{_score(task, task.chance(lag)[1])}.",
        [
            figure(
                _curves(study.after, "state"),
                alt="Line chart of gradient norms against the distance from the loss, after training.",
                caption="A network that has learnt to remember lets the gradient through to the step it remembers.",
                height=400,
            ),
            _numbers(study.after, task),
        ],
    )


def _carousel(study: GradientStudy) -> Section:
    shown = [course for course in (*study.after, *study.before) if course.flow.direct is not None]
    shown.sort(key=lambda course: course.cell != "lstm")
    variants = {}
    for course in shown:
        flow = course.flow
        keeper = "forget gates" if course.cell == "lstm" else "update gates"
        assert flow.direct is not None
        name = course.name + (", trained" if course.score is not None else "")
        variants[name] = _chart(
            [
                _line("all paths", flow.state, {"color": COLOURS[course.cell], "width": 2.5}),
                _line(f"product of the {keeper}", flow.direct, {"color": "var(--truth)", "width": 1.6, "dash": "dot"}),
            ]
        )
    return Section(
        "The constant error carousel",
        "In the LSTM c is multiplied by the forget gate and added to, nothing else: that path alone passes on the "
        "product of the forget gates, whatever the weights are.",
        [
            figure(
                variants,
                alt="Line chart of the gradient of the cell state beside the product of the gates.",
                caption="Where the two curves lie on each other, the gradient comes back through the cell alone. The "
                "GRU has the same with its update gate and h.",
                choose="Network",
            )
        ],
    )


def _explosions(study: GradientStudy) -> Section:
    rows = [[f"{e.gain:g}", _written(e.arriving), _written(e.norm), _written(e.clipped)] for e in study.explosions]
    return Section(
        "Exploding gradients, and clipping",
        "A plain RNN with ReLU: recurrent weights a little larger, and the gradient grows instead of vanishing.",
        [
            table(
                ["Gain", "Left at the first step", "Norm of the weights' gradient", "After clipping"],
                rows,
                caption="Orthogonal recurrent weights times a gain: gradients of h, and of these weights",
            ),
            Html(
                "<p>Clipping shortens what is too long and keeps its direction (Pascanu, Mikolov &amp; Bengio 2013). "
                "It cures the explosion, and does nothing for a gradient that has vanished.</p>"
            ),
        ],
    )


def _curves(courses: Sequence[Course], what: Literal["state", "hidden", "largest"]) -> Spec:
    seen: dict[str, int] = {}
    data = []
    for course in courses:
        seen[course.cell] = seen.get(course.cell, -1) + 1
        line = {"color": COLOURS[course.cell], "width": 2, "dash": DASHES[seen[course.cell] % len(DASHES)]}
        data.append(_line(course.name, getattr(course.flow, what), line))
    return _chart(data)


def _chart(data: list[Spec]) -> Spec:
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": "steps back from the loss"}},
            "yaxis": {"type": "log", "title": {"text": "norm, 1 at the loss"}, "exponentformat": "power"},
        },
    }


def _line(name: str, norms: np.ndarray, line: Spec) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "x": list(range(len(norms))),
        "y": values(np.where(norms > LOWEST, norms, np.nan), 4),
        "line": line,
        "hovertemplate": "%{y:.2~e} after %{x} steps<extra>%{fullData.name}</extra>",
    }


def _numbers(courses: Sequence[Course], task: Dependency | None = None) -> Html:
    last = len(courses[0].flow.hidden) - 1
    places = sorted({min(k, last) for k in (1, 10, last // 2, last)})
    rows = []
    for course in courses:
        score = [_score(task, course.score)] if task else []
        rows.append([course.name, *score, *(_written(float(course.flow.state[k])) for k in places)])
    head = ["Network", *([task.metric.capitalize()] if task else []), *(f"{k} back" for k in places)]
    return table(head, rows, caption="What is left of the gradient of c, or of h where there is no c")


def _score(task: Dependency, value: float | None) -> str:
    return percent(value) if task.higher else number(value)


def _written(value: float) -> str:
    if not np.isfinite(value):
        return "beyond all numbers"
    return f"{value:.3g}"
