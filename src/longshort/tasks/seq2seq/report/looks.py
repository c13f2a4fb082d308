"""Where the network looked while it wrote each token: attention as a picture."""

from __future__ import annotations

from longshort.report import SEQUENTIAL, Section, Spec, figure, plain, values
from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.report.told import TOKENS, Told

LABEL = 70


def looks_section(told: Told) -> Section:
    """A heat map of some answers, the best first."""
    variants, most = {}, 1
    for number, (k, alignment) in enumerate(told.alignments, 1):
        answer = told.ours[k] if len(told.ours[k]) <= LABEL else told.ours[k][: LABEL - 1] + "…"
        variants[f"{number}. ({told.quality[k]:.0f} of 100) {answer}"] = _map(alignment)
        most = max(most, min(len(alignment.answer), TOKENS[1]))
    height = 190 + 20 * most
    see = (
        "Each row is a token that the model wrote, each column one that it read; the darker, the more it looked there "
        "when it wrote. Where words have the same order, a diagonal is to be seen."
    )
    picture = figure(
        variants,
        alt="Heat map of the attention: tokens that were written by tokens that were read.",
        caption="Choose an answer; the number is its quality. Inner pieces of a word begin with a dot; ⟨end⟩ is the "
        f"end of the answer. At most {TOKENS[0]} tokens read and {TOKENS[1]} written are drawn.",
        height=height,
        choose="Answer",
    )
    return Section("Where it looks", see, [picture])


def _map(alignment: Alignment) -> Spec:
    read, written = alignment.source[: TOKENS[0]], alignment.answer[: TOKENS[1]]
    weights = alignment.weights[: len(written), : len(read)]
    hover = [
        [f"{plain(w)} looks at {plain(r)}: {weights[t, s]:.0%}" for s, r in enumerate(read)]
        for t, w in enumerate(written)
    ]
    return {
        "data": [
            {
                "type": "heatmap",
                "z": [values(row, 3) for row in weights],
                "zmin": 0,
                "zmax": 1,
                "colorscale": SEQUENTIAL,
                "text": hover,
                "hovertemplate": "%{text}<extra></extra>",
                "colorbar": {"thickness": 9, "outlinewidth": 0, "tickformat": ".0%"},
                "xgap": 1,
                "ygap": 1,
            }
        ],
        "layout": {
            "xaxis": {**_ticks(read), "side": "top", "tickangle": -55},
            "yaxis": {**_ticks(written), "autorange": "reversed"},
            "margin": {"t": 110, "l": 110},
        },
    }


def _ticks(tokens: list[str]) -> Spec:
    return {
        "tickvals": list(range(len(tokens))),
        "ticktext": [plain(token) for token in tokens],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
