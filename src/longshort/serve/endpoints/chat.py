"""A chatbot: one reply to a conversation, or a session that remembers it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import Field

from longshort.serve.endpoints.answer import seq2seq
from longshort.serve.endpoints.body import Body, Text
from longshort.serve.house import House
from longshort.serve.limits import TURNS
from longshort.serve.runs import Run


class Drawing(Body):
    """How a reply is found."""

    sample: bool = Field(default=False, description="Draw it instead of taking the likeliest.")
    temperature: float = Field(default=0.7, gt=0, le=10, description="Of the draws.")
    seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="Of the draws; other ones every time if left out."
    )

    def settings(self) -> dict[str, Any]:
        """Fields of `Decoding`."""
        return {"method": "sample", "temperature": self.temperature, "seed": self.seed} if self.sample else {}


class Conversation(Drawing):
    """A conversation to go on with."""

    turns: list[Text] = Field(
        min_length=1, max_length=TURNS, description="What was said, by turns; the last one not by the model."
    )


class Said(Drawing):
    """A message of a session."""

    text: Text = Field(default="", description="What is said.")
    restart: bool = Field(default=False, description="Whether to forget the conversation first.")


class Reply(Body):
    """What the model says."""

    text: str
    score: float | None = Field(default=None, description="Log-probability over a power of the length.")
    turns: int = Field(description="Turns of the conversation so far, the reply included.")


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST reply, and a session."""
    together = house.together(run, "reply", seq2seq(run.model))

    async def reply(turns: list[str], drawing: Drawing) -> Reply:
        ((text, score),) = await together(([turns], drawing.settings()))
        return Reply(text=text, score=score, turns=len(turns) + 1)

    @router.post("/reply", summary="Reply to a conversation")
    async def once(asked: Conversation) -> Reply:
        return await reply(asked.turns, asked)

    @router.websocket("/session")
    async def session(socket: WebSocket) -> None:
        turns: list[str] = []

        async def said(message: Said) -> Reply:
            if message.restart:
                turns.clear()
            if not message.text.strip():
                return Reply(text="", turns=len(turns))
            answer = await reply([*turns, message.text], message)
            turns.extend((message.text, answer.text))
            del turns[:-TURNS]  # of a conversation the end is read; an even number goes, so that turns stay turns
            return answer.model_copy(update={"turns": len(turns)})

        await house.sessions.serve(socket, run.name, Said, said)


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    return {"speaker": run.model.speaker}
