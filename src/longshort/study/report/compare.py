"""Cells side by side in pictures: scores with their intervals, learning curves, and what was done to be fair."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from longshort.report import (
    RIVALS,
    Html,
    Section,
    Spec,
    definitions,
    details,
    figure,
    named,
    page,
    plain,
    settings_section,
    table,
    values,
)
from longshort.report.figures import fan
from longshort.scores import HIGHEST
from longshort.wording import listed, number

if TYPE_CHECKING:
    from longshort.study.comparison import CompareConfig, Comparison, TaskConfig
    from longshort.study.comparison.recipes import Recipe
    from longshort.study.comparison.result import Contender
    from longshort.study.comparison.sequences import SequenceContest

LINES: dict[str, Spec] = {
    "LSTM": {"color": "var(--ours)", "width": 2.5},
    "GRU": {"color": RIVALS[0]["color"], "width": 2, "dash": "dash"},
    "RNN": {"color": RIVALS[1]["color"], "width": 2, "dash": "dot"},
    "RNN, ReLU": {"color": RIVALS[2]["color"], "width": 2, "dash": "dashdot"},
    "No recurrent layer": {"color": RIVALS[3]["color"], "width": 2, "dash": "longdash"},
}
BASELINE: Spec = {"color": "var(--soft)", "width": 1.5, "dash": "dash"}
# From this ratio of the largest to the smallest score on, the axis is logarithmic.
WIDE = 30


def render_task(comparison: Comparison, config: TaskConfig, contest: SequenceContest) -> str:
    """The report of a built-in task: a whole HTML document that opens offline."""
    recipe = contest.recipe
    starts = [f"{c.name} {recipe.start(c.entrant.cell, contest.lag)}" for c in comparison.contenders]
    fair = [
        ("Steps", f"{recipe.steps:,} of AdamW for every network, {batch_of(recipe)}"),
        ("Learning rate", f"{recipe.learning_rate:g}, with a cosine to 0{_tuning(config)}"),
        ("Clipping", "gradients of all cells to norm 1"),
        ("Beginning", "; ".join(starts)),
        *contest.progression,
        ("Kept", f"of each training the averaged weights (decay {recipe.averaging:g}) that validated best"),
    ]
    words = ["longshort", "compare", "task", config.task, *options_of(config), "-o", "RUN"]
    return _page(
        comparison,
        config,
        lead=[f"The task: {contest.meaning}. {contest.explained}"],
        fair=fair,
        again=_settings(shlex.join(words), config),
        tested=contest.tested,
    )


def render_data(comparison: Comparison, config: CompareConfig, task: str, settings: Mapping[str, Any]) -> str:
    """The report of a task with data: a whole HTML document that opens offline."""
    fair = [
        ("Steps", "the same budget for all, that of the settings; each training stops early by its validation split"),
        ("Settings", f"those that the task has by default or was given, the same for all{_tuning(config)}"),
        ("Clipping", "gradients of all cells to norm 1"),
        ("Kept", "of each training the weights that validated best; only they were tested, once"),
    ]
    said = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words = ["longshort", "compare", task, "DATA", *options_of(config), *said, "-o", "RUN"]
    return _page(
        comparison,
        config,
        lead=[f"The task: {task}, on the data that it was given, beside the baselines that the task always has."],
        fair=fair,
        again=_settings(shlex.join(words), config),
        tested="the held-out test split",
    )


def _page(
    comparison: Comparison,
    config: CompareConfig,
    *,
    lead: Sequence[str],
    fair: Sequence[tuple[str, str]],
    again: Section,
    tested: str,
) -> str:
    size = "the same number of weights" if config.same == "weights" else "the same number of hidden units"
    names = listed([contender.name for contender in comparison.contenders])
    return page(
        title=f"{comparison.title}: cells compared, by longshort",
        kind=f"Study · compare · {comparison.title}",
        headline=comparison.verdict,
        lead=[
            *lead,
            f"{names}, with {size}, {config.seeds} seed{'s' * (config.seeds > 1)} each. Every score is on {tested}, "
            "which each network saw once, at the end.",
        ],
        sections=[
            _scores(comparison, config),
            curves_section(comparison),
            _fairness(comparison, fair),
            again,
        ],
    )


def _scores(comparison: Comparison, config: CompareConfig) -> Section:
    main = comparison.metrics[comparison.main]
    meanings = [(metric.title or name, metric.meaning) for name, metric in comparison.metrics.items()]
    return Section(
        "Scores",
        f"Every dot is a network, the diamond the mean of its cell in {comparison.main}. {main.meaning}",
        [
            _dots(comparison),
            _table(comparison),
            *([_gaps(comparison)] if config.seeds > 1 else []),
            definitions(meanings),
        ],
    )


def _dots(comparison: Comparison) -> Html:
    scores = comparison.scores(comparison.main)
    everything = [value for found in scores.values() for value in found.values()]
    low, high = min(everything, default=0.0), max(everything, default=1.0)
    logarithmic = low > 0 and high / low > WIDE
    data: list[Spec] = []
    for model, found in scores.items():
        colour = line_of(model, comparison)["color"]
        of = comparison.interval(model, comparison.main)
        assert of is not None
        shown = [*comparison.metrics[comparison.main].show(list(found.values()))]
        common = {"type": "scatter", "showlegend": False}
        baseline = model in comparison.baselines
        if not baseline:
            hover = [f"seed {seed}: {text}" for seed, text in zip(found, shown, strict=True)]
            data.append(
                {**common, "x": values(list(found.values())), "y": [plain(model)] * len(found), "mode": "markers"}
                | {"marker": {"size": 8, "color": colour, "opacity": 0.55}, "text": hover, "hovertemplate": "%{text}"}
            )
        below = min(of.half, of.mean - low / 2) if logarithmic else of.half
        error = {"type": "data", "symmetric": False, "array": [of.half], "arrayminus": [below], "color": colour}
        mean = comparison.metrics[comparison.main].show([of.mean])[0]
        data.append(
            {**common, "x": values([of.mean]), "y": [plain(model)], "mode": "markers"}
            | {"marker": {"symbol": "line-ns-open" if baseline else "diamond", "size": 13, "color": colour}}
            | ({"error_x": error} if math.isfinite(of.half) and of.half > 0 else {})
            | {"hovertemplate": f"{plain(model)}: mean {plain(mean)}<extra></extra>"}
        )
    axis: Spec = {"title": {"text": comparison.main + (", logarithmic" if logarithmic else "")}}
    if logarithmic:
        axis |= {"type": "log", "exponentformat": "power", "dtick": 1}
    elif comparison.metrics[comparison.main].show([0.5])[0].endswith("%"):
        axis |= {"tickformat": ".0%"}
    order = [plain(model) for model in reversed(scores)]
    layout = {"xaxis": axis, "yaxis": {"categoryorder": "array", "categoryarray": order}}
    return figure(
        {"data": data, "layout": layout},
        alt="Dots for every network's score, a diamond for each mean; the numbers are in the table below.",
        caption="Whiskers are 95 % confidence intervals of the mean over the seeds, by Student's t distribution"
        + ("; cut short on the left, where a logarithmic axis has no room." if logarithmic else "."),
        height=110 + 46 * len(scores),
    )


def _table(comparison: Comparison) -> Html:
    rows, heads, best = [], ["Model"], []
    shown = [name for name in comparison.metrics if comparison.scores(name)]
    for k, name in enumerate(shown):
        heads += [f"{comparison.metrics[name].title or name}, mean"]
        heads += ["Median", "Best to worst"] if k == 0 else []
    lags = any(o.reached is not None for c in comparison.contenders for o in c.outcomes)
    heads += ["Lag reached"] * lags + ["Seconds", "Processor"]
    by_name = {contender.name: contender for contender in comparison.contenders}
    for model in comparison.scores(comparison.main):
        row: list[object] = [named(model, {model: line_of(model, comparison)})]
        for k, name in enumerate(shown):
            row += _cells(comparison, model, name, whole=k == 0)
        of = by_name.get(model)
        if lags:
            reached = sorted({o.reached for o in of.outcomes if o.reached is not None}) if of else []
            row.append("–" if not reached else f"{reached[0]:,}" + (f" to {reached[-1]:,}" if len(reached) > 1 else ""))
        for what in ("seconds", "processor_seconds"):
            row.append(f"{statistics.median(getattr(o, what) for o in of.outcomes):,.0f}" if of else "–")
        rows.append(row)
        best.append({1} if model == comparison.best else set())
    counts = sorted({len(found) for found in comparison.scores(comparison.main).values()})
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    caption = f"Means over n = {n} seeds ± half the 95 % confidence interval; median seconds of a "
    caption += "training here, and of the processor; ★ is best"
    return table(heads, rows, caption=caption, best=best)


def _cells(comparison: Comparison, model: str, metric: str, *, whole: bool) -> list[object]:
    of = comparison.interval(model, metric)
    if of is None:
        return ["–"] * (3 if whole else 1)
    show = comparison.metrics[metric].show
    found = list(comparison.scores(metric)[model].values())
    wide = math.isfinite(of.half) and model not in comparison.baselines
    mean, half = show([of.mean, of.half if wide else 0.0])
    cells: list[object] = [f"{mean} ± {half}" if wide else mean]
    if whole:
        ends = sorted(found, reverse=comparison.metrics[metric].aim == HIGHEST)
        first, last = show([ends[0], ends[-1]])
        cells += [show([statistics.median(found)])[0], f"{first} to {last}" if first != last else first]
    return cells


def _gaps(comparison: Comparison) -> Html:
    best, metric = comparison.best, comparison.metrics[comparison.main]
    rows = []
    for model in comparison.scores(comparison.main):
        gap = comparison.lead(best, model) if best and model != best else None
        if gap is None:
            continue
        mean, low, high = metric.show([gap.mean, gap.low, gap.high])
        rows.append([model, mean, f"{low} to {high}", "shown" if gap.clear else "could be chance"])
    return table(
        [f"{best} ahead of", "By", "95 % interval", "Difference"],
        rows,
        caption=f"By how much {best} is better in {comparison.main}, paired by seed. Each interval stands for itself: "
        "with several of them one may miss by chance.",
    )


def curves_section(comparison: Comparison) -> Section:
    """Validation loss over the steps, the median of each cell and the range of its seeds."""
    data: list[Spec] = []
    rows, seen = [], []
    for contender in comparison.contenders:
        steps, losses = curve(contender)
        if not len(steps):
            continue
        middle, low, high = np.median(losses, 0), losses.min(0), losses.max(0)
        seen += [low[low > 0].min(initial=np.inf), np.nanmax(middle)]
        line = LINES[contender.name]
        group = {"type": "scatter", "mode": "lines", "legendgroup": contender.name}
        if len(losses) > 1:
            x, y = fan([int(s) for s in steps], values(low, 4), values(high, 4))
            data.append(
                {**group, "x": x, "y": y, "fill": "toself", "fillcolor": line["color"], "opacity": 0.16}
                | {"line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            )
        data.append(
            {**group, "x": [int(s) for s in steps], "y": values(middle, 4), "line": line, "name": contender.name}
            | {"hovertemplate": "%{y:.3~g} after %{x} steps<extra>%{fullData.name}</extra>"}
        )
        places = sorted({round(k * (len(steps) - 1) / 4) for k in range(5)})
        rows.append([contender.name, *(f"{number(float(middle[k]), 3)} ({int(steps[k]):,})" for k in places)])
    wide = bool(seen) and min(seen) > 0 and max(seen) / min(seen) > WIDE
    layout: Spec = {
        "xaxis": {"title": {"text": "optimiser steps"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "validation loss" + (", logarithmic" if wide else "")}},
    }
    if wide:
        layout["yaxis"] |= {"type": "log", "exponentformat": "power", "dtick": 1}
    width = max((len(row) for row in rows), default=1)
    heads = ["Cell", *("Loss (step)" for _ in range(width - 1))]
    numbers_ = table(heads, [[*row, *["–"] * (width - len(row))] for row in rows], caption="Median loss at five looks")
    return Section(
        "Learning curves",
        "How the loss on the validation split falls: the line is the median of the seeds, the band goes from the best "
        "to the worst of them.",
        [
            figure(
                {"data": data, "layout": layout},
                alt="Line chart of validation losses over the steps; the numbers are in the table below.",
                caption=f"The loss is {comparison.loss}. A curve ends where the first of its seeds stopped.",
                height=380,
            ),
            details("The losses in numbers", numbers_),
        ],
    )


def curve(contender: Contender) -> tuple[np.ndarray, np.ndarray]:
    """Steps (N,) and validation losses (seeds, N), the mean of a training's networks, as far as all of them went."""
    trainings = []
    for outcome in contender.outcomes:
        looks = [{c.step: c.validation for c in checks if c.validation is not None} for checks in outcome.checks]
        if looks:
            common = sorted(set.intersection(*map(set, looks)))
            trainings.append({step: float(np.mean([one[step] for one in looks])) for step in common})
    if not trainings:
        return np.zeros(0), np.zeros((0, 0))
    steps = sorted(set.intersection(*map(set, trainings)))
    return np.array(steps), np.array([[training[step] for step in steps] for training in trainings])


def _fairness(comparison: Comparison, fair: Sequence[tuple[str, str]]) -> Section:
    rows = []
    for contender in comparison.contenders:
        e = contender.entrant
        rate = "as set" if e.learning_rate is None else f"{e.learning_rate:g}"
        steps = sorted({checks[-1].step for o in contender.outcomes for checks in o.checks if checks})
        went = "–" if not steps else f"{steps[0]:,}" + (f" to {steps[-1]:,}" if len(steps) > 1 else "")
        rows.append([contender.name, f"{e.hidden_size:,}", f"{e.weights:,}", rate, went, contender.diverged])
    heads = ["Cell", "Hidden units", "Weights", "Learning rate", "Steps taken", "Diverged"]
    body = [table(heads, rows, caption="What competed"), definitions(fair)]
    tried = [(c, rate, loss) for c in comparison.contenders for rate, loss in c.tried.items()]
    if tried:
        said = [[f"{c.name}, {rate:g}", "diverged" if loss is None else number(loss)] for c, rate, loss in tried]
        body.append(
            table(["Cell and learning rate", "Validation loss"], said, caption="Learning rates that were tried")
        )
    return Section(
        "What was done to be fair", "All cells had the same, apart from what makes them what they are.", body
    )


def batch_of(recipe: Recipe) -> str:
    """How many sequences a step has."""
    more = f", up to {recipe.wide} times as many at short lags" if recipe.wide > 1 else ""
    return f"{recipe.batch_size} sequences each{more}"


def _tuning(config: CompareConfig) -> str:
    if not config.learning_rates:
        return "; nothing was tuned for any cell in this comparison"
    rates = listed([f"{rate:g}" for rate in config.learning_rates])
    return f"; for each cell {rates} were tried with the first seed, and the one that validated best was taken"


def options_of(config: CompareConfig) -> list[str]:
    """The settings that are not as they are by default, as options of the command."""
    words = []
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in ("task", "lags") and value != field.default:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{field.name.replace('_', '-')}", text]
    return words


def _settings(command: str, config: CompareConfig) -> Section:
    return settings_section("What repeats this comparison.", {"Command": command}, {"Settings": config.to_dict()})


def line_of(model: str, comparison: Comparison) -> Spec:
    """How a model is drawn."""
    if model in LINES:
        return LINES[model]
    return {**BASELINE, "color": ("var(--truth)", "var(--soft)")[list(comparison.baselines).index(model) % 2]}
