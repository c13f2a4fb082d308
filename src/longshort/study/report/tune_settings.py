"""Which settings mattered in a search, and the map of layers and hidden units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from longshort.report import SEQUENTIAL, Html, Section, Spec, figure, values
from longshort.space import Range
from longshort.study.report.tune_drawing import BEST, SOFT, by_role, edge_of, loss_of, points, role, symbol
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import ENOUGH, Tried
from longshort.wording import percent


def importance_section(found: Tuning, finished: Sequence[Tried]) -> Section:
    """The share of each setting in the variance of the loss, and every trial by one setting."""
    body: list[Html] = []
    see = f"Importance is not told of fewer than {ENOUGH} finished trials; the points show what was tried."
    if found.importances:
        first = next(iter(found.importances))
        see = f"{first} explains the most of what the finished trials differ by."
        names = list(found.importances)[::-1]
        bars = {
            "type": "bar",
            "orientation": "h",
            "x": values([found.importances[n] for n in names], 4),
            "y": names,
            "marker": {"color": BEST},
            "text": [percent(found.importances[n]) for n in names],
            "textposition": "auto",
            "hovertemplate": "%{y}: %{text}<extra></extra>",
        }
        layout = {"xaxis": {"tickformat": ".0%", "rangemode": "tozero"}, "margin": {"l": 130}}
        body.append(
            figure(
                {"data": [bars], "layout": layout},
                alt="Bars: " + ", ".join(f"{n} {percent(v)}" for n, v in found.importances.items()),
                caption="Share of each setting in the variance of the validation loss over these ranges, by fANOVA "
                f"(Hutter, Hoos & Leyton-Brown 2014) on {len(finished)} finished trials: an estimate, and a rough one "
                "where they are few. A setting that does not matter here may matter beyond its range.",
                height=90 + 32 * len(names),
            )
        )
    edge = edge_of(finished)
    variants = {}
    for name in found.importances or found.ranges:
        known = [t for t in finished if t.settings.get(name) is not None]
        axis: Spec = {"title": {"text": name}}
        space = found.ranges[name]
        if isinstance(space, Range):
            axis |= _log_axis(space) if space.log else {}
        else:
            axis["type"] = "category"
        layout = {"xaxis": axis, "yaxis": {"title": {"text": "validation loss"}}}
        variants[name] = {"data": by_role(known, _setting(name), loss_of, edge, found), "layout": layout}
    body.append(
        figure(
            variants,
            alt="Validation loss of every finished trial by one setting; the numbers are in the table of all trials.",
            caption="Every finished trial by one of its settings.",
            choose="Setting",
            height=360,
        )
    )
    return Section("What mattered", see, body)


def size_section(found: Tuning, finished: Sequence[Tried]) -> Section:
    """The loss of every trial on the map of layers and hidden units."""
    known = [t for t in finished if None not in (t.settings.get("num_layers"), t.settings.get("hidden_size"))]
    edge = edge_of(finished)
    drawn = points(
        "finished",
        known,
        lambda t: t.settings["hidden_size"],
        lambda t: t.settings["num_layers"],
        np.inf,
        found,
    )
    drawn["marker"] = {
        "size": [20 if t.number == found.best.number else 15 for t in known],
        "symbol": ["star" if role(t, found) == "best" else symbol(t, found) for t in known],
        "color": values([min(loss_of(t), edge) for t in known], 5),
        "colorscale": SEQUENTIAL,
        "reversescale": True,
        "showscale": True,
        "colorbar": {"title": {"text": "validation loss", "side": "right"}},
        "line": {"color": SOFT, "width": 1},
    }
    size = found.ranges["hidden_size"]
    layers = sorted({int(t.settings["num_layers"]) for t in known})
    layout = {
        "xaxis": {"title": {"text": "hidden units"}}
        | (_log_axis(size) if isinstance(size, Range) and size.log else {}),
        "yaxis": {"title": {"text": "layers"}, "tickvals": layers, "range": [layers[0] - 0.6, layers[-1] + 0.6]},
        "showlegend": False,
    }
    best = found.best.settings
    return Section(
        "Layers and hidden units",
        f"Dark is good: the best has {_plural(best['num_layers'], 'layer')} of {best['hidden_size']} units.",
        [
            figure(
                {"data": [drawn], "layout": layout},
                alt="Validation loss by the numbers of layers and of hidden units; see the table of all trials.",
                caption="Every finished trial by its size; the star is the best, the diamond has the default settings. "
                "Neighbours may differ by their other settings.",
                height=320,
            )
        ],
    )


def _setting(name: str) -> Callable[[Tried], Any]:
    return lambda t: t.settings[name]


def _log_axis(space: Range) -> Spec:
    ticks = [float(f"{m}e{k}") for k in range(-8, 9) for m in (1, 2, 5)]
    shown = [t for t in ticks if space.low <= t <= space.high]
    return {"type": "log", "tickvals": shown, "ticktext": [f"{t:g}" for t in shown]}


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
