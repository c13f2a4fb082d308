"""What quality costs in a search: seconds and weights beside the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from longshort.report import Section, figure, table, values
from longshort.study.report.tune_drawing import SOFT, by_role, count, edge_of, loss_of, seconds, shown
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import Tried
from longshort.wording import number


def cost_section(found: Tuning, finished: Sequence[Tried]) -> Section:
    """Seconds and weights of every finished trial beside its loss, and those that no other beats in both."""
    edge = edge_of(finished)
    variants = {}
    front = pareto(finished, lambda t: t.seconds)
    for title, cost in (
        ("seconds", lambda t: t.seconds),
        ("weights", lambda t: float(t.weights or 0)),
    ):
        best = pareto(finished, cost)
        variants[title] = {
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "nothing cheaper is better",
                    "x": values([cost(t) for t in best], 6),
                    "y": values([min(loss_of(t), edge) for t in best], 5),
                    "line": {"color": SOFT, "width": 1.5, "shape": "hv", "dash": "dot"},
                    "hoverinfo": "skip",
                },
                *by_role(finished, cost, loss_of, edge, found),
            ],
            "layout": {
                "xaxis": {"title": {"text": title}, "type": "log"},
                "yaxis": {"title": {"text": "validation loss"}},
            },
        }
    rows = [
        [f"Trial {t.number}", number(t.validation), seconds(t.seconds), count(t.weights)]
        + [shown(t.settings.get(name)) for name in found.ranges]
        for t in front
    ]
    beside = f" {found.workers} trials ran side by side, which makes each slower." if found.workers > 1 else ""
    return Section(
        "What quality costs",
        "From left to right the trials that nothing cheaper beats: how much a lower loss costs.",
        [
            figure(
                variants,
                alt="Validation loss of every finished trial by its cost; the best for their cost are in the table.",
                caption=f"Seconds are those of the whole trial here, the reading of the data included.{beside} "
                "Lower and further left is better; the dotted line joins the trials that nothing cheaper beats.",
                choose="Cost",
                height=380,
            ),
            table(
                ["", "Validation loss", "Seconds", "Weights", *found.ranges],
                rows,
                caption="Trials that nothing quicker beats",
            ),
        ],
    )


def pareto(trials: Sequence[Tried], cost: Callable[[Tried], float]) -> list[Tried]:
    """The trials that no cheaper or as cheap one beats, the cheapest first."""
    front: list[Tried] = []
    for t in sorted(trials, key=lambda t: (cost(t), loss_of(t), t.number)):
        if not front or loss_of(t) < loss_of(front[-1]):
            front.append(t)
    return front
