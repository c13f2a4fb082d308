"""A classifier: the class of texts and which words weighed, or of sequences of numbers."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from pydantic import Field

from longshort.serve.endpoints.body import Body, Number, Text
from longshort.serve.house import House
from longshort.serve.limits import CHANNELS, STEPS, TEXTS
from longshort.serve.runs import Run
from longshort.tasks.classify.answers import answer
from longshort.tasks.classify.temperature import probabilities
from longshort.tasks.classify.words import word_spans

Step = Annotated[list[Number | None], Field(min_length=1, max_length=CHANNELS)]
Sequence = Annotated[list[Step], Field(min_length=1, max_length=STEPS)]


class TextsToJudge(Body):
    """Texts of which the class is asked."""

    texts: list[Text] = Field(min_length=1, max_length=TEXTS, examples=[["A film to remember."]])


class SequencesToJudge(Body):
    """Sequences of which the class is asked."""

    sequences: list[Sequence] = Field(
        min_length=1, max_length=TEXTS, description="Of each its steps, of each step a number for every channel."
    )


class Word(Body):
    """A word of a text, or a step of a sequence."""

    begin: int = Field(description="The first character, or the step, from 0.")
    end: int = Field(description="The one after the last.")
    share: float = Field(description="The part it had in the answer; those of an example add up to 1.")


class Judgement(Body):
    """The class of one example."""

    label: str = Field(description="The likeliest class.")
    probabilities: dict[str, float] = Field(description="Of every class, calibrated; they add up to 1.")
    parts: list[Word] = Field(description="What was read: words of texts, steps of sequences.")


class Judgements(Body):
    """An answer for each example, in their order."""

    answers: list[Judgement]


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST predict."""
    model, fitted = run.model, run.model.fitted

    def compute(asks: list[Any]) -> list[list[Judgement]]:
        examples = [example for ask in asks for example in ask]
        found = answer(fitted.networks, fitted.encoder.encode(examples))
        p = probabilities(found.logits, fitted.temperature)
        told = [_judged(*row, model.classes) for row in zip(examples, p, found.shares, strict=True)]
        ends = np.cumsum([len(ask) for ask in asks])
        return [told[end - len(ask) : end] for ask, end in zip(asks, ends, strict=True)]

    together = house.together(run, "predict", compute, size=len, capacity=8 * TEXTS)
    if fitted.plan.kind == "texts":

        @router.post("/predict", summary="The class of texts, and the words that weighed")
        async def judge_texts(asked: TextsToJudge) -> Judgements:
            texts = [unicodedata.normalize("NFC", text.strip()) for text in asked.texts]
            return Judgements(answers=await together(texts))
    else:

        @router.post("/predict", summary="The class of sequences of numbers")
        async def judge_sequences(asked: SequencesToJudge) -> Judgements:
            return Judgements(answers=await together([_array(rows, fitted.channels) for rows in asked.sequences]))


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    fitted = run.model.fitted
    kept = fitted.held_out
    return {
        "kind": fitted.plan.kind,
        "classes": list(run.model.classes),
        "channels": list(fitted.channels),
        "example": str(kept.names[0]) if fitted.plan.kind == "texts" and len(kept) else None,
    }


def _judged(example: Any, p: Any, shares: Any, classes: tuple[str, ...]) -> Judgement:
    spans = word_spans(example) if isinstance(example, str) else [(k, k + 1) for k in range(len(example))]
    return Judgement(
        label=classes[int(p.argmax())],
        probabilities=dict(zip(classes, p.tolist(), strict=True)),
        parts=[
            Word(begin=begin, end=end, share=share) for (begin, end), share in zip(spans, shares.tolist(), strict=False)
        ],
    )


def _array(rows: list[list[float | None]], channels: tuple[str, ...]) -> Any:
    from longshort.errors import InputError

    for number, row in enumerate(rows, 1):
        if len(row) != len(channels):
            raise InputError(f"step {number} has {len(row)} numbers, the channels are {', '.join(channels)}")
    return np.array(rows, dtype=np.float32)  # None becomes NaN: missing
