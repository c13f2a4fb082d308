"""Scores of answers: those of all three tasks hold how they were computed and the quality by length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from longshort.scores import HIGHEST, Metric, Overall, Scores
from longshort.wording import number

T = TypeVar("T")

# Bins of the source's length, with about as many examples each.
BINS = 5


def tenths(values: Sequence[float | None]) -> list[str]:
    """A column of scores from 0 to 100."""
    return ["–" if v is None else f"{v:.1f}" for v in values]


def thousandths(values: Sequence[float | None]) -> list[str]:
    """A column of shares."""
    return ["–" if v is None else f"{v:.3f}" for v in values]


def hundredths(values: Sequence[float | None]) -> list[str]:
    """A column of perplexities."""
    return ["–" if v is None else f"{v:,.2f}" for v in values]


PERPLEXITY = Metric(
    "Exponential of the mean negative log-likelihood of a token of the right answer: among how many equally likely "
    "tokens the model hesitates. Low is good; only for models that give probabilities.",
    show=hundredths,
)
BLEU = Metric(
    "Corpus BLEU of sacrebleu: geometric mean of the precisions of 1 to 4 words in a row, times a penalty on brevity, "
    "0 to 100. High is good.",
    aim=HIGHEST,
    show=tenths,
)


@dataclass(frozen=True)
class Seq2SeqScores(Scores):
    """Scores of several models over the same examples.

    Attributes:
        examples: how many there are.
        signatures: of a metric, how it was computed.
        by_length: bins of the number of words read: {"least", "most", "examples", model -> main metric}.
    """

    examples: int = 0
    signatures: dict[str, str] = field(default_factory=dict)
    by_length: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return {
            **super().to_json(),
            "examples": self.examples,
            "signatures": self.signatures,
            "by_length": self.by_length,
        }


def by_length(
    sources: Sequence[str], models: Mapping[str, Sequence[T]], measure: Callable[[Sequence[T], list[int]], float]
) -> list[dict[str, Any]]:
    """A metric in bins of the number of words read.

    Args:
        sources: what is read.
        models: of each model its answers, or what the metric is taken of.
        measure: the metric of a model's answers at some places.
    """
    words = np.array([len(source.split()) for source in sources])
    edges = np.unique(np.quantile(words, np.linspace(0, 1, BINS + 1)).round().astype(int))
    rows = []
    for k, least in enumerate(edges[:-1] if len(edges) > 1 else edges):
        last = k >= len(edges) - 2
        most = int(edges[-1]) if last else int(edges[k + 1]) - 1
        places = np.flatnonzero((words >= least) & (words <= most)).tolist()
        if places:
            found = {model: measure(answers, places) for model, answers in models.items()}
            rows.append({"least": int(least), "most": most, "examples": len(places), **found})
    return rows


def verdict(overall: Overall, metric: str, what: str) -> str:
    """Who has the highest value of a metric."""
    ours, *rivals = overall
    value = {model: overall[model][metric] or 0.0 for model in overall}
    if not rivals:
        return f"{ours} has {metric} {number(value[ours], 3)} {what}."
    best = max(rivals, key=lambda model: value[model])
    mine, its = (number(value[model], 3) for model in (ours, best))
    if value[ours] > value[best]:
        return f"{ours} writes better than every baseline: {metric} {mine}, next {best} {its} ({what})."
    if value[ours] == value[best]:
        return f"{ours} and {best} are equal: {metric} {mine} ({what})."
    return f"{best} wins: {metric} {its}, {ours} {mine} ({what})."
