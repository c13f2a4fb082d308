"""Success against the lag in a picture and a table."""

from __future__ import annotations

import shlex
import statistics
from typing import TYPE_CHECKING

from longshort.report import Html, Section, Spec, definitions, figure, named, page, settings_section, table, values
from longshort.report.figures import fan
from longshort.study.comparison.lags import SUCCESS
from longshort.study.dependencies import DEPENDENCIES
from longshort.study.report.compare import LINES, batch_of, options_of
from longshort.wording import listed, percent

if TYPE_CHECKING:
    from longshort.study.comparison import LagComparison


def render(found: LagComparison) -> str:
    """A whole HTML document that opens offline."""
    config = found.config
    task = DEPENDENCIES[config.task]
    words = ["longshort", "compare", "lags", config.task, *map(str, config.lags), *options_of(config), "-o", "RUN"]
    size = "weights" if config.same == "weights" else "hidden units"
    return page(
        title=f"{config.task}: success against the lag, by longshort",
        kind=f"Study · compare · {config.task} at growing lags",
        headline=found.verdict,
        lead=[
            f"The task: {task.meaning}. The longer the lag, the longer something must be remembered. "
            "Whoever cannot stays at chance.",
            f"{listed(found.cells)}, with the same number of {size}, {config.seeds} "
            f"seed{'s' * (config.seeds > 1)} each, trained anew at every lag with the same steps and the same "
            "curriculum. Every score is on new sequences, which each network saw once, at the end.",
        ],
        sections=[
            _success(found),
            _scores(found),
            _training(found),
            settings_section(
                "What repeats this comparison.", {"Command": shlex.join(words)}, {"Settings": config.to_dict()}
            ),
        ],
    )


def _success(found: LagComparison) -> Section:
    lags = list(found.config.lags)
    data: list[Spec] = []
    for cell in found.cells:
        of, group = found.success(cell), {"type": "scatter", "legendgroup": cell}
        if found.config.seeds > 1:
            x, y = fan(lags, values([min(v) for v in of], 4), values([max(v) for v in of], 4))
            data.append(
                {**group, "mode": "lines", "x": x, "y": y, "fill": "toself", "fillcolor": LINES[cell]["color"]}
                | {"opacity": 0.14, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            )
        data.append(
            {**group, "mode": "lines+markers", "x": lags, "y": values([statistics.median(v) for v in of], 4)}
            | {"name": cell, "line": LINES[cell], "marker": {"size": 8}}
            | {"hovertemplate": "%{y:.1%} at a lag of %{x:,}<extra>%{fullData.name}</extra>"}
        )
    ends = [lags[0] / 1.15, lags[-1] * 1.15]
    for level, name, dash in ((0.0, "chance", "solid"), (SUCCESS, "what counts as success", "dot")):
        data.append(
            {"type": "scatter", "mode": "lines", "x": ends, "y": [level, level], "name": name, "hoverinfo": "skip"}
            | {"line": {"color": "var(--soft)", "width": 1.2, "dash": dash}}
        )
    layout = {
        "xaxis": {"type": "log", "title": {"text": "lag, steps, logarithmic"}, "tickvals": lags}
        | {"ticktext": [f"{lag:,}" for lag in lags]},
        "yaxis": {"title": {"text": "success"}, "range": [-0.06, 1.06], "tickformat": ".0%"},
    }
    rows: list[list[object]] = []
    for cell in found.cells:
        cells = [_range(v) for v in found.success(cell)]
        furthest = found.furthest(cell)
        rows.append([named(cell, LINES), *cells, "none" if furthest is None else f"{furthest:,}"])
    return Section(
        "Success against the lag",
        "Success is the share of the way from chance, 0 %, to perfection, 100 %. Where a curve falls to chance, the "
        "cell no longer remembers.",
        [
            figure(
                {"data": data, "layout": layout},
                alt="Line chart of success against the lag for every cell; the numbers are in the table below.",
                caption="The line is the median of the seeds, the band goes from the worst to the best of them.",
                height=440,
            ),
            table(
                ["Cell", *(f"Lag {lag:,}" for lag in lags), "Succeeds up to"],
                rows,
                caption=f"Success: median of n = {found.config.seeds} (worst to best). A cell succeeds at a lag where "
                f"the median is at least {percent(SUCCESS)}, and up to the last lag before one where it is not",
            ),
        ],
    )


def _range(successes: list[float]) -> str:
    median, low, high = (percent(v) for v in (statistics.median(successes), min(successes), max(successes)))
    return median if low == high else f"{median} ({low} to {high})"


def _scores(found: LagComparison) -> Section:
    task = DEPENDENCIES[found.config.task]
    rows = []
    for lag, comparison in zip(found.config.lags, found.comparisons, strict=True):
        metric = comparison.metrics[task.metric]
        middle = [comparison.median(cell, task.metric) for cell in found.cells]
        rows.append([f"{lag:,}", *metric.show([*middle, task.chance(lag)[1]])])
    of = found.comparisons[0].metrics[task.metric]
    return Section(
        "Scores",
        f"The same in the task's own metric: {task.metric}. {of.meaning}",
        [table(["Lag", *found.cells, "Chance"], rows, caption="Median over the seeds")],
    )


def _training(found: LagComparison) -> Section:
    from longshort.study.comparison.run import task_contest

    rows: list[list[object]] = []
    for lag, comparison in zip(found.config.lags, found.comparisons, strict=True):
        for contender in comparison.contenders:
            e, outcomes = contender.entrant, contender.outcomes
            reached = sorted({o.reached for o in outcomes if o.reached is not None})
            said = "–" if not reached else f"{reached[0]:,}" + (f" to {reached[-1]:,}" if len(reached) > 1 else "")
            seconds = statistics.median(o.seconds for o in outcomes)
            start = task_contest(found.config, lag).recipe.start(e.cell, lag)
            row = [f"{contender.name}, lag {lag:,}", e.hidden_size, f"{e.weights:,}", str(start), said]
            rows.append([*row, f"{seconds:,.0f}", contender.diverged])
    recipe = task_contest(found.config, found.config.lags[-1]).recipe
    body: list[Html] = [
        table(
            ["Cell and lag", "Hidden units", "Weights", "Begins with", "Lag reached", "Seconds", "Diverged"],
            rows,
            caption="What was trained; the lag reached is the longest that the curriculum came to; seconds of one "
            "training, here, the median",
        ),
        definitions(
            [
                ("Steps", f"{recipe.steps:,} of AdamW for every network, {batch_of(recipe)}"),
                ("Learning rate", f"{recipe.learning_rate:g}, with a cosine to 0, the same for all"),
                ("Clipping", "gradients of all cells to norm 1"),
                *task_contest(found.config, found.config.lags[-1]).progression,
            ]
        ),
    ]
    return Section(
        "What was done to be fair", "All cells had the same, apart from what makes them what they are.", body
    )
