"""How well speech is written down: word and character error rate, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from longshort.scores import HIGHEST, Metric, Overall, Scores
from longshort.wording import percent


def _percents(found: Sequence[float | None]) -> list[str]:
    return [percent(v, 1) for v in found]


@dataclass(frozen=True)
class TranscribeScores(Scores):
    """Scores of several models over the same recordings.

    Attributes:
        recordings: how many there are.
        words: that are said in them.
        substitutions, deletions, insertions: errors of our model, in words.
        rival: the baseline with the lowest word error rate.
    """

    metrics: ClassVar[Mapping[str, Metric]] = {
        "word error rate": Metric(
            "Words that have to be exchanged, left out or put in to make the right text of what was told, for every "
            "word of the right text. Can be above 100 %. Low is good.",
            show=_percents,
        ),
        "character error rate": Metric("The same in characters. Low is good.", show=_percents),
        "all right": Metric("Share of the recordings without any error. High is good.", aim=HIGHEST, show=_percents),
    }

    recordings: int
    words: int
    substitutions: int
    deletions: int
    insertions: int
    rival: str

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        names = ("recordings", "words", "substitutions", "deletions", "insertions", "rival")
        return {**super().to_json(), **{name: getattr(self, name) for name in names}}


def score(found: Mapping[str, Sequence[str]], texts: Sequence[str]) -> TranscribeScores:
    """Scores from the texts of every model.

    Args:
        found: model -> a text for each recording, ours first.
        texts: the right ones, none of them empty.
    """
    import jiwer

    overall: Overall = {}
    errors: dict[str, Any] = {}
    for model, told in found.items():
        errors[model] = jiwer.process_words(list(texts), list(told))
        overall[model] = {
            "word error rate": float(errors[model].wer),
            "character error rate": float(jiwer.process_characters(list(texts), list(told)).cer),
            "all right": sum(a == b for a, b in zip(texts, told, strict=True)) / len(texts),
        }
    ours, *rivals = found
    rival = min(rivals, key=lambda model: overall[model]["word error rate"] or 0.0)
    return TranscribeScores(
        overall=overall,
        verdict=_verdict(overall, ours, rival, len(texts)),
        recordings=len(texts),
        words=sum(len(text.split()) for text in texts),
        substitutions=errors[ours].substitutions,
        deletions=errors[ours].deletions,
        insertions=errors[ours].insertions,
        rival=rival,
    )


def _verdict(overall: Overall, ours: str, rival: str, count: int) -> str:
    mine, its = (overall[model]["word error rate"] or 0.0 for model in (ours, rival))
    basis = f"over {count:,} held-out recordings" if count != 1 else "over 1 held-out recording"
    if mine == its:
        return f"{ours} and {rival} have the same word error rate {basis}: {percent(mine, 1)}."
    if mine < its:
        return (
            f"{ours} has a word error rate of {percent(mine, 1)} {basis}, the best baseline, {rival}, of "
            f"{percent(its, 1)}."
        )
    return f"{rival} wins: its word error rate is {percent(its, 1)} {basis}, that of {ours} {percent(mine, 1)}."
