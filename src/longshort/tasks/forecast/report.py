"""The report of a forecaster: one page that says how good it is, shows it, and shows what goes on inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.artifact import versions
from longshort.data import Series
from longshort.errors import InputError
from longshort.report import (
    OURS,
    RIVALS,
    SEQUENTIAL,
    TRUTH,
    Html,
    Metric,
    Outlook,
    Section,
    Spec,
    calibration,
    comparison,
    details,
    el,
    fan_chart,
    figure,
    gate_maps,
    listed,
    memory,
    named,
    numbers,
    page,
    percent,
    plain,
    settings_section,
    table,
    times,
    training_section,
    values,
    winners,
)
from longshort.tasks.forecast.config import LONGEST_PATTERN
from longshort.tasks.forecast.evaluation import Scores, quantile_column
from longshort.tasks.forecast.network import Batch, ForecastNetwork

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Central intervals that are drawn where they are learnt, in percent.
LEVELS = (50, 80, 90)
SHOWN_SERIES = 12
# Steps of held-out windows drawn of one series.
SHOWN_STEPS = 1000
# A baseline whose error is so many times ours is not drawn until it is asked for, so that the others can be told apart.
FAR_OFF = 5
# Rows of the tables of single series.
LISTED = 10
LINES = {"Naive": RIVALS[0], "SeasonalNaive": RIVALS[1], "AutoETS": RIVALS[2]}


def _shares(found: Sequence[float | None]) -> list[str]:
    return [percent(v, 1) for v in found]


def _thousandths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:.3f}" for v in found]


def _percentages(found: Sequence[float | None]) -> list[str]:
    return [text if text == "–" else f"{text}%" for text in numbers(found, 3)]


METRICS = {
    "MASE": Metric(
        "Mean absolute error over that of the seasonal-naive forecast inside the training data, mean over the series: "
        "below 1 is better than repeating the last season was. Low is good.",
        show=_thousandths,
    ),
    "sMAPE": Metric(
        "Mean of the error over the mean size of forecast and value; not to be trusted near zero. Low is good.",
        show=_percentages,
    ),
    "MAE": Metric("Mean absolute error, in the units of the data. Low is good."),
    "RMSE": Metric("Root of the mean squared error, in the units of the data: large misses count more. Low is good."),
    "CRPS": Metric(
        "Error of all quantiles together over the mean size of the values (weighted quantile loss): judges the whole "
        "fan, not its middle alone. Low is good."
    ),
    "coverage 80%": Metric(
        "Share of the values inside the 80% interval. Near 80% is good, above it is as wrong as below.", 0.8, _shares
    ),
}


def render(forecaster: Forecaster) -> str:
    """The report of a fitted forecaster: a whole HTML document that opens offline.

    Sections about held-out windows are left out where none were held out; those that need the forecasts of these
    windows also in a forecaster that was loaded, which no longer has them.
    """
    fitted, config = forecaster.fitted, forecaster.config
    subject = listed(fitted.panel.columns.targets) or "series"
    steps = f"{config.horizon} step{'s' if config.horizon > 1 else ''}"
    headline = f"{fitted.model.name} forecasts {subject} {steps} ahead; nothing was held out to test it on."
    more = ""
    if fitted.scores:
        headline, _, more = fitted.scores.verdict.partition(". ")
        headline += "." if more else ""
    sections = [_forecast(forecaster)]
    if fitted.scores:
        sections.append(_comparison(forecaster, fitted.scores))
    if fitted.forecasts is not None and len(fitted.forecasts.drop_nulls("y")):
        sections += [_by_step(forecaster, fitted.forecasts), _calibration(forecaster, fitted.forecasts)]
    if any(fitted.checks):
        kept = (
            "so long the networks are trained, on the validation steps too"
            if config.refit
            else "those weights are kept"
        )
        loss = "the quantile loss over the in-sample error of the seasonal-naive forecast"
        sections.append(training_section(fitted.checks, loss, kept))
    shown = _Window.of(forecaster)
    sections += [_inside(forecaster, shown), _answer(forecaster, shown), _settings(forecaster)]
    data = f"Data: {'; '.join(fitted.panel.notes)}." if fitted.panel.notes else ""
    return page(
        title=f"{subject}: forecast by longshort",
        kind=f"Forecast · {subject} · {steps} ahead",
        headline=headline,
        lead=[text for text in (more, data) if text],
        sections=sections,
    )


def _lines(forecaster: Forecaster) -> dict[str, Spec]:
    """How each model is drawn, in every picture, ours first."""
    ours, scores = forecaster.fitted.model.name, forecaster.fitted.scores
    rivals = [m for m in scores.overall if m != ours] if scores else []
    return {ours: OURS, **{m: LINES.get(m, RIVALS[-1]) for m in rivals}}


def _unit(forecaster: Forecaster, series: Series) -> str:
    """Title of an axis with values of a series."""
    targets = forecaster.fitted.panel.columns.targets
    return plain(targets[0] if len(targets) == 1 else series.id)


def _times(forecaster: Forecaster, series: Series, steps: IntArray) -> list[Any]:
    """Times of steps of a series, for a figure."""
    return list(times(forecaster.fitted.panel.frequency.times(series.start + steps)))


# -- the forecast ------------------------------------------------------------------------------------------------------


def _forecast(forecaster: Forecaster) -> Section:
    fitted = forecaster.fitted
    chosen, rule = choose_series(forecaster)
    levels = [level for level in LEVELS if _learnt(forecaster.config.quantiles, level)]
    problem = ""
    future: dict[str, pl.DataFrame] = {}
    try:
        asked = forecaster.predict(replace(fitted.panel, series=list(chosen.values())), levels=levels)
        future = {str(key): part for (key,), part in asked.group_by("unique_id", maintain_order=True)}
    except InputError as error:
        problem = f"There is no forecast of the future here: {error}."
    variants = {label: _chart(forecaster, s, levels, future.get(s.id)) for label, s in chosen.items()}
    hint = "Click a name in the legend to show or hide it, drag to zoom, double-click to zoom out."
    notes = [text for text in (_windows_note(forecaster), rule, problem, hint) if text]
    body = [
        figure(
            variants,
            alt="Line chart of the series, the forecasts of held-out windows, and the forecast of the future.",
            caption=" ".join(notes),
            height=460,
            choose="Series",
        )
    ]
    first = next(iter(chosen.values()))
    if first.id in future:
        body.append(_future_table(first, future[first.id], levels, alone=len(fitted.panel) == 1))
    return Section("The forecast", _forecast_sentence(forecaster, levels), body)


def choose_series(forecaster: Forecaster) -> tuple[dict[str, Series], str]:
    """The series that the report shows, by the label they are shown under, and the rule in words."""
    panel, scores, name = forecaster.fitted.panel, forecaster.fitted.scores, forecaster.fitted.model.name
    by_id = {s.id: s for s in panel}
    ranked: list[tuple[str, float]] = []
    if scores:
        mase = scores.per_series.filter(pl.col("metric") == "MASE").drop_nulls(name).sort(name, maintain_order=True)
        ranked = [(i, m) for i, m in mase.select("unique_id", name).iter_rows() if i in by_id]
    if len(panel) <= SHOWN_SERIES or not ranked:
        known = dict(ranked)
        some = [panel.series[k] for k in _spread(len(panel))]
        labels = [f"{s.id} (MASE {known[s.id]:.2f})" if s.id in known else s.id for s in some]
        rule = f"Shown are {len(some)} of {len(panel)} series, at even distances." if len(some) < len(panel) else ""
        return dict(zip(labels, some, strict=True)), rule
    last = len(ranked) - 1
    places = {last // 2: "typical", 0: "best", last: "worst"}
    for k in _spread(len(ranked)):
        if len(places) < SHOWN_SERIES:
            places.setdefault(k, f"rank {k + 1}")
    shown = {f"{ranked[k][0]} – {what} (MASE {ranked[k][1]:.2f})": by_id[ranked[k][0]] for k, what in places.items()}
    rule = (
        f"Shown are {len(shown)} of {len(panel)} series, chosen by the MASE of {name} alone: the typical one (the "
        "median), the best, the worst, and others at even distances in the ranking."
    )
    return shown, rule


def _spread(count: int) -> list[int]:
    """At most `SHOWN_SERIES` places at even distances, the first and the last among them."""
    return [int(k) for k in np.unique(np.linspace(0, count - 1, min(count, SHOWN_SERIES)).round())]


def _learnt(quantiles: Sequence[float], level: int) -> bool:
    return quantiles[0] - 1e-9 <= 0.5 - level / 200 and 0.5 + level / 200 <= quantiles[-1] + 1e-9


def _chart(forecaster: Forecaster, series: Series, levels: Sequence[int], future: pl.DataFrame | None) -> Spec:
    """The picture of one series."""
    model, horizon = forecaster.fitted.model, forecaster.config.horizon
    own = _windows(forecaster, series)
    # Fans that follow each other closely would overlap if they opened from the last value.
    windows = [_tested(forecaster, series, cutoff, window, levels, opens=len(own) == 1) for cutoff, window in own]
    ahead = None
    if future is not None:
        ahead = Outlook(
            times=_times(forecaster, series, len(series) + np.arange(horizon)),
            median=future["forecast"].to_numpy(),
            bounds={k: (future[f"lo-{k}"].to_numpy(), future[f"hi-{k}"].to_numpy()) for k in levels},
            start=_last_value(forecaster, series, len(series)),
        )
    season = max((s for s in model.plan.seasons if s <= LONGEST_PATTERN), default=0)
    before = max(3 * horizon, 3 * season, min(model.plan.lookback, 400), 120)
    begin = max((own[0][0] if own else len(series)) - before, 0)
    end = len(series) + (horizon if ahead else 0) - 1
    shown = max(5 * horizon, 2 * season, 90)
    view = None
    if end - begin > 1.7 * shown:
        first, last = _times(forecaster, series, np.array([end - shown, end]))
        view = (first, last)
    return fan_chart(
        model.name,
        (_times(forecaster, series, np.arange(begin, len(series))), series.y[begin:]),
        windows,
        ahead,
        lines=_lines(forecaster),
        title=_unit(forecaster, series),
        key=series.id,
        view=view,
    )


def _tested(
    forecaster: Forecaster, series: Series, cutoff: int, window: pl.DataFrame, levels: Sequence[int], *, opens: bool
) -> Outlook:
    """What all models said about one held-out window."""
    ours, *rivals = _lines(forecaster)
    quantiles = forecaster.config.quantiles
    answer = window.select(quantile_column(ours, q) for q in quantiles).to_numpy()

    def at(level: float) -> FloatArray:  # interpolated as `predict` does
        return np.array([np.interp(level, quantiles, row) for row in answer], dtype=np.float64)

    return Outlook(
        times=_times(forecaster, series, cutoff + window["step"].to_numpy()),
        median=window[ours].to_numpy(),
        bounds={level: (at(0.5 - level / 200), at(0.5 + level / 200)) for level in levels},
        start=_last_value(forecaster, series, cutoff) if opens or len(window) == 1 else None,
        rivals={m: window[m].to_numpy() for m in rivals},
    )


def _windows(forecaster: Forecaster, series: Series) -> list[tuple[int, pl.DataFrame]]:
    """Held-out windows of one series that do not overlap, the last ones, each with its cutoff."""
    forecasts, horizon = forecaster.fitted.forecasts, forecaster.config.horizon
    if forecasts is None:
        return []
    own = forecasts.filter(pl.col("unique_id") == series.id).sort("cutoff", "step")
    kept: list[int] = []
    for cutoff in sorted(own["cutoff"].unique().to_list(), reverse=True):
        if (not kept or cutoff <= kept[-1] - horizon) and len(kept) < max(SHOWN_STEPS // horizon, 1):
            kept.append(cutoff)
    return [(cutoff, own.filter(pl.col("cutoff") == cutoff)) for cutoff in reversed(kept)]


def _last_value(forecaster: Forecaster, series: Series, cutoff: int) -> tuple[Any, float] | None:
    """Time and value of the step before a window, where it was observed."""
    if cutoff < 1 or not np.isfinite(series.y[cutoff - 1]):
        return None
    return _times(forecaster, series, np.array([cutoff - 1]))[0], float(series.y[cutoff - 1])


def _forecast_sentence(forecaster: Forecaster, levels: Sequence[int]) -> str:
    fitted = forecaster.fitted
    bands = f" with intervals of {listed([f'{level}%' for level in levels])}" if levels else ""
    if fitted.forecasts is None:
        return f"The thick line is the median forecast{bands}; the thin one is the history that it starts from."
    covered = fitted.scores.overall[fitted.model.name].get("coverage 80%") if fitted.scores else None
    held = "" if covered is None else f" The 80% interval holds {percent(covered)} of the held-out values."
    return (
        f"The thin line is what happened, the thick one the median forecast{bands}, made without seeing the "
        f"held-out steps: the closer the two and the narrower the bands, the better.{held}"
    )


def _windows_note(forecaster: Forecaster) -> str:
    test = forecaster.fitted.model.plan.test
    if forecaster.fitted.forecasts is None or test is None or test.windows == 1:
        return ""
    drawn = "each forecast from the step before it"
    if test.step_size < test.horizon or test.windows * test.horizon > max(SHOWN_STEPS, test.horizon):
        drawn += "; of those that overlap, and of very many, only some are drawn"
    return f"There are {test.windows} held-out windows a series, {drawn}."


def _future_table(series: Series, future: pl.DataFrame, levels: Sequence[int], *, alone: bool) -> Html:
    columns = ["forecast", *(f"{side}-{level}" for level in levels for side in ("lo", "hi"))]
    texts = numbers([v for name in columns for v in future[name]])
    height = len(future)
    cells = [texts[k * height : (k + 1) * height] for k in range(len(columns))]
    heads = ["Forecast", *(f"{level}% {side}" for level in levels for side in ("from", "to"))]
    rows = [list(row) for row in zip(times(future["ds"].to_numpy()), *cells, strict=True)]
    of = "" if alone else f" of {series.id}"
    return details(f"The forecast{of} in numbers", table(["Time", *heads], rows, caption=f"Forecast of the future{of}"))


# -- the scores --------------------------------------------------------------------------------------------------------


def _comparison(forecaster: Forecaster, scores: Scores) -> Section:
    lines = _lines(forecaster)
    ours = next(iter(lines))
    caption = f"Over {scores.windows:,} held-out window{'s' if scores.windows > 1 else ''}"
    winning = winners(scores.overall, METRICS)
    won = [metric for metric in METRICS if ours in winning[metric]]
    shared = ", in some together with others" if any(len(winning[metric]) > 1 for metric in won) else ""
    see = f"{ours} is the best in {listed(won) if won else 'none of the columns'}{shared}."
    if len(scores.overall) == 1:
        see = f"How far {ours} was off on steps that it had not seen."
    return Section(
        "Against the baselines", see, [comparison(scores.overall, METRICS, lines, caption), *_by_series(scores, lines)]
    )


def _by_series(scores: Scores, lines: Mapping[str, Spec]) -> list[Html]:
    """Who wins on single series: wins by model, and the series where ours gains and loses most."""
    models = list(scores.overall)
    mase = scores.per_series.filter(pl.col("metric") == "MASE").drop_nulls(models)
    if len(mase) < 2 or len(models) < 2:
        return []
    ours, rivals = models[0], models[1:]
    mase = mase.with_columns(lead=pl.min_horizontal(rivals) - pl.col(ours)).sort("lead", descending=True)
    best = pl.min_horizontal(models)
    wins = [[named(m, lines), f"{len(mase.filter(pl.col(m) == best)):,}"] for m in models]

    def shown(part: pl.DataFrame, caption: str) -> Html:
        found = part.select(models).rows()
        rows = [[i, *(f"{v:.3f}" for v in row)] for i, row in zip(part["unique_id"], found, strict=True)]
        marks = [{k for k, v in enumerate(row, start=1) if v == min(row)} for row in found]
        return table(["Series", *models], rows, caption=caption, best=marks)

    result = [
        el("h3", "Series by series"),
        table(["Model", "Series won"], wins, caption=f"Lowest MASE, over {len(mase):,} series; a tie counts for each"),
    ]
    if len(mase) <= 2 * LISTED:
        return [*result, shown(mase, f"MASE of each series, from where {ours} gains most to where it loses most")]
    return [
        *result,
        details(
            f"Where {ours} gains most", shown(mase.head(LISTED), f"MASE of the {LISTED} series that it leads most")
        ),
        details(
            f"Where {ours} loses most",
            shown(mase.tail(LISTED).reverse(), f"MASE of the {LISTED} series where it is furthest behind"),
        ),
    ]


def _by_step(forecaster: Forecaster, forecasts: pl.DataFrame) -> Section:
    lines = _lines(forecaster)
    models = list(lines)
    naive = dict(forecaster.fitted.model.naive_error)
    scale = pl.col("unique_id").replace_strict(naive, default=None, return_dtype=pl.Float64)
    errors = (
        forecasts.drop_nulls("y")
        .group_by(pl.col("step") + 1)
        .agg(*(((pl.col(m) - pl.col("y")).abs() / scale).mean().alias(m) for m in models), pl.len().alias("windows"))
        .sort("step")
    )
    ours = errors[models[0]]
    steps, counts = errors["step"].to_list(), errors["windows"].to_list()
    far = [m for m in models[1:] if (errors[m].max() or 0.0) > FAR_OFF * (ours.max() or 0.0)]  # type: ignore[operator]
    data = [
        {
            "type": "scatter",
            "visible": "legendonly" if m in far else True,
            "mode": "lines+markers" if len(steps) <= 30 else "lines",
            "x": steps,
            "y": values(errors[m].to_numpy(), 5),
            "name": m,
            "line": lines[m],
            "marker": {"size": 5},
            "hovertemplate": "%{y:.3f}",
        }
        for m in reversed(models)
    ]
    layout = {
        "hovermode": "x unified",
        "xaxis": {"title": {"text": "step of the horizon"}, **({"dtick": 1} if len(steps) <= 14 else {})},
        "yaxis": {"title": {"text": "error over naive error"}, "rangemode": "tozero"},
        "legend": {"traceorder": "reversed"},
    }
    first, last = numbers([ours[0], ours[-1]], 3)
    see = f"The error of {models[0]} is {first} at the first step and {last} at the last"
    if len(steps) == 1:
        see = f"There is one step to forecast: the error of {models[0]} is {first} there"
    if len(models) > 1:
        best = int((ours <= errors.select(pl.min_horizontal(models)).to_series()).sum())
        see += f"; it is the lowest of all models at {best} of {len(steps)} steps"
    few = ", so few that much of it is chance" if max(counts) < 8 else ""
    windows = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
    texts = [numbers(errors[m].to_list()) for m in models]
    rows = [[s, *row, f"{n:,}"] for s, n, *row in zip(steps, counts, *texts, strict=True)]
    return Section(
        "The error by step",
        f"{see}.",
        [
            figure(
                {"data": data, "layout": layout},
                alt="Line chart of the mean absolute error of every model by step of the horizon; see the table below.",
                caption="Mean absolute error over the in-sample error of the seasonal-naive forecast, as in MASE. "
                f"Windows behind every point: {windows}{few}."
                + (f" {listed(far)} is far off the picture: click its name to see it." if far else ""),
                height=340,
            ),
            details("The errors in numbers", table(["Step", *models, "Windows"], rows, caption="Error by step")),
        ],
    )


def _calibration(forecaster: Forecaster, forecasts: pl.DataFrame) -> Section:
    levels, lines = forecaster.config.quantiles, _lines(forecaster)
    seen = forecasts.drop_nulls("y")
    below = seen.select(
        (pl.col("y") <= pl.col(quantile_column(m, q))).mean().alias(quantile_column(m, q))
        for m in lines
        for q in levels
    ).row(0, named=True)
    observed = {m: [float(below[quantile_column(m, q)] or 0.0) for q in levels] for m in lines}
    name, ours = next(iter(observed.items()))
    worst = int(np.abs(np.array(ours) - np.array(levels)).argmax())
    see = (
        f"On the diagonal, forecasts are as sure as they may be; {name} is furthest from it at the "
        f"{percent(levels[worst])} quantile, below which {percent(ours[worst])} of the values lie."
    )
    return Section("Are the intervals honest?", see, [calibration(levels, observed, len(seen), lines)])


# -- inside ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Window:
    """The window that is looked into: the last one of the first series shown.

    Attributes:
        series: the series.
        origin: steps before the horizon.
        batch: what the networks see of it.
        location, scale: from standardised values to those of the data.
        words: which one it is.
    """

    series: Series
    origin: int
    batch: Batch
    location: float
    scale: float
    words: str

    @classmethod
    def of(cls, forecaster: Forecaster) -> _Window:
        fitted = forecaster.fitted
        series = next(iter(choose_series(forecaster)[0].values()))
        windows = _windows(forecaster, series)
        origin = windows[-1][0] if windows else len(series)
        store = fitted.model.store(replace(fitted.panel, series=[series]))
        batch, units = store.cut(np.array([0]), np.array([origin]))
        last = _times(forecaster, series, np.array([origin - 1]))[0]
        of = f" of {series.id}" if len(fitted.panel) > 1 else ""
        words = f"The window is that of the {fitted.model.dims.lookback} steps{of} up to {last}."
        return cls(series, origin, batch, float(units.location[0, 0]), float(units.scale[0, 0]), words)


def _inside(forecaster: Forecaster, window: _Window) -> Section:
    """The gates and states of the recurrent layer over one window."""
    import torch

    title, model, cell = "Inside the recurrent layer", forecaster.fitted.model, forecaster.config.cell
    network, dims, series = model.networks[0], model.dims, window.series
    if network.recurrent is None:
        return Section(title, "This model has no recurrent layer (cell “none”), so there are no gates to show.", [])
    with torch.no_grad():
        trace = network.recurrent.trace(network.patches(window.batch))
    states = {key: getattr(trace, key)[-1, 0, 0].double().numpy() for key in trace._fields}
    steps = window.origin + np.arange(-dims.lookback, 0)
    y = np.where(steps >= 0, series.y[np.maximum(steps, 0)], np.nan)
    above = {
        "type": "scatter",
        "mode": "lines+markers" if len(y) < 100 else "lines",
        "x": _times(forecaster, series, steps),
        "y": values(y),
        "line": TRUTH,
        "marker": {"size": 3},
        "hovertemplate": "%{x}: %{y}<extra></extra>",
    }
    count = dims.lookback // dims.patch
    edges = window.origin - dims.lookback + dims.patch * np.arange(count + 1)
    layers = f"layer {network.recurrent.num_layers} of {network.recurrent.num_layers}"
    which = layers if network.recurrent.num_layers > 1 else "the layer"
    member = f" of the first of {len(model.networks)} networks" if len(model.networks) > 1 else ""
    read = f"{count} patches of {dims.patch} steps" if dims.patch > 1 else f"{count} steps"
    maps = gate_maps(
        cell,
        states,
        _times(forecaster, series, edges),
        [above],
        above_title=f"{_unit(forecaster, series)}: what the layer reads",
        caption=f"{window.words} Shown is {which}{member}, which reads it in {read}.",
        step="patch" if dims.patch > 1 else "step",
    )
    return Section(title, memory(cell, states, dims.patch), [maps])


@dataclass(frozen=True)
class Parts:
    """How one network's median for one window is made up, in units of the window's scale.

    Attributes:
        weights: share of each lagged copy, (H, number of lags).
        copies, linear, context: the mixture of copies, the linear path, and what the recurrent layer and the static
            columns add, (H,) each; their sum is the median.
    """

    weights: FloatArray
    copies: FloatArray
    linear: FloatArray
    context: FloatArray


def answer_parts(network: ForecastNetwork, batch: Batch) -> Parts:
    """The parts of the answer for the first window of a batch, overheard while the network computes it."""
    import torch

    heard: dict[str, torch.Tensor] = {}
    heads = {"gate": network.gate, "linear": network.linear, "direct": network.direct}

    def listen(name: str) -> Any:
        return lambda _module, _inputs, output: heard.__setitem__(name, output)

    handles = [head.register_forward_hook(listen(name)) for name, head in heads.items() if head is not None]
    try:
        with torch.no_grad():
            network(batch)
    finally:
        for handle in handles:
            handle.remove()
    available = batch.lagged_observed[0] > 0
    weights = torch.softmax(heard["gate"][0].masked_fill(~available, -1e4), dim=-1) * available
    copies = (weights * batch.lagged[0]).sum(-1)
    linear = heard["linear"][0]
    context = heard["direct"][0] if "direct" in heard else torch.zeros_like(linear)
    return Parts(*(part.double().numpy() for part in (weights, copies, linear, context)))


def _answer(forecaster: Forecaster, window: _Window) -> Section:
    """The parts that the median of one window is the sum of, mean over the members."""
    model = forecaster.fitted.model
    parts = [answer_parts(network, window.batch) for network in model.networks]
    weights = np.mean([p.weights for p in parts], axis=0)
    added = [np.mean([getattr(p, name) for p in parts], axis=0) for name in ("copies", "linear", "context")]
    sums = window.location + window.scale * np.cumsum(added, axis=0)
    ahead = _times(forecaster, window.series, window.origin + np.arange(model.config.horizon))
    mean, lags = weights.mean(0), model.plan.lags
    strongest = [f"lag {lags[k]} ({percent(float(mean[k]))})" for k in np.argsort(-mean)[:3] if mean[k] >= 0.05]
    see = "No copy of the past is available in this window; the other parts make up the answer."
    if strongest:
        see = f"The copies of the past that count most are of {listed(strongest)}; the other parts correct their sum."
    sets = " The recurrent layer also sets the weights of the copies and the width of the intervals."
    return Section(
        "How the answer is made up",
        see,
        [
            figure(
                _sum_chart(forecaster, window, ahead, sums),
                alt="Line chart of the forecast, built up from copies of the past, linear path and recurrent layer.",
                caption=f"{window.words} Each line adds a part to the one before it; the last is the median forecast."
                + (sets if model.config.cell != "none" else ""),
                height=320,
            ),
            figure(
                _weight_map(ahead, lags, weights),
                alt="Heat map of the weight of every copy of the past at every step of the horizon.",
                caption="Weight of each copy of the past at each step of the horizon; a column adds up to 100%. The "
                "copy of lag k repeats the last k steps over and over: lag 1 is the last value, the season's lag the "
                "seasonal-naive forecast.",
                height=max(210, 90 + 17 * len(lags)),
            ),
        ],
    )


def _sum_chart(forecaster: Forecaster, window: _Window, ahead: list[Any], sums: FloatArray) -> Spec:
    series, cell = window.series, forecaster.config.cell
    last = f"+ {forecaster.fitted.model.name}" if cell != "none" else "+ static columns"
    drawn: list[tuple[str, FloatArray, Spec]] = [
        ("copies of the past", sums[0], {"color": "var(--soft)", "width": 1.5, "dash": "dot"}),
        ("+ linear path", sums[1], {"color": "var(--soft)", "width": 1.5, "dash": "dash"}),
        (f"{last} = the median", sums[2], OURS),
    ]
    came = series.y[window.origin : window.origin + len(ahead)]
    if np.isfinite(came).any():
        drawn.append(("what happened", came, TRUTH))
    mode = "lines+markers" if len(ahead) <= 30 else "lines"
    data = [
        {"type": "scatter", "mode": mode, "x": ahead[: len(y)], "y": values(y), "name": name, "line": line}
        | {"marker": {"size": 4}}
        for name, y, line in drawn
    ]
    return {"data": data, "layout": {"hovermode": "x unified", "yaxis": {"title": {"text": _unit(forecaster, series)}}}}


def _weight_map(ahead: list[Any], lags: Sequence[int], weights: FloatArray) -> Spec:
    grid = {
        "type": "heatmap",
        "x": ahead,
        "y": [str(lag) for lag in lags],
        "z": [values(row, 3) for row in weights.T],
        "zmin": 0,
        "zmax": max(float(f"{weights.max():.3g}"), 0.01),
        "colorscale": SEQUENTIAL,
        "colorbar": {"thickness": 9, "outlinewidth": 0, "tickformat": ".0%", "tickfont": {"size": 10}, "nticks": 4},
        "hovertemplate": "%{x}<br>lag %{y}: %{z:.1%}<extra></extra>",
    }
    yaxis = {"title": {"text": "lag in steps"}, "type": "category", "showgrid": False}
    return {"data": [grid], "layout": {"yaxis": yaxis, "xaxis": {"showgrid": False}}}


# -- settings ----------------------------------------------------------------------------------------------------------


def _settings(forecaster: Forecaster) -> Section:
    fitted, config = forecaster.fitted, forecaster.config
    default = type(config)(horizon=config.horizon)
    changed = {k: v for k, v in vars(config).items() if k != "horizon" and v != getattr(default, k)}
    targets = fitted.panel.columns.targets
    target = f", target={targets[0]!r}" if len(targets) == 1 else ""
    arguments = ", ".join(f"{k}={v!r}" for k, v in {"horizon": config.horizon, **changed}.items())
    code = (
        "from longshort import Forecaster\n\n"
        f"model = Forecaster({arguments})\n"
        f'model.fit("data.csv", run="runs/again"{target})'
    )
    weights = sum(p.numel() for p in fitted.model.networks[0].parameters())
    networks = len(fitted.model.networks)
    size = f"{networks} networks of {weights:,} weights each" if networks > 1 else f"a network of {weights:,} weights"
    see = f"What was read from the data: {fitted.model.plan.describe(config.horizon)}. It came to {size}."
    parts = {"Settings": config.to_dict(), "Plan": fitted.model.plan.to_dict(), "Versions": versions()}
    return settings_section(see, code, parts)
