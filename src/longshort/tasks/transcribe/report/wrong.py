"""What was told wrong: which words are taken for which, and the worst recordings word by word."""

from __future__ import annotations

from collections import Counter

import numpy as np

from longshort.report import Html, Section, el, join, table, visible
from longshort.tasks.transcribe.evaluation import TranscribeScores
from longshort.tasks.transcribe.report.told import Told

# Recordings and exchanges that are shown.
SHOWN, EXCHANGES = 12, 15
NOTHING = "–"


def confusions_section(told: Told, scores: TranscribeScores) -> Section:
    """The words that are most often exchanged, left out or put in."""
    counts: Counter[tuple[str, str]] = Counter()
    for k in np.flatnonzero(told.errors):
        counts.update((a, b) for a, b in _pairs(told, int(k)) if a != b)
    title = "Which words are exchanged"
    if not counts:
        return Section(title, "None: every word of the held-out recordings was told right.", [])
    rows = [[visible(said), visible(heard), f"{n:,}"] for (said, heard), n in counts.most_common(EXCHANGES)]
    see = f"The most frequent of {len(counts):,} kinds of errors; {NOTHING} stands for no word at all."
    return Section(title, see, [table(["Said", "Told", "How often"], rows, caption="Words that are exchanged")])


def wrong_section(told: Told) -> Section:
    """The recordings with the most wrong words, aligned."""
    order = np.argsort(-told.errors, kind="stable")
    worst = [int(k) for k in order[:SHOWN] if told.errors[k]]
    title = "The worst recordings"
    if not worst:
        return Section(title, "There is none: all are told without an error.", [])
    see = "Word for word what was said and what was told, the recordings with the most errors first; errors are bold."
    return Section(title, see, [_aligned(told, k) for k in worst])


def _aligned(told: Told, k: int) -> Html:
    pairs = _pairs(told, k)
    cells = [
        [el("strong", visible(word)) if a != b else visible(word) for a, b, word in row]
        for row in ([(a, b, a) for a, b in pairs], [(a, b, b) for a, b in pairs])
    ]
    confidence = f"{100 * told.transcripts[k].confidence:.0f}\u00a0%"
    count = int(told.errors[k])
    caption = f"{told.utterances.names[k]}: {count} wrong {'word' if count == 1 else 'words'}, confidence {confidence}"
    heads = [join("Word"), *(str(n + 1) for n in range(len(pairs)))]
    return table(heads, [["Said", *cells[0]], ["Told", *cells[1]]], caption=visible(caption))


def _pairs(told: Told, k: int) -> list[tuple[str, str]]:
    """Words said and told side by side, `NOTHING` where one is missing."""
    said, heard = told.utterances.texts[k].split(), told.transcripts[k].text.split()
    pairs = []
    for chunk in told.aligned[k]:
        one, two = said[chunk.ref_start_idx : chunk.ref_end_idx], heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        long = max(len(one), len(two))
        pairs += list(zip(one + [NOTHING] * (long - len(one)), two + [NOTHING] * (long - len(two)), strict=True))
    return pairs
