"""How far back a network looks, and how long its units keep something, in pictures."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from longshort.report import OURS, RIVALS, Html, Section, Spec, definitions, figure, plain, table, values
from longshort.study.horizon import SHARE, Horizon
from longshort.wording import number, percent

if TYPE_CHECKING:
    from longshort.study.explanation import Explanation

# Longer sequences have their steps on a logarithmic axis.
LONG = 60
BINS = 30


def horizon_section(found: Explanation) -> Section:
    """The answer by the number of last steps that are kept, and the gradient by lag."""
    subject, whole = found.subject, found.horizon
    step = subject.step
    return Section(
        "How far back it looks",
        f"The fewer of the last {step}s it is left with, the more its answer moves; where the curve comes down to the "
        "line, what lies further back is no longer used.",
        [
            figure(
                _chart(found),
                alt=f"Line chart of how far the answer moves by the number of last {step}s kept; the horizon is "
                f"{whole.steps} of {whole.length}.",
                caption=f"Everything before the last k {step}s is replaced by what stands there in another sequence of "
                f"the same kind, for each of {len(subject.inputs)} sequences. How far the answer moves is "
                + ("the Hellinger distance of the probabilities" if subject.probabilities else "the root mean square")
                + ", as a share of what it is when all is replaced. The gradient is that of "
                + ("the likeliest answer's log-probability" if subject.probabilities else "the mean of the answers")
                + f" by the {step} that lies k back, 1 where it is largest: it says where a small change would matter.",
                height=420,
            ),
            _table(found),
            definitions(
                [
                    (
                        "Horizon",
                        f"The smallest number of last {step}s from which on the answer moves by no more than "
                        f"{percent(SHARE)} of what it moves by when all is replaced. The interval holds 90 % of what "
                        "sequences drawn anew from these give.",
                    ),
                    (
                        "By itself",
                        "The same for the hidden state in which a layer ends, with the layer's own input replaced: "
                        "what its recurrence carries, without what lies around it. A layer that reads backwards ends "
                        "at the first step.",
                    ),
                ]
            ),
        ],
    )


def _chart(found: Explanation) -> Spec:
    whole, subject = found.horizon, found.subject
    first = 1 if whole.length > LONG else 0
    kept, share = whole.kept[first:], whole.relative[first:]
    lags = np.arange(1, whole.length + 1)
    thin = np.unique(np.geomspace(1, whole.length, 400).round().astype(int)) - 1
    data: list[Spec] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": "how far the answer moves",
            "x": kept.tolist(), "y": values(share, 4), "line": OURS, "marker": {"size": 4},
            "hovertemplate": f"last %{{x}} {subject.step}s kept: moves by %{{y:.1%}}<extra></extra>",
        },
        {
            "type": "scatter", "mode": "lines", "name": "gradient", "x": lags[thin].tolist(),
            "y": values(found.gradient[thin], 3), "line": RIVALS[0],
            "hovertemplate": f"%{{x}} {subject.step}s back: gradient %{{y:.2g}}<extra></extra>",
        },
    ]  # fmt: skip
    axis: Spec = {"title": {"text": f"last {plain(subject.step)}s kept, k"}}
    if whole.length > LONG:
        axis |= {"type": "log", "dtick": "D2" if whole.length < 400 else 1}
    mark = np.log10(max(whole.steps, 1)) if whole.length > LONG else whole.steps
    lines: list[Spec] = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": SHARE, "y1": SHARE},
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": whole.steps, "x1": whole.steps},
    ]
    look = {"line": {"color": "var(--soft)", "width": 1, "dash": "dot"}}
    return {
        "data": data,
        "layout": {
            "xaxis": axis,
            "yaxis": {"title": {"text": "share"}, "rangemode": "tozero"},
            "shapes": [line | look for line in lines],
            "annotations": [
                {"x": mark, "y": 1, "yref": "paper", "yanchor": "top", "showarrow": False, "font": {"size": 12},
                 "xanchor": "left" if whole.steps**2 < whole.length else "right", "text": f"horizon {whole.steps:,}"},
            ],
            "margin": {"t": 30},
        },
    }  # fmt: skip


def _table(found: Explanation) -> Html:
    stride = found.subject.stride
    rows = [["the whole network", *_reach(found.horizon, 1)]]
    rows += [[f"{name} by itself", *_reach(alone, stride)] for name, alone in found.alone.items()]
    return table(
        ["", "Horizon", "90 % interval", "of"], rows, caption=f"The horizon in {found.subject.step}s of the input"
    )


def _reach(found: Horizon, stride: int) -> list[str]:
    steps, low, high, length = (f"{stride * n:,}" for n in (found.steps, found.low, found.high, found.length))
    return [steps + (" or more" if found.whole else ""), f"{low} to {high}", length]


def timescale_section(found: Explanation) -> Section:
    """The timescales of all units."""
    subject = found.subject
    gated = [layer for layer in found.layers if layer.timescales is not None]
    keeper = "update gate z" if gated[0].cell == "gru" else "forget gate f"
    variants, rows = {}, []
    for layer in gated:
        assert layer.timescales is not None
        variants[layer.name] = _distribution(layer.timescales, subject.step)
        told = np.quantile(layer.timescales, [0, 0.1, 0.5, 0.9, 1])
        rows.append([layer.name, *(number(float(value), 3) for value in told)])
    return Section(
        "How long its units keep something",
        f"Left alone, a unit keeps 37 % of what it stored after one timescale; these are read from the {keeper}.",
        [
            figure(
                variants,
                alt="Histogram of the timescales of the units on a logarithmic axis; the table below has quantiles.",
                caption=f"The timescale of a unit is −1 / mean(ln {keeper[-1]}) in {subject.step}s, the mean taken "
                "over the steps of the first sequences: over n steps the product of the gates is e to the power of "
                "−n / timescale. It says what a unit could keep; the horizon above says what the network uses.",
                height=300,
                choose="Layer",
            ),
            table(
                ["", "Shortest", "A tenth below", "Half below", "Nine tenths below", "Longest"],
                rows,
                caption=f"Timescales in {subject.step}s",
            ),
        ],
    )


def _distribution(timescales: np.ndarray, step: str) -> Spec:
    logs = np.log10(timescales)
    low, high = float(logs.min()), float(logs.max())
    if high - low < 1e-6:
        low, high = low - 0.05, high + 0.05
    counts, edges = np.histogram(logs, bins=min(BINS, max(5, len(logs) // 4)), range=(low, high))
    ends = 10**edges
    hints = [f"{a:.3g} to {b:.3g}" for a, b in pairwise(ends)]
    bar: Spec = {
        "type": "bar",
        "x": values((edges[1:] + edges[:-1]) / 2, 5),
        "y": counts.tolist(),
        "width": float(edges[1] - edges[0]) * 0.94,
        "text": hints,
        "textposition": "none",
        "marker": {"color": "var(--ours)"},
        "hovertemplate": f"timescale %{{text}} {plain(step)}s: %{{y}} units<extra></extra>",
    }
    ticks = _ticks(low, high)
    return {
        "data": [bar],
        "layout": {
            "xaxis": {
                "title": {"text": f"timescale, {plain(step)}s"},
                "tickvals": values(np.log10(ticks), 6),
                "ticktext": [f"{tick:g}" for tick in ticks],
            },
            "yaxis": {"title": {"text": "units"}},
        },
    }


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis."""
    inside: list[float] = []
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        found = [m * 10.0**e for e in range(int(np.floor(low)) - 1, int(np.ceil(high)) + 1) for m in steps]
        inside = [v for v in found if low <= np.log10(v) <= high]
        if len(inside) > 3:
            break
    return inside or [float(f"{10 ** ((low + high) / 2):.3g}")]
