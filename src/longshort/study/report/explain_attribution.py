"""Which input mattered, and whether it is so, in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from longshort.report import (
    DIVERGING,
    OURS,
    RIVALS,
    TRUTH,
    Html,
    Section,
    Spec,
    definitions,
    figure,
    join,
    marked,
    plain,
    table,
    values,
    visible,
)
from longshort.wording import number, percent

if TYPE_CHECKING:
    from longshort.explainable import Explainable
    from longshort.study.attribution import Attribution

# Channels that are drawn: those with the largest attributions.
CHANNELS = 12
# Of long sequences only the part is shown that begins so many steps before the first with such a share of the largest.
AROUND = 150
WEIGHTY = 0.01
# Those with a smaller share of all are left out.
LEAST = 0.002


def attribution_section(found: Attribution, subject: Explainable) -> Section:
    """Attributions by step and channel, and the check by deletion."""
    what = f"the log-odds of {found.outcome!r}" if subject.probabilities else "the mean of the answers"
    body: list[Html] = []
    if not subject.channels:
        body.append(_text(found, subject))
    body.append(_by_step(found, subject, what))
    if len(_named(found, subject)) > 1:
        body.append(_by_channel(found, subject))
    body += [_deletion(found, subject, what), _check(found, subject, what)]
    see = f"What each {subject.step} adds to {what}, compared with a sequence that says nothing in particular."
    return Section("Which input mattered", see, body)


def _text(found: Attribution, subject: Explainable) -> Html:
    largest = max(float(np.abs(found.steps).max()), 1e-12)
    first = _first(found)
    tokens = running(subject.labels)[first:]
    hints = [number(float(value), 2) for value in found.steps[first:]]
    shades = [float(value) / largest for value in found.steps[first:]]
    if first:
        tokens, hints, shades = ["… ", *tokens], ["", *hints], [0.0, *shades]
    return marked(tokens, shades, hints, label="Text in the colours of its attributions")


def _first(found: Attribution) -> int:
    """The step from which a long sequence is shown: well before the first that has any weight."""
    size = np.abs(found.steps)
    weighty = np.flatnonzero(size >= WEIGHTY * size.max())
    return max(0, int(weighty[0]) - AROUND) if len(size) > 2 * AROUND and size.max() > 0 else 0


def running(labels: Sequence[str]) -> list[str]:
    """Labels of tokens as they stand in a text: signs for spaces and line ends become those, words are spaced."""
    spaced = all(len(label) <= 1 for label in labels) or any("␣" in label for label in labels)
    return ["\n" if label == "↵" else label.replace("␣", " ") + ("" if spaced else " ") for label in labels]


def _by_step(found: Attribution, subject: Explainable, what: str) -> Html:
    bar: Spec = {
        "type": "bar",
        "x": list(range(1, len(found.steps) + 1)),
        "y": values(found.steps, 4),
        "text": [plain(visible(label)) for label in subject.labels],
        "textposition": "none",
        "marker": {
            "color": ["var(--rival-1)" if value >= 0 else "var(--ours)" for value in found.steps],
            "line": {"width": 0},
        },
        "hovertemplate": f"{plain(subject.step)} %{{x}}, %{{text}}: %{{y:.3g}}<extra></extra>",
    }
    return figure(
        {
            "data": [bar],
            "layout": {
                "xaxis": {
                    "title": {"text": plain(subject.step)},
                    "range": [_first(found) + 0.4, len(found.steps) + 0.6],
                },
                "yaxis": {"title": {"text": "attribution"}},
                "bargap": 0.05 if len(found.steps) - _first(found) < 200 else 0,
            },
        },
        alt=f"Bar chart of the attribution of each of {len(found.steps)} {subject.step}s.",
        caption=f"Integrated gradients of {what} (Sundararajan, Taly and Yan 2017). Above 0 the {subject.step} speaks "
        "for it, below 0 against it."
        + (f" The {_first(found):,} {subject.step}s before these have next to no weight." if _first(found) else ""),
        height=280,
    )


def _named(found: Attribution, subject: Explainable) -> list[int]:
    """Channels that have names and a part in the answer, those with most of it first."""
    if not subject.channels:
        return []
    size = np.abs(found.values).sum(0)
    ranked = np.argsort(-size, kind="stable")
    return [int(k) for k in ranked if size[k] >= LEAST * size.sum() > 0][:CHANNELS]


def _by_channel(found: Attribution, subject: Explainable) -> Html:
    shown = _named(found, subject)
    reach = max(float(np.abs(found.values[:, shown]).max()), 1e-12)
    total = np.abs(found.values).sum()
    names = [f"{plain(subject.channels[k])} {percent(float(np.abs(found.values[:, k]).sum() / total))}" for k in shown]
    more = f" Shown are {len(shown)} of {len(subject.channels)} channels." if len(shown) < len(subject.channels) else ""
    return figure(
        {
            "data": [
                {
                    "type": "heatmap",
                    "x": list(range(1, len(found.values) + 1)),
                    "y": names,
                    "z": [values(found.values[:, k], 3) for k in shown],
                    "zmin": -reach,
                    "zmax": reach,
                    "colorscale": DIVERGING,
                    "reversescale": True,
                    "colorbar": {"thickness": 9, "outlinewidth": 0, "tickfont": {"size": 10}},
                    "hovertemplate": f"{plain(subject.step)} %{{x}}, %{{y}}: %{{z:.3g}}<extra></extra>",
                }
            ],
            "layout": {"xaxis": {"title": {"text": plain(subject.step)}}, "yaxis": {"autorange": "reversed"}},
        },
        alt="Heat map of the attribution of each step and channel.",
        caption="The same by channel, with the share of the sizes of all attributions that each has." + more,
        height=120 + 26 * len(shown),
    )


def _deletion(found: Attribution, subject: Explainable, what: str) -> Html:
    deletion = found.deletion
    low, high = deletion.chance.min(0), deletion.chance.max(0)
    share = deletion.share.tolist()
    data: list[Spec] = [
        {
            "type": "scatter", "mode": "lines", "x": [*share, *reversed(share)],
            "y": [*values(high, 5), *reversed(values(low, 5))], "fill": "toself", "fillcolor": "var(--shade)",
            "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip",
        },
        _curve("most for it first", deletion.share, deletion.most, {"color": RIVALS[0]["color"], "width": 2.5}),
        _curve("by chance", deletion.share, deletion.chance.mean(0), {**TRUTH, "dash": "dot"}),
        _curve("most against it first", deletion.share, deletion.least, {**OURS, "dash": "dash"}),
    ]  # fmt: skip
    return figure(
        {
            "data": data,
            "layout": {
                "xaxis": {"title": {"text": f"share of the {plain(subject.step)}s deleted"}, "tickformat": ".0%"},
                "yaxis": {"title": {"text": plain(what)}},
            },
        },
        alt=f"Line chart of {what} while steps are deleted in three orders; areas are in the table below.",
        caption=f"The check: {subject.step}s are deleted, that is, made the average one, and the answer is watched. If "
        "the attributions are right, deleting what speaks most for the answer lowers it sooner than deleting by chance "
        f"(the band: {len(deletion.chance)} orders), and deleting what speaks against it keeps it up longer.",
        height=380,
    )


def _curve(name: str, x: np.ndarray, y: np.ndarray, line: Spec) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": values(x, 5),
        "y": values(y, 5),
        "line": line,
        "hovertemplate": "%{x:.0%} deleted: %{y:.3g}<extra>%{fullData.name}</extra>",
    }


def _check(found: Attribution, subject: Explainable, what: str) -> Html:
    deletion = found.deletion
    areas = deletion.areas
    rows = [
        ["most for it first", number(areas["most"])],
        ["by chance", number(areas["chance"])],
        ["most against it first", number(areas["least"])],
    ]
    difference = found.answer - found.baseline
    said = (
        "It holds: the first area is the smallest and the last the largest."
        if deletion.holds
        else "It does not hold here: the areas are not in the order that right attributions would give."
    )
    return join(
        table(["Deleted", "Area under the curve"], rows, caption=f"Mean of {what} over the share deleted"),
        definitions(
            [
                ("Deletion", said),
                (
                    "Completeness",
                    f"All attributions add up to {number(float(found.values.sum()))}; the answer's "
                    f"{number(found.answer)} less the baseline's {number(found.baseline)} is {number(difference)}. "
                    f"What is missing is "
                    f"{percent(found.gap, 2)} of the attributions' size, with {found.points} points on the way.",
                ),
                (
                    "Baseline",
                    f"The mean of all {subject.step}s of all the sequences, at every {subject.step}. Another baseline "
                    "would give other attributions.",
                ),
            ]
        ),
    )
