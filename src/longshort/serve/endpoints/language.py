"""A language model: how likely a text is, what comes next, a text of its own, and text as it is typed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.types import Receive, Scope, Send

from longshort.sequence.sampling import Sampling
from longshort.serve.endpoints.body import Body, Text
from longshort.serve.engine import TURN
from longshort.serve.house import House
from longshort.serve.limits import LENGTH, NAME, NEXT, SAMPLES
from longshort.serve.reader import TOKENS, Reader, Typed
from longshort.serve.runs import Run

# The form of each event, as tools for OpenAPI take it.
EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
EVENTS = {"text/event-stream": {"schema": EVENT}}


class TextToScore(Body):
    """A text of which the probability is asked."""

    text: Text = Field(min_length=1)


class Token(Body):
    """A token of a text."""

    begin: int = Field(description="Its first character.")
    end: int = Field(description="The one after its last.")
    log_probability: float = Field(description="Natural, given all that stands before it.")


class Score(Body):
    """How likely a text is."""

    tokens: list[Token]
    log_probability: float = Field(description="Of the whole text.")
    perplexity: float
    unknown: int = Field(description="Tokens that are not in the vocabulary.")


class Prompt(Body):
    """A text, of which the continuation is asked."""

    prompt: Text = Field(default="", description="Where a text begins, if empty.")
    k: int = Field(default=10, ge=1, le=NEXT, description="How many tokens.")


class Likely(Body):
    """A token that may come next."""

    token: str = Field(description="Printable: a space is ␣, a line end ↵.")
    probability: float


class Next(Body):
    """The likeliest tokens, the likeliest first."""

    next: list[Likely]


class TextToWrite(Body):
    """How a text is to be drawn; see docs/language.md."""

    prompt: Text = ""
    length: int = Field(default=200, ge=1, le=LENGTH, description="Tokens at most.")
    temperature: float = Field(default=1.0, ge=0, le=100, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=1, le=10**6)
    top_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0.01, le=100, allow_inf_nan=False)
    stop: list[Annotated[str, Field(min_length=1, max_length=NAME)]] = Field(default=[], max_length=8)
    samples: int = Field(default=1, ge=1, le=SAMPLES)
    seed: int | None = Field(default=None, ge=0, lt=2**63)


class Typing(Body):
    """A message of a session: text that was typed on."""

    text: Text = ""
    restart: bool = Field(default=False, description="Whether to begin anew, before this text.")
    k: int = Field(default=10, ge=1, le=NEXT, description="Likely tokens to give.")
    gates: bool = Field(default=False, description="Whether to show gates and states at the new tokens.")
    layer: int = Field(default=0, ge=0, le=15, description="Of which recurrent layer.")


class Read(Body):
    """What the network makes of the text so far."""

    begin: int = Field(description="Number of the first token below; what had this number before is replaced.")
    tokens: list[str] = Field(description="That are new or have changed, printable.")
    log_probabilities: list[float] = Field(description="Of them, natural.")
    next: list[Likely]
    gates: dict[str, list[list[float]]] | None = Field(
        None, description="Gate or state -> for each of these tokens its values, of 64 units at most."
    )


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST score, next and generate, and a session."""
    model = run.model
    reader = Reader(model)
    together = house.together(run, "read", reader.compute, size=lambda ask: len(ask.ids), capacity=TOKENS)

    @router.post("/score", summary="How likely a text is, token by token")
    async def score(asked: TextToScore) -> Score:
        encoded, ask = reader.to_score(asked.text)
        logs = (await together(ask)).log_probabilities
        spans = encoded.spans.tolist()
        tokens = [Token(begin=a, end=b, log_probability=p) for (a, b), p in zip(spans, logs, strict=True)]
        return Score(
            tokens=tokens,
            log_probability=sum(logs),
            perplexity=reader.perplexity(logs),
            unknown=encoded.unknown,
        )

    @router.post("/next", summary="The likeliest next tokens")
    async def next_tokens(asked: Prompt) -> Next:
        return Next(next=_likely((await together(reader.to_continue(asked.prompt))).next, asked.k))

    @router.post(
        "/generate",
        summary="Write a text, as server-sent events",
        description="Each event holds `pieces`, a text for each sample, to be put behind the ones before; the last "
        "one, of the type `end`, holds nothing more.",
        response_class=StreamingResponse,
        responses={200: {"content": EVENTS, "description": "The text as it is drawn."}},
    )
    async def generate(asked: TextToWrite) -> StreamingResponse:
        settings = asked.model_dump(exclude={"prompt"})
        sampling = Sampling.from_dict({**settings, "stop": tuple(asked.stop)})
        reader.to_continue(asked.prompt)  # a prompt that cannot be read is told before anything is written
        pieces = model.stream(asked.prompt, sampling)

        async def events() -> AsyncIterator[str]:
            while (written := await house.engine.run(_some, pieces)) is not None:
                yield f"data: {json.dumps({'pieces': written}, ensure_ascii=False)}\n\n"
            yield "event: end\ndata: {}\n\n"

        return _Events(events(), house)

    @router.websocket("/session")
    async def session(socket: WebSocket) -> None:
        typed = Typed(reader, together, house.engine)

        async def heard(message: Typing) -> Read:
            layer = message.layer if message.gates else None
            found = await typed.add(message.text, restart=message.restart, gates=layer)
            return Read(
                begin=found.begin,
                tokens=found.tokens,
                log_probabilities=found.log_probabilities,
                next=_likely(found.next, message.k),
                gates=found.gates,
            )

        await house.sessions.serve(socket, run.name, Typing, heard)


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    model, network = run.model, run.model.fitted.network
    return {
        "kind": model.fitted.tokenizer.kind,
        "vocabulary": len(model.fitted.tokenizer),
        "cell": model.config.cell,
        "layers": len(network.recurrent),
        "hidden_size": network.dims.hidden_size,
    }


class _Events(StreamingResponse):
    """Server-sent events, for which there must be room until the last one is sent or the caller has gone."""

    def __init__(self, events: AsyncIterator[str], house: House) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, or refuse to."""
        async with self._house.generation():
            await super().__call__(scope, receive, send)


def _likely(found: list[tuple[str, float]], k: int) -> list[Likely]:
    return [Likely(token=token, probability=p) for token, p in found[:k]]


def _some(pieces: Iterator[list[str]]) -> list[str] | None:
    """What is written in a short while, or None at the end."""
    until, written = time.perf_counter() + TURN, None
    for new in pieces:
        written = new if written is None else [a + b for a, b in zip(written, new, strict=True)]
        if time.perf_counter() > until:
            break
    return written
