"""What a trained network does, in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from longshort.report import Above, Layer, Section, explorer, page, visible
from longshort.study.report.explain_attribution import attribution_section
from longshort.study.report.explain_horizon import horizon_section, timescale_section
from longshort.wording import listed, number, percent

if TYPE_CHECKING:
    from longshort.explainable import Explainable
    from longshort.study.explanation import Explanation

# So many outcomes are named in the lead.
NAMED = 3


def render(found: Explanation) -> str:
    """A whole HTML document that opens offline."""
    sections = [horizon_section(found), gates_section(found)]
    if any(layer.timescales is not None for layer in found.layers):
        sections.append(timescale_section(found))
    if found.attribution is not None:
        sections.append(attribution_section(found.attribution, found.subject))
    return page(
        title=f"{found.title}, explained by longshort",
        kind=f"Explained · {found.title}",
        headline=found.verdict,
        lead=[found.subject.source, _answer(found)],
        sections=sections,
    )


def gates_section(found: Explanation) -> Section:
    """Gates and states over the first sequence."""
    subject = found.subject
    layers = [Layer(layer.name, layer.cell, layer.states, layer.timescales) for layer in found.layers]
    above = Above(
        labels=[visible(label) for label in subject.labels],
        step=subject.step,
        text=not subject.channels,
        curves=subject.drawn,
    )
    steps, units = layers[0].states["h"].shape
    each = f"a step of the layer is {subject.stride} {subject.step}s" if subject.stride > 1 else f"one {subject.step}"
    return Section(
        "Gates over the input",
        f"What the {units} units of a layer do while they read: every row of a map is one unit, every column {each}.",
        [
            explorer(
                layers,
                above,
                stride=subject.stride,
                caption=f"{steps:,} steps of the layer, rows from the top in the order that is chosen. Triangles at "
                "the edges mark the units that are compared below. Colours beyond the scale are those of its ends; in "
                "the lines and numbers nothing is cut off.",
            )
        ],
    )


def _unit(subject: Explainable) -> str:
    return f", in {subject.unit}" if subject.unit else ""


def _answer(found: Explanation) -> str:
    subject = found.subject
    if not subject.probabilities:
        return f"Asked {subject.question}, it answers {number(float(np.mean(found.said)))} on average{_unit(subject)}."
    best = np.argsort(-found.said, kind="stable")[:NAMED]
    named = [f"{subject.outcomes[k]!r} {percent(float(np.exp(found.said[k])), 1)}" for k in best]
    return f"Asked {subject.question}, it answers {listed(named)}."
