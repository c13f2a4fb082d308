"""How well tunes are foretold, and how much like the corpus, and how new, are those that are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from longshort.data.midi import Notes
from longshort.scores import Metric, Overall, Scores
from longshort.tasks.compose.novelty import Copied, Passages, intervals
from longshort.tasks.compose.statistics import Counts
from longshort.wording import listed, number

HELD_OUT = "held-out tunes"
UNITS = {"tokens": "note", "rolls": "frame"}


def _whole(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:,.0f}" for v in found]


def _thousandths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:.3f}" for v in found]


@dataclass(frozen=True)
class ComposeScores(Scores):
    """Scores of the network, a Markov chain, and of the held-out tunes themselves.

    Attributes:
        kind: of music, "tokens" or "rolls".
        tunes: how many were held out.
        units: how many notes, or frames, they have.
        written: how many tunes each model wrote.
        inside: statistic -> how far the network's tunes are from the corpus, and how far 95 % of as many held-out
            tunes drawn at random are at most.
        copied: of every tune that the network wrote the longest copied passage: notes, where it begins, from which
            training tune.
    """

    metrics: ClassVar[Mapping[str, Metric]] = {
        "nats": Metric(
            "Mean negative log-likelihood of a note (of piano rolls: of a frame, its keys together), natural "
            "logarithm. Low is good.",
            show=_thousandths,
        ),
        "pitch classes": Metric(
            "How far the shares of the notes of the scale, counted from the key note, are from those of the tunes that "
            "were learnt from: the share of notes that would have to be others. Low is good.",
            show=_thousandths,
        ),
        "intervals": Metric(
            "The same for the steps of the melody, from each note to the next.",
            show=_thousandths,
        ),
        "density": Metric(
            "How far the notes of a quarter note are from those of the tunes that were learnt from. Low is good.",
            show=_thousandths,
        ),
        "copied": Metric(
            "The longest passage of a melody, in notes, that is also in a tune that was learnt from, in any key; the "
            "longest of all tunes. Low is new.",
            show=_whole,
        ),
        "copied, median": Metric("The same, of the tune in the middle.", show=_whole),
    }

    kind: str
    tunes: int
    units: int
    written: int
    inside: dict[str, list[float]]
    copied: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        more = ("kind", "tunes", "units", "written", "inside", "copied")
        return {**super().to_json(), **{name: value for name, value in asdict(self).items() if name in more}}


@dataclass(frozen=True)
class Corpus:
    """What written tunes are held against.

    Attributes:
        training: notes of the tunes that were learnt from.
        counts: their statistics.
        passages: of their melodies.
    """

    training: Sequence[Notes]
    counts: Counts
    passages: Passages

    @classmethod
    def of(cls, training: Sequence[Notes]) -> Corpus:
        """Count, and index."""
        return cls(training, Counts.of(training), Passages(intervals(notes) for notes in training))

    def measure(self, tunes: Sequence[Notes]) -> tuple[dict[str, float | None], list[Copied]]:
        """The statistics of some tunes, and of each the longest copied passage."""
        counts = Counts.of(tunes)
        copied = [self.passages.longest(intervals(notes)) for notes in tunes]
        lengths = [found.notes for found in copied] or [0]
        return {
            **counts.distance(self.counts),
            "copied": float(max(lengths)),
            "copied, median": float(np.median(lengths)),
        }, copied


def score(
    corpus: Corpus,
    held_out: Sequence[Notes],
    nats: Mapping[str, float],
    written: Mapping[str, Sequence[Notes]],
    *,
    kind: str,
    units: int,
) -> ComposeScores:
    """Scores.

    Args:
        corpus: what was learnt from.
        held_out: tunes that were not.
        nats: model -> negative log-likelihood of a unit of the held-out tunes, ours first.
        written: model -> tunes by it.
        kind: of music.
        units: how many units the held-out tunes have.
    """
    overall: Overall = {}
    ours = next(iter(nats))
    copied: list[Copied] = []
    for model, value in nats.items():
        row, found = corpus.measure(written[model])
        overall[model] = {"nats": value, **row}
        if model == ours:
            copied = found
    row, _ = corpus.measure(held_out)
    overall[HELD_OUT] = {"nats": None, **row}
    inside = _limits(corpus, held_out, Counts.of(written[ours]), len(written[ours]))
    verdict = _verdict(overall, kind, units, inside)
    passages = [[int(value) for value in found] for found in copied]
    return ComposeScores(overall, verdict, kind, len(held_out), units, len(written[ours]), inside, passages)


# How often as many held-out tunes as were written are drawn, and which share of the draws is usual.
DRAWS, USUAL = 200, 0.95


def _limits(corpus: Corpus, held_out: Sequence[Notes], ours: Counts, count: int) -> dict[str, list[float]]:
    """Of every statistic its distance from the corpus, and how far as many held-out tunes usually are from it."""
    rng = np.random.default_rng(0)
    drawn = [
        Counts.of([held_out[k] for k in rng.integers(0, len(held_out), count)]) for _ in range(DRAWS if held_out else 0)
    ]

    mine, usual = ours.distance(corpus.counts), [counts.distance(corpus.counts) for counts in drawn]
    return {name: [mine[name], float(np.quantile([d[name] for d in usual], USUAL))] for name in mine if usual}


def _verdict(overall: Overall, kind: str, units: int, inside: Mapping[str, Sequence[float]]) -> str:
    ours, rival = list(overall)[:2]
    mine, other = overall[ours]["nats"] or 0.0, overall[rival]["nats"] or 0.0
    unit = UNITS[kind]
    basis = f"over {units:,} held-out {unit}s"
    if mine < other:
        better = f"{100 * (1 - mine / other):.0f} % below" if other > 0 else "below"
        text = f"{ours} foretells the music better than counts: {number(mine)} nats a {unit}, {better} the "
        text += f"{rival.replace('Markov', 'best Markov')} with {number(other)} ({basis})."
    else:
        text = f"{rival} wins: {number(other)} nats a {unit}, {ours} {number(mine)} ({basis})."
    longest, natural = overall[ours]["copied"] or 0, overall[HELD_OUT]["copied"] or 0
    text += f" Its own tunes copy at most {longest:,.0f} notes in a row; held-out tunes share up to {natural:,.0f}."
    far = [name for name, (distance, limit) in inside.items() if distance > limit]
    if inside:
        text += (
            f" In {listed(far)} they are further from the corpus than held-out tunes are."
            if far
            else " In pitch classes, intervals and density they are as near to the corpus as held-out tunes are."
        )
    return text
