"""A composer: a tune of its own, or one that goes on from another, as notes and as MIDI."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Generator
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from longshort.data.midi import VELOCITY, Notes, Tune, notes_of, tune_in
from longshort.errors import InputError
from longshort.serve.endpoints.body import Body, decoded
from longshort.serve.engine import LateError
from longshort.serve.house import House
from longshort.serve.limits import BARS, MIDI_BYTES, NAME, NOTES, QUARTERS
from longshort.serve.runs import Run
from longshort.tasks.compose import Composition
from longshort.tasks.compose.keys import NAMES, find_key
from longshort.tasks.compose.novelty import Passages, intervals
from longshort.tasks.compose.statistics import Counts


class TuneToWrite(Body):
    """How a tune is to be written; see docs/music.md."""

    bars: int = Field(default=16, ge=1, le=BARS, description="Of the new part; of rolls, bars of four quarter notes.")
    tempo: float | None = Field(
        default=None, ge=4, le=1000, description="Quarter notes a minute; of what is continued, or 120, if left out."
    )
    temperature: float = Field(default=1.0, ge=0, le=100, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=1, le=10**6, description="For runs of tokens.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="For runs of tokens.")
    key: Annotated[str, Field(max_length=NAME)] = Field(
        default="free", description="free; kept, that of its beginning; or one such as D or F# minor."
    )
    instruments: list[Annotated[int, Field(ge=0, le=127)]] = Field(
        default=[], max_length=16, description="Programs of General MIDI, in place of the tune's in their order."
    )
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="Of the draws; other ones if left out.")
    midi: Annotated[str, Field(max_length=4 * (MIDI_BYTES // 3 + 1))] | None = Field(
        default=None, description="Base64 of a MIDI file to go on from."
    )
    novelty: bool = Field(
        default=False, description="Whether to look for the longest passage that is in a tune that was learnt from."
    )


class Note(Body):
    """A note."""

    start: float = Field(description="Quarter notes from the beginning.")
    duration: float = Field(description="Quarter notes.")
    pitch: int = Field(description="From 0 to 127; 60 is the middle C.")
    program: int = Field(description="The instrument, from 0 to 127; -1 for drums.")
    velocity: int = Field(description="How hard it is struck, from 1 to 127; the same for all.")


class Copied(Body):
    """The longest passage of the melody, in any key, that is also in a tune that was learnt from."""

    notes: int = Field(description="How many notes it has; 0 if there is none of two.")
    of: int = Field(description="How many the melody has.")
    tune: str | None = Field(description="That it is in.")


class Written(Body):
    """A tune."""

    notes: list[Note] = Field(description="By their starts; those of a tune that is continued are among them.")
    tempo: float = Field(description="Quarter notes a minute.")
    seconds: float
    new: float = Field(description="Where what was written begins, in quarter notes.")
    midi: str = Field(description="Base64 of the MIDI file.")
    key: str | None = Field(description="That goes best with the new notes.")
    density: float = Field(description="New notes for each quarter note.")
    copied: Copied | None = Field(default=None, description="If novelty was asked for.")


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST compose."""
    learnt = _Learnt(run.model)

    def writing(asked: TuneToWrite) -> Generator[None, None, Written]:
        settings = asked.model_dump(exclude={"midi", "novelty", "instruments"})
        before = None if asked.midi is None else _tune(asked.midi)
        tune = yield from run.model.composing(before, **settings, instruments=tuple(asked.instruments))
        copied = (yield from learnt.copied(_new(tune))) if asked.novelty else None
        return _written(tune, copied)

    @router.post("/compose", summary="Write a tune, or go on from one")
    async def compose(asked: TuneToWrite) -> Written:
        async with house.generation():
            try:
                return await asyncio.wait_for(house.engine.in_turns(writing(asked)), house.limits.request_seconds)
            except asyncio.TimeoutError:
                raise LateError from None


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    plan = run.model.fitted.plan
    return {
        "kind": plan.kind,
        "frame": run.model.config.frame if plan.kind == "rolls" else None,
        "learnt": len(run.model.fitted.parts["training"]),
        "bars": BARS,
        "keys": [f"{name} {mode}" for mode in ("major", "minor") for name in NAMES],
    }


class _Learnt:
    """The melodies of the tunes that were learnt from, read when they are first asked for."""

    def __init__(self, model: Any) -> None:
        fitted = model.fitted
        self._encoding, self._part = fitted.encoding, fitted.parts["training"]
        self._melodies: list[Any] = []

    def copied(self, notes: Notes) -> Generator[None, None, Copied]:
        """The longest passage of a tune that is in one of them, with a break after each."""
        while len(self._melodies) < len(self._part):
            self._melodies.append(intervals(self._encoding.notes(self._part.pieces[len(self._melodies)])))
            yield
        melody = intervals(notes)
        passages, best, where = Passages([melody]), 0, None
        for melody_, name in zip(self._melodies, self._part.names, strict=True):
            found = passages.longest(melody_).notes
            if found > best:
                best, where = found, name
            yield
        return Copied(notes=best, of=len(melody) + 1 if len(notes) else 0, tune=where)


def _tune(text: str) -> Tune:
    """From base64, within bounds."""
    tune = tune_in(decoded(text, "midi"))
    notes = notes_of(tune.score)
    quarters = float((notes[:, 0] + notes[:, 1]).max())
    if len(notes) > NOTES or quarters > QUARTERS:
        raise InputError(
            f"the tune has {len(notes):,} notes over {quarters:,.0f} quarter notes, at most {NOTES:,} over "
            f"{QUARTERS:,} are read: send the end of it"
        )
    return tune


def _new(tune: Composition) -> Notes:
    return tune.notes[tune.notes[:, 0] >= tune.new]


def _written(tune: Composition, copied: Copied | None) -> Written:
    new = _new(tune)
    return Written(
        notes=[
            Note(start=start, duration=duration, pitch=int(pitch), program=int(program), velocity=VELOCITY)
            for start, duration, pitch, program in tune.notes.tolist()
        ],
        tempo=tune.tempo,
        seconds=tune.seconds,
        new=tune.new,
        midi=base64.b64encode(tune.midi()).decode(),
        key=str(find_key(new)) if (new[:, 3] >= 0).any() else None,
        density=Counts.of([new]).density,
        copied=copied,
    )
