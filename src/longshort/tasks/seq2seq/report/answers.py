"""The best and the worst answers beside what was right."""

from __future__ import annotations

import numpy as np

from longshort.report import Html, Section, definitions, el, visible
from longshort.tasks.seq2seq.report.told import Told

SHOWN = 4
# Of a long source so much is shown.
CHARACTERS = 700


def answers_section(told: Told, measure: str) -> Section:
    """Some of the best, of the middle and of the worst answers, different ones."""
    order = np.argsort(-told.quality, kind="stable").tolist()
    middle = len(order) // 2
    groups = {
        "Best": _different(told, order),
        "In the middle": _different(told, order[middle - SHOWN : middle + SHOWN]),
        "Worst": _different(told, order[::-1]),
    }
    body: list[Html] = []
    for title, places in groups.items():
        body += [el("h3", title), *(_example(told, k) for k in places)]
    perfect = float((told.quality > 99.99).mean())
    see = (
        f"Answers in the order of their {measure}, beside what was right and what the best baseline says. "
        f"The median is {np.median(told.quality):.0f} of 100; {perfect:.0%} are as in the reference."
    )
    return Section("Best and worst", see, body)


def _different(told: Told, places: list[int]) -> list[int]:
    """The first that do not say the same."""
    said: dict[str, int] = {}
    for k in places:
        said.setdefault(told.ours[k], k)
    return list(said.values())[:SHOWN]


def _example(told: Told, k: int) -> Html:
    source = told.model.shown(told.examples.sources[k])
    if len(source) > CHARACTERS:
        source = f"… {source[-CHARACTERS:]}" if told.model.from_end else f"{source[:CHARACTERS]} …"
    rows: list[tuple[object, object]] = [("Read", _lines(source))]
    rows += [("Right", _lines(text)) for text in told.examples.references[k][:3]]
    models = list(told.answers.items())[:2]
    rows += [(model, _lines(found[k]) if found[k] else "(nothing)") for model, found in models]
    return el("div", el("p", f"{told.quality[k]:.0f} of 100", class_="note"), definitions(rows))


def _lines(text: str) -> Html:
    lines = visible(text).split("\n")
    parts: list[object] = [lines[0]]
    for line in lines[1:]:
        parts += [el("br"), line]
    return el("span", *parts)
