"""What a transcriber hears: recordings that arrive together in one batch, and sounds that come piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.audio import audio_blocks, audio_format, is_clipped, is_silent
from longshort.errors import InputError
from longshort.serve.engine import LateError, Together
from longshort.serve.limits import LIVE_SECONDS, SECONDS
from longshort.tasks.transcribe.config import EDGE
from longshort.tasks.transcribe.decoding import Decoding
from longshort.tasks.transcribe.features import LogMel
from longshort.tasks.transcribe.hearing import hear, pieces, transcripts
from longshort.tasks.transcribe.live import Live
from longshort.tasks.transcribe.normalising import normalised
from longshort.tasks.transcribe.transcript import Transcript, Word, joined
from longshort.tasks.transcribe.units import BLANK, CLEANERS

FloatArray = NDArray[np.float32]

# How files begin.
MAGIC = {b"RIFF": "WAV", b"RIFX": "WAV", b"RF64": "WAV", b"fLaC": "FLAC", b"OggS": "OGG"}
RATES, CHANNELS = (4_000, 192_000), 8
# Units whose probabilities are shown, those that were surest at some step.
UNITS = 40


@dataclass(frozen=True)
class Recording:
    """One that was sent, as a file in memory.

    Attributes:
        content: all of the file.
        seconds: of sound.
    """

    content: bytes
    seconds: float

    @classmethod
    def of(cls, content: bytes, kind: str) -> Recording:
        """Look at its head.

        Args:
            content: all of the file.
            kind: what it is said to be, "WAV", "FLAC" or "OGG".

        Raises:
            InputError: it is something else, is broken, or holds more than is taken.
        """
        found = MAGIC.get(content[:4])
        if found is not None and found != kind:
            raise InputError(f"the sound is {found}, its Content-Type says {kind}: say audio/{found.lower()}")
        head = audio_format(content)
        if not RATES[0] <= head.rate <= RATES[1] or head.channels > CHANNELS:
            raise InputError(
                f"the sound has {head.channels:,} channels of {head.rate:,} samples a second: send at most {CHANNELS}, "
                f"of {RATES[0]:,} to {RATES[1]:,}"
            )
        if head.seconds > SECONDS:
            raise InputError(f"the sound lasts {head.seconds:,.1f} s, at most {SECONDS} s are heard: send it in parts")
        return cls(content, head.seconds)


@dataclass(frozen=True)
class Frames:
    """What the network says at every step.

    Attributes:
        times: seconds of the S steps.
        units: the K that were surest at some step, in the order of the network's.
        probabilities: (K, S).
    """

    times: FloatArray
    units: list[str]
    probabilities: FloatArray


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording, whether it was recorded too loud, and what the network said at every step."""

    transcript: Transcript
    clipped: bool
    frames: Frames | None


def listen(model: Any, asks: list[tuple[Recording, int | None, bool]]) -> list[Heard]:
    """What `Transcriber.transcribe` says of each, all of them through the network side by side.

    Args:
        model: a transcriber that hears audio.
        asks: of each the recording, the texts that are followed, and whether the steps are wanted.

    Raises:
        InputError: a recording is broken, or there is nothing in it.
    """
    fitted = model.fitted
    plan, log_mel = fitted.plan, LogMel(fitted.plan.features.rate, fitted.plan.features.inputs)
    sounds = [_sound(recording, log_mel.rate) for recording, _, _ in asks]
    # What is live goes on with its state for as long as it likes.
    longest = float(SECONDS + 1) if plan.live else model.config.max_seconds
    cut = [[*pieces([sound], log_mel.rate, longest)] for sound in sounds]
    features = [log_mel(piece) for parts in cut for piece in parts]
    logs = iter(hear(fitted.network, normalised(plan.normalise, features, (), fitted.prior)))
    found = []
    for (recording, beam, wanted), sound, parts in zip(asks, sounds, cut, strict=True):
        said = [next(logs) for _ in parts]
        lengths = [len(part) / log_mel.rate for part in parts]
        begins = np.cumsum([0.0, *lengths])[:-1].tolist()
        search = Decoding(beam=beam).searches(fitted.units, CLEANERS[model.config.text])
        heard = transcripts(said, lengths, search, fitted.units, plan)
        transcript = replace(joined([*zip(begins, heard, strict=True)], 0.0), seconds=recording.seconds)
        found.append(Heard(transcript, is_clipped(sound), _frames(fitted, said, begins) if wanted else None))
    return found


@dataclass
class Chunk:
    """Samples for a sound that is heard, and what was said to it then.

    Attributes:
        live: that hears.
        samples: (N,), 16 bits.
        seconds: that they last.
        last: whether nothing comes after them.
        said: the transcript so far, once it is heard.
    """

    live: Live
    samples: NDArray[np.int16]
    seconds: float
    last: bool
    said: Transcript | None = None


def hear_on(chunks: list[Chunk]) -> list[Transcript]:
    """What is known after each chunk. One that was heard is not heard again, if a batch is begun again."""
    found = []
    for chunk in chunks:
        if chunk.said is None:
            chunk.said = chunk.live.feed(chunk.samples)
            if chunk.last:
                chunk.said = chunk.live.finish()
        found.append(chunk.said)
    return found


class Dictation:
    """A sound as it is spoken: the state of one session.

    Args:
        model: a transcriber that was trained live.
        together: the queue to `hear_on`.
    """

    def __init__(self, model: Any, together: Together[Chunk, Transcript]) -> None:
        self._model, self._together = model, together
        self._live: Live | None = None
        self._rate, self._seconds, self._words, self._lost = 0, 0.0, tuple[Word, ...](), False

    async def add(
        self, samples: bytes, rate: int | None, *, last: bool, restart: bool, beam: int | None
    ) -> tuple[int, Transcript]:
        """Hear more.

        Args:
            samples: 16 bits each, the lower byte first, one channel.
            rate: samples a second; that of the chunk before if None.
            last: whether nothing comes after them: the next chunk begins another recording.
            restart: whether to forget what was heard.
            beam: texts that are followed, of a new recording.

        Returns:
            The number of the first word that is new or has changed, and the transcript so far.

        Raises:
            InputError: they are no samples, or too many.
        """
        if len(samples) % 2:
            raise InputError("samples are of 16 bits, and this is half a sample too much")
        if self._lost and not restart:
            raise InputError("part of the sound was lost, as it took too long: send restart")
        live = None if restart else self._live
        if live is None and rate is None:
            raise InputError("a recording begins with its rate, samples a second: send rate")
        if live is not None and rate not in (None, self._rate):
            raise InputError(f"the recording has {self._rate:,} samples a second: send restart for another rate")
        known, before = ((), 0.0) if live is None else (self._words, self._seconds)
        rate = rate or self._rate
        new = len(samples) / 2 / rate
        if before + new > LIVE_SECONDS:
            raise InputError(f"a recording lasts {LIVE_SECONDS:,} s at most: send last, and begin another")
        live = live or self._model.live(rate=rate, beam=beam)
        try:
            said = await self._together.patiently(Chunk(live, np.frombuffer(samples, "<i2"), new, last))
        except LateError:
            self._lost = True
            raise
        self._live, self._rate, self._seconds = (None if last else live), rate, before + new
        self._words, self._lost = said.words, False
        return 0 if last else _same(known, said.words), said


def _same(before: tuple[Word, ...], after: tuple[Word, ...]) -> int:
    """How many words are the same at the beginning."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((k for k, (one, other) in pairs if one != other), min(len(before), len(after)))


def _sound(recording: Recording, rate: int) -> FloatArray:
    sound = np.concatenate([*audio_blocks(recording.content, rate, 1.0), np.zeros(0, np.float32)])
    if is_silent(sound):
        raise InputError("there is nothing but silence in the sound: send another recording")
    return sound


def _frames(fitted: Any, logs: list[FloatArray], begins: list[float]) -> Frames:
    plan = fitted.plan
    middle = plan.stride + 0.5 - EDGE  # of the frames of a step, of which the first ones lie before the sound
    times = [
        begin + (np.arange(len(part)) * plan.stride + middle) * plan.features.hop
        for begin, part in zip(begins, logs, strict=True)
    ]
    p = np.exp(np.concatenate(logs))
    units = np.sort(np.argsort(-p.max(0), kind="stable")[:UNITS])
    names = ["" if unit == BLANK else fitted.units.piece(int(unit)) for unit in units]
    return Frames(np.concatenate(times).astype(np.float32), names, p[:, units].T)
