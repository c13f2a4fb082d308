"""Histograms: which notes of the scale, and which steps of the melody, beside those of the corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from longshort.report import OURS, RIVALS, TRUTH, Section, Spec, figure, table, values
from longshort.tasks.compose.evaluation import HELD_OUT
from longshort.tasks.compose.statistics import WIDEST, Counts

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer

DEGREES = ("key note", "♭2", "2", "♭3", "3", "4", "♯4", "5", "♭6", "6", "♭7", "7")


def counts_section(model: Composer) -> Section:
    """The network's tunes, the chain's and held-out ones beside those that were learnt from."""
    fitted, encoding = model.fitted, model.fitted.encoding
    assert fitted.scores
    groups = {"learnt from": fitted.parts["training"].pieces, HELD_OUT: fitted.parts["test"].pieces, **fitted.written}
    colours = {"learnt from": "var(--soft)", HELD_OUT: TRUTH["color"], model.name: OURS["color"]}
    counts = {name: Counts.of([encoding.notes(piece) for piece in pieces]) for name, pieces in groups.items()}
    steps = [*(f"−{k}" for k in range(WIDEST, 0, -1)), *map(str, range(WIDEST + 1))]
    pictures: dict[str, Spec] = {}
    for what, labels in (("pitch classes", DEGREES), ("intervals", steps)):
        bars = [
            {
                "type": "bar",
                "name": name,
                "x": list(labels),
                "y": values(100 * np.asarray(getattr(found, what.replace(" ", "_"))), 3),
                "marker": {"color": colours.get(name, RIVALS[0]["color"])},
                "hovertemplate": "%{y:.1f} %<extra>" + name + "</extra>",
            }
            for name, found in counts.items()
        ]
        axis = "semitones above the key note" if what == "pitch classes" else "semitones to the next note of the melody"
        pictures[what] = {
            "data": bars,
            "layout": {
                "barmode": "group",
                "xaxis": {"type": "category", "title": {"text": axis}},
                "yaxis": {"title": {"text": "share of the notes, %"}},
            },
        }
    rows = [
        [name.capitalize(), f"{distance:.3f}", f"{limit:.3f}", "yes" if distance <= limit else "no"]
        for name, (distance, limit) in fitted.scores.inside.items()
    ]
    limits = table(
        ["Statistic", "Distance from the corpus", "95 % of held-out draws are within", "As near as held-out tunes"],
        rows,
        caption=f"Tunes by {model.name}, beside as many held-out tunes drawn at random",
    )
    alt = "Bars for the tunes that were learnt from, those held out, and those that each model wrote"
    caption = "Shares of the notes; every tune is counted from its own key note."
    see = "Where the bars are alike, the network has the habits of the corpus; a table below says how near is near."
    return Section("Its habits", see, [figure(pictures, alt=alt, caption=caption, choose="Count"), limits])
