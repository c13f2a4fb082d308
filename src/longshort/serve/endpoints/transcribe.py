"""A transcriber: the text of a recording and when each word is said, and a session for a sound as it is spoken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, WebSocket
from pydantic import BaseModel, ConfigDict, Field

from longshort.data.audio import check_soundfile
from longshort.errors import InputError
from longshort.serve.body import SOUNDS, content_type
from longshort.serve.endpoints.body import Body, decoded
from longshort.serve.errors import problem
from longshort.serve.hearing import CHANNELS, RATES, Dictation, Frames, Heard, Recording, hear_on, listen
from longshort.serve.house import House
from longshort.serve.limits import SECONDS
from longshort.serve.runs import Run
from longshort.tasks.transcribe import transcript

# Seconds of sound that go through the network in one batch: of recordings, and of chunks of live ones.
TOGETHER, LIVE_TOGETHER = 4 * SECONDS, 10
FILE = {"schema": {"type": "string", "format": "binary"}}
SOUND = {
    "required": True,
    "description": f"A file of {SECONDS} s at most, {CHANNELS} channels at most, {RATES[0]:,} to {RATES[1]:,} samples "
    "a second.",
    "content": dict.fromkeys(("audio/wav", "audio/flac", "audio/ogg"), FILE),
}

Beam = Annotated[int, Field(ge=1, le=16)]


class Listening(BaseModel):
    """Query parameters."""

    model_config = ConfigDict(extra="forbid")

    beam: Beam | None = Field(
        default=None, description="Texts that are followed; the likeliest path alone if left out."
    )
    frames: bool = Field(default=False, description="Whether to give what the network says at every step.")


class Word(Body):
    """A word as it was heard."""

    text: str
    start: float = Field(
        description="Seconds from the beginning. It is told when a word is sure, often late and short."
    )
    end: float
    confidence: float = Field(description="Geometric mean of its units' probabilities.")


class Steps(Body):
    """What the network says at every step: S steps, K units."""

    times: list[float] = Field(description="Seconds of each step; the first and the last ones lie beyond the sound.")
    units: list[str] = Field(description='Those that were surest at some step; "" is the blank.')
    probabilities: list[list[float]] = Field(description="K rows of S numbers.")


class Written(Body):
    """What was heard in a recording."""

    text: str
    confidence: float = Field(description="Geometric mean of the words'.")
    seconds: float = Field(description="Of sound.")
    words: list[Word]
    clipped: bool = Field(description="Whether it was recorded too loud.")
    frames: Steps | None = None


class Spoken(Body):
    """A message of a session: what was said since the last one."""

    samples: str = Field(default="", description="Base64 of samples of 16 bits, the lower byte first, one channel.")
    rate: Annotated[int, Field(ge=RATES[0], le=RATES[1])] | None = Field(
        default=None, description="Samples a second; needed with the first message of a recording."
    )
    last: bool = Field(default=False, description="Whether the recording ends here; the next message begins another.")
    restart: bool = Field(default=False, description="Whether to forget what was heard, before these samples.")
    beam: Beam | None = Field(default=None, description="Texts that are followed; with the first message.")


class HeardSoFar(Body):
    """What is known of a sound."""

    begin: int = Field(description="Number of the first word below; what had this number before is replaced.")
    words: list[Word] = Field(description="That are new or have changed; all of them when the recording has ended.")
    text: str = Field(description="Of these words.")
    confidence: float = Field(description="Of the whole recording so far.")
    seconds: float = Field(description="Of sound that were heard.")
    last: bool = Field(description="Whether the recording has ended, so that nothing of this will change.")


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST predict, and a session if the run is live.

    Raises:
        InputError: the library that reads audio is missing.
    """
    model = run.model
    if model.fitted.plan.features.rate:
        check_soundfile()

    def compute(asks: list[tuple[Recording, int | None, bool]]) -> list[Heard]:
        return listen(model, asks)

    together = house.together(run, "predict", compute, size=lambda ask: round(ask[0].seconds), capacity=TOGETHER)
    house.sounds.add(f"{router.prefix}/predict")

    @router.post("/predict", summary="The text of a recording", openapi_extra={"requestBody": SOUND})
    async def predict(request: Request, asked: Annotated[Listening, Query()]) -> Written:
        model.needs_audio()
        recording = Recording.of(await request.body(), SOUNDS[content_type(request.headers)])
        return _written(await together((recording, asked.beam, asked.frames)))

    if not model.fitted.plan.live:

        @router.websocket("/session")
        async def no_session(socket: WebSocket) -> None:
            try:
                model.live(rate=RATES[0])
            except InputError as error:
                await socket.send_denial_response(problem(422, str(error)))

        return
    hearing = house.together(
        run, "hear", hear_on, size=lambda chunk: round(1000 * chunk.seconds), capacity=1000 * LIVE_TOGETHER
    )

    @router.websocket("/session")
    async def session(socket: WebSocket) -> None:
        dictation = Dictation(model, hearing)

        async def heard(message: Spoken) -> HeardSoFar:
            begin, said = await dictation.add(
                decoded(message.samples, "samples"),
                message.rate,
                last=message.last,
                restart=message.restart,
                beam=message.beam,
            )
            words = _words(said.words[begin:])
            return HeardSoFar(
                begin=begin,
                words=words,
                text=" ".join(word.text for word in words),
                confidence=said.confidence,
                seconds=said.seconds,
                last=message.last,
            )

        await house.sessions.serve(socket, run.name, Spoken, heard)


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    plan = run.model.fitted.plan
    return {
        "live": plan.live,
        "rate": plan.features.rate,
        "units": plan.unit,
        "seconds": SECONDS,
    }


def _written(heard: Heard) -> Written:
    said = heard.transcript
    return Written(
        text=said.text,
        confidence=said.confidence,
        seconds=said.seconds,
        words=_words(said.words),
        clipped=heard.clipped,
        frames=None if heard.frames is None else _steps(heard.frames),
    )


def _words(words: Iterable[transcript.Word]) -> list[Word]:
    return [
        Word(text=word.text, start=round(word.start, 4), end=round(word.end, 4), confidence=word.confidence)
        for word in words
    ]


def _steps(frames: Frames) -> Steps:
    return Steps(
        times=np.round(frames.times.astype(np.float64), 4).tolist(),
        units=frames.units,
        probabilities=np.round(frames.probabilities.astype(np.float64), 4).tolist(),
    )
