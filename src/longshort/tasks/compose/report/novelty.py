"""How new the tunes are: the longest passage of each that was copied, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, TRUTH, Section, figure, table, values
from longshort.tasks.compose.evaluation import HELD_OUT, ComposeScores, Corpus

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer

LISTED = 8


def novelty_section(model: Composer, scores: ComposeScores) -> Section:
    """Longest copied passages of the network's tunes beside those of held-out ones."""
    fitted, encoding = model.fitted, model.fitted.encoding
    names = fitted.parts["training"].names
    corpus = Corpus.of([encoding.notes(piece) for piece in fitted.parts["training"].pieces])
    _, held = corpus.measure([encoding.notes(piece) for piece in fitted.parts["test"].pieces])
    own = [notes for notes, _, _ in scores.copied]
    traces = [
        {"type": "box", "name": name, "x": values(lengths), "boxpoints": "all", "jitter": 0.4, "marker": marker}
        | {"hovertemplate": "%{x} notes<extra></extra>"}
        for name, lengths, marker in (
            (HELD_OUT, [found.notes for found in held], {"color": TRUTH["color"]}),
            (f"tunes by {model.name}", own, {"color": OURS["color"]}),
        )
    ]
    picture = figure(
        {"data": traces, "layout": {"showlegend": False, "xaxis": {"title": {"text": "notes of the longest copy"}}}},
        alt="For every tune the length of the longest passage that is also in a tune that was learnt from",
        caption="A point is a tune. Rhythm and key do not count: only the intervals of the melody do.",
        height=240,
    )
    order = sorted(range(len(own)), key=lambda k: -own[k])[:LISTED]
    rows = [
        [f"Tune {k + 1}", f"{notes:,}", f"{begin + 1:,}", names[tune] if tune >= 0 else "–"]
        for k in order
        for notes, begin, tune in [scores.copied[k]]
    ]
    listed = table(["Written", "Notes copied", "From note", "Out of"], rows, caption="The longest copies")
    see = (
        "The longest passage that each melody shares with a tune that was learnt from, in any key. Folk tunes share "
        "turns of phrase; a network that copies shares whole tunes."
    )
    return Section("How new it is", see, [picture, listed])
