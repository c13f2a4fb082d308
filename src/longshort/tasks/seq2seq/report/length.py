"""How good the answers are by the length of what is read."""

from __future__ import annotations

from longshort.report import OURS, RIVALS, Section, Spec, details, figure, plain, table
from longshort.tasks.seq2seq.evaluation import Seq2SeqScores, tenths


def length_section(scores: Seq2SeqScores, metric: str) -> Section:
    """A line for each model over the bins of the source's length, of which there are two or more, and the numbers."""
    bins, models = scores.by_length, list(scores.overall)
    names = [f"{row['least']}–{row['most']}" if row["least"] != row["most"] else f"{row['least']}" for row in bins]
    data: list[Spec] = []
    for k, model in enumerate(models):
        line = OURS if k == 0 else RIVALS[(k - 1) % len(RIVALS)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": names,
                "y": [round(row[model], 2) for row in bins],
                "name": plain(model),
                "line": line,
                "hovertemplate": f"%{{x}} words: %{{y:.1f}}<extra>{plain(model)}</extra>",
            }
        )
    layout = {
        "xaxis": {"title": {"text": "words that are read"}, "type": "category"},
        "yaxis": {"title": {"text": metric}, "rangemode": "tozero"},
    }
    picture = figure(
        {"data": data, "layout": layout},
        alt=f"Line chart of {metric} by the number of words that are read; the numbers are in the table below.",
        caption="Each bin holds about as many examples as the others.",
        height=320,
    )
    rows = [
        [name, f"{row['examples']:,}", *tenths([row[model] for model in models])]
        for name, row in zip(names, bins, strict=True)
    ]
    numbers = table(["Words", "Examples", *models], rows, caption=f"{metric} by the number of words that are read")
    see = _see(scores, names, metric)
    return Section("By length", see, [picture, details("The same in numbers", numbers)])


def _see(scores: Seq2SeqScores, names: list[str], metric: str) -> str:
    ours, bins = next(iter(scores.overall)), scores.by_length
    first, last = bins[0][ours], bins[-1][ours]
    way = "worse" if last < first else "better"
    return (
        f"{metric} of {ours} is {first:.1f} for {names[0]} words and {last:.1f} for {names[-1]}: it becomes {way} "
        "with the length. Without attention long sources suffer most."
    )
