"""A search over settings in pictures: its course, what mattered, what it costs, and how to train the winner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from longshort.artifact import versions
from longshort.report import (
    OURS,
    SEQUENTIAL,
    Html,
    Section,
    Spec,
    as_command,
    details,
    el,
    figure,
    page,
    plain,
    settings_section,
    table,
    values,
)
from longshort.space import Range
from longshort.study.tuning.jobs import estimator
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import ENOUGH, FAILED, STOPPED, Tried
from longshort.wording import listed, number, numbers, percent

SOFT, DEFAULT, BEST = "var(--soft)", "var(--rival-1)", "var(--ours)"
# Losses above this many times the distance of the median from the best are drawn at the edge.
EDGE = 4


def render(found: Tuning) -> str:
    """A whole HTML document that opens offline."""
    finished = [t for t in found.tried.values() if t.validation is not None]
    stopped = [t for t in found.tried.values() if t.state == STOPPED]
    failed = [t for t in found.tried.values() if t.state == FAILED]
    counted = [f"{len(finished)} ran to their end"]
    counted += [f"{len(stopped)} were stopped early, being worse than most of the others"] if stopped else []
    counted += [f"{len(failed)} failed"] if failed else []
    sections = [_beside(found), _course(found, finished, stopped)]
    if len(finished) > 1:
        sections.append(_mattered(found, finished))
        if {"num_layers", "hidden_size"} <= found.ranges.keys():
            sections.append(_sizes(found, finished))
        sections.append(_cost(found, finished))
    sections += [_all(found), _again(found)]
    return page(
        title="Search over settings, by longshort",
        kind=f"Search · {found.task}",
        headline=found.verdict,
        lead=[
            f"{len(found.tried)} trials, of which {listed(counted)}. Each trained {_networks(found)} and was judged by "
            "the lowest validation loss; the test split was not looked at. Trial 0 has the default settings.",
        ],
        sections=sections,
    )


def command(found: Tuning, run: str = "runs/winner") -> str:
    """The command that trains the winner."""
    data = found.data if isinstance(found.data, list | tuple) else [found.data]
    words = ["fit", found.task, *(str(d) if _is_path(d) else "data.csv" for d in data), "-o", run]
    for name, given in found.options.items():
        option = "--channel" if name == "channels" else f"--{name}"
        for value in given if isinstance(given, list | tuple) else [given]:
            words += [option, str(value)]
    model = estimator(found.task, found.winning_settings)
    needed = {f.name: getattr(model.config, f.name) for f in fields(model.config) if f.default is MISSING}
    return as_command(words, {**needed, **model.changed_settings}, tuple(needed))


def _is_path(data: object) -> bool:
    from pathlib import Path

    return isinstance(data, str | Path)


# -- the best beside the default ---------------------------------------------------------------------------------------


def _beside(found: Tuning) -> Section:
    best, default = found.best, found.default
    several = best.number != 0
    names = ["Default settings", *([f"Trial {best.number}, the best"] if several else [])]
    chosen = [default, *([best] if several else [])]
    rows: list[list[object]] = [["Validation loss", *numbers([t.validation for t in chosen])]]
    marks: list[set[int]] = [{_least([t.validation for t in chosen])}] if several else [set()]
    if found.again:
        means = [float(np.mean(losses)) for losses in (found.again.default, found.again.best)]
        count = len(found.again.best)
        rows.append(["From another seed" if count == 1 else f"From {count} other seeds, mean", *numbers(means)])
        marks.append({_least(means)})
        for k, pair in enumerate(zip(found.again.default, found.again.best, strict=True), start=1):
            if count > 1:
                rows.append([f"Pair {k}", *numbers(pair)])
                marks.append({_least(pair)})
    rows += [
        ["Weights", *(_count(t.weights) for t in chosen)],
        ["Seconds", *(_seconds(t.seconds) for t in chosen)],
        *(_row(name, [_shown(t.settings.get(name)) for t in chosen]) for name in found.ranges),
    ]
    caption = "The best trial beside the default settings; ★ is the lower loss" if several else "The default settings"
    see = "The best of many trials is partly the luckiest: what counts is how it fares from other seeds."
    if not several:
        see = "Nothing that was tried has a lower validation loss."
    elif not found.again:
        see = "The best of many trials is partly the luckiest; it was not trained again from other seeds."
    return Section("The best beside the default", see, [table(["", *names], rows, caption=caption, best=marks)])


def _row(head: object, cells: Sequence[object]) -> list[object]:
    return [head, *cells]


def _least(losses: Sequence[float | None]) -> int:
    return 1 + int(np.argmin([np.inf if loss is None else loss for loss in losses]))


# -- the course --------------------------------------------------------------------------------------------------------


def _course(found: Tuning, finished: Sequence[Tried], stopped: Sequence[Tried]) -> Section:
    edge = _edge(finished)
    best_so_far: list[float] = []
    for t in finished:
        assert t.validation is not None
        best_so_far.append(min(best_so_far[-1] if best_so_far else np.inf, t.validation))
    early = [t for t in stopped if t.looks]
    trials: list[Spec] = [
        _points("stopped", early, lambda t: t.number, lambda t: min(loss for _, loss in t.looks), edge, found)
        | {"marker": {"color": SOFT, "symbol": "x-thin", "size": 8, "line": {"color": SOFT, "width": 1.5}}},
        *_roles(finished, lambda t: t.number, _loss, edge, found),
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
            "name": _role(t, found),
            "legendgroup": _role(t, found),
            "showlegend": first,
            "x": [p for p, _ in t.looks],
            "y": values([min(loss, edge) for _, loss in t.looks], 5),
            "line": _line(t, found),
            "hovertemplate": f"trial {t.number}, %{{x}} %: %{{y:.4~g}}<extra></extra>",
        }
        for t, first in _firsts([t for t in _in_front(found) if t.looks], lambda t: _role(t, found))
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
                + (" Triangles at the upper edge lie beyond it." if any(_loss(t) > edge for t in finished) else ""),
                height=420,
            )
        ],
    )


def _in_front(found: Tuning) -> list[Tried]:
    """All trials, the most important ones last, so that they are drawn on top."""
    order = {"stopped": 0, "finished": 1, "default": 2, "best": 3}
    return sorted(found.tried.values(), key=lambda t: order[_role(t, found)])


def _role(t: Tried, found: Tuning) -> str:
    if t.number == found.best.number:
        return "best"
    if t.number == 0:
        return "default"
    return "finished" if t.validation is not None else "stopped"


def _line(t: Tried, found: Tuning) -> Spec:
    return {
        "best": OURS,
        "default": {"color": DEFAULT, "width": 2, "dash": "dash"},
        "finished": {"color": SOFT, "width": 1},
        "stopped": {"color": SOFT, "width": 0.7, "dash": "dot"},
    }[_role(t, found)]


# -- what mattered -----------------------------------------------------------------------------------------------------


def _mattered(found: Tuning, finished: Sequence[Tried]) -> Section:
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
    edge = _edge(finished)
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
        variants[name] = {"data": _roles(known, _setting(name), _loss, edge, found), "layout": layout}
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


def _sizes(found: Tuning, finished: Sequence[Tried]) -> Section:
    known = [t for t in finished if None not in (t.settings.get("num_layers"), t.settings.get("hidden_size"))]
    edge = _edge(finished)
    points = _points(
        "finished",
        known,
        lambda t: t.settings["hidden_size"],
        lambda t: t.settings["num_layers"],
        np.inf,
        found,
    )
    points["marker"] = {
        "size": [20 if t.number == found.best.number else 15 for t in known],
        "symbol": ["star" if _role(t, found) == "best" else _symbol(t, found) for t in known],
        "color": values([min(_loss(t), edge) for t in known], 5),
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
                {"data": [points], "layout": layout},
                alt="Validation loss by the numbers of layers and of hidden units; see the table of all trials.",
                caption="Every finished trial by its size; the star is the best, the diamond has the default settings. "
                "Neighbours may differ by their other settings.",
                height=320,
            )
        ],
    )


# -- cost --------------------------------------------------------------------------------------------------------------


def _cost(found: Tuning, finished: Sequence[Tried]) -> Section:
    edge = _edge(finished)
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
                    "y": values([min(_loss(t), edge) for t in best], 5),
                    "line": {"color": SOFT, "width": 1.5, "shape": "hv", "dash": "dot"},
                    "hoverinfo": "skip",
                },
                *_roles(finished, cost, _loss, edge, found),
            ],
            "layout": {
                "xaxis": {"title": {"text": title}, "type": "log"},
                "yaxis": {"title": {"text": "validation loss"}},
            },
        }
    rows = [
        [f"Trial {t.number}", number(t.validation), _seconds(t.seconds), _count(t.weights)]
        + [_shown(t.settings.get(name)) for name in found.ranges]
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
    for t in sorted(trials, key=lambda t: (cost(t), _loss(t), t.number)):
        if not front or _loss(t) < _loss(front[-1]):
            front.append(t)
    return front


# -- the rest ----------------------------------------------------------------------------------------------------------


def _all(found: Tuning) -> Section:
    rows = []
    for t in sorted(found.tried.values(), key=lambda t: (_loss(t), t.number)):
        loss = number(t.validation) if t.validation is not None else t.state
        rows.append(
            [t.number, loss, _seconds(t.seconds), _count(t.weights)] + [_shown(t.settings.get(n)) for n in found.ranges]
        )
    head = ["Trial", "Validation loss", "Seconds", "Weights", *found.ranges]
    shown = details("All trials in numbers", table(head, rows, caption="All trials, the best first"))
    failed = [el("p", f"Trial {t.number} failed: {t.reason}") for t in found.tried.values() if t.state == FAILED]
    return Section("All trials", f"{len(rows)} trials, in numbers.", [shown, *failed])


def _again(found: Tuning) -> Section:
    winner = found.winner
    what = "the default settings" if winner.number == 0 else f"trial {winner.number}"
    folded: dict[str, Mapping[str, Any]] = {
        "Ranges": {name: str(space) for name, space in found.ranges.items()},
        "Versions": {**versions(), **_optuna_version()},
    }
    if found.settings:
        folded = {"Settings of all trials": found.settings, **folded}
    section = settings_section(f"The command trains {what}, then tests it.", {"As a command": command(found)}, folded)
    return Section("Train the winner", section.see, section.body)


def _optuna_version() -> dict[str, str]:
    from importlib.metadata import version

    return {"optuna": version("optuna")}


# -- points ------------------------------------------------------------------------------------------------------------


def _roles(
    trials: Sequence[Tried], x: Callable[[Tried], Any], y: Callable[[Tried], float], edge: float, found: Tuning
) -> list[Spec]:
    """Finished trials as points, those of the default settings and of the best apart."""
    names = {"finished": "finished", "default": "default settings", "best": "best"}
    groups = {name: [t for t in trials if _role(t, found) == role] for role, name in names.items()}
    return [_points(name, group, x, y, edge, found) for name, group in groups.items() if group]


def _setting(name: str) -> Callable[[Tried], Any]:
    return lambda t: t.settings[name]


def _points(
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
            "color": [{"best": BEST, "default": DEFAULT}.get(_role(t, found), SOFT) for t in trials],
            "size": [11 if _role(t, found) in ("best", "default") else 7 for t in trials],
            "symbol": ["triangle-up" if y(t) > edge else _symbol(t, found) for t in trials],
        },
        "text": [_said(t) for t in trials],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _symbol(t: Tried, found: Tuning) -> str:
    return {"best": "star", "default": "diamond"}.get(_role(t, found), "circle")


def _said(t: Tried) -> str:
    loss = f"validation loss {number(t.validation)}" if t.validation is not None else t.state
    return plain(f"trial {t.number}: {loss}, {_seconds(t.seconds)} s; {_settings(t)}")


def _settings(t: Tried) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in t.settings.items())


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


def _loss(t: Tried) -> float:
    return np.inf if t.validation is None else t.validation


def _edge(finished: Sequence[Tried]) -> float:
    """Losses above it would squeeze the others together."""
    losses = np.array([_loss(t) for t in finished])
    least = float(losses.min())
    return float(max(least + EDGE * (np.median(losses) - least), np.quantile(losses, 0.75)))


def _log_axis(space: Range) -> Spec:
    ticks = [float(f"{m}e{k}") for k in range(-8, 9) for m in (1, 2, 5)]
    shown = [t for t in ticks if space.low <= t <= space.high]
    return {"type": "log", "tickvals": shown, "ticktext": [f"{t:g}" for t in shown]}


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _networks(found: Tuning) -> str:
    members = found.settings.get("members", 1)
    return "one network" if members == 1 else f"{members} networks"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
