"""A translator or a summarizer: an answer to each text, and where the network looked while it wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import APIRouter
from pydantic import Field

from longshort.serve.endpoints.body import Body, Text
from longshort.serve.house import House
from longshort.serve.limits import TEXTS
from longshort.serve.runs import Run

# Texts of a request for which the alignment is shown.
ALIGNED = 8


class TextsToAnswer(Body):
    """Texts to translate or to summarize."""

    texts: list[Text] = Field(min_length=1, max_length=TEXTS)
    beam: int | None = Field(
        default=None, ge=1, le=10, description="Hypotheses that are followed; the run's own if left out."
    )
    max_length: int | None = Field(default=None, ge=1, le=512, description="Tokens of an answer at most.")
    alignment: bool = Field(default=False, description=f"Whether to show attention, of the first {ALIGNED} texts.")


class Looks(Body):
    """Attention: S source tokens, T answer tokens, the end included."""

    source: list[str]
    answer: list[str]
    weights: list[list[float]] = Field(description="T rows of S weights; each row adds up to 1.")
    copied: list[float] = Field(description="Of each answer token the share of its probability from copying.")


class Answered(Body):
    """The answer to one text."""

    text: str
    score: float = Field(description="Log-probability over a power of the length; 0 of an empty text.")
    alignment: Looks | None = None


class Answers(Body):
    """An answer to each text, in their order."""

    answers: list[Answered]


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST predict."""
    together = house.together(run, "predict", seq2seq(run.model), size=lambda ask: len(ask[0]), capacity=4 * TEXTS)
    verb = "Translate" if run.task == "translate" else "Summarize"

    @router.post("/predict", summary=f"{verb} texts")
    async def predict(asked: TextsToAnswer) -> Answers:
        settings = {"beam": asked.beam, "max_length": asked.max_length}
        found = await together((asked.texts, {k: v for k, v in settings.items() if v is not None}))
        answers = [Answered(text=text, score=score) for text, score in found]
        if asked.alignment and run.model.config.attention != "none":
            for source, answer in zip(asked.texts[:ALIGNED], answers, strict=False):
                if source.strip():
                    answer.alignment = await house.engine.run(_looks, run.model, source, answer.text)
        return Answers(answers=answers)


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    kept = run.model.fitted.held_out
    return {
        "attention": run.model.config.attention != "none",
        "example": run.model.shown(kept.sources[0]) if len(kept) else None,
    }


def seq2seq(model: Any) -> Any:
    """From asks, sources and settings of the decoding, to answers with their scores: one search for equal settings."""

    def compute(asks: list[tuple[list[Any], Mapping[str, Any]]]) -> list[list[tuple[str, float]]]:
        found: list[list[tuple[str, float]]] = [[] for _ in asks]
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, (_, settings) in enumerate(asks):
            groups.setdefault(tuple(sorted(settings.items())), []).append(place)
        for same, places in groups.items():
            table = model.predict([source for place in places for source in asks[place][0]], **dict(same))
            rows = list(zip(table[model.columns[1]], table["score"], strict=True))
            ends = np.cumsum([len(asks[place][0]) for place in places]).tolist()
            for place, end in zip(places, ends, strict=True):
                found[place] = rows[end - len(asks[place][0]) : end]
        return found

    return compute


def _looks(model: Any, source: str, answer: str) -> Looks:
    found = model.align(source, answer)
    return Looks(
        source=list(found.source),
        answer=list(found.answer),
        weights=np.round(found.weights, 4).tolist(),
        copied=np.round(found.copied, 4).tolist(),
    )
