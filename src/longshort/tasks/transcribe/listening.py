"""A run that listens, whoever computes its network: recordings of any length, and sounds as they arrive."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.audio import Resampler, audio_blocks, audio_format, is_clipped, is_silent, mixed
from longshort.errors import InputError, Note
from longshort.tasks.transcribe.config import Plan, TranscribeConfig
from longshort.tasks.transcribe.decoding import Decoding
from longshort.tasks.transcribe.features import LogMel
from longshort.tasks.transcribe.hearing import Ear, hear, pieces, transcripts
from longshort.tasks.transcribe.live import Live
from longshort.tasks.transcribe.normalising import Prior, normalised
from longshort.tasks.transcribe.recognition import Recognition
from longshort.tasks.transcribe.search import Search
from longshort.tasks.transcribe.transcript import Transcript, joined
from longshort.tasks.transcribe.units import CLEANERS, Units

FloatArray = NDArray[np.float32]

# Seconds of sound that a live model is fed at a time from a file.
CHUNK = 1.0


@dataclass(frozen=True)
class Listener:
    """What `fit` leaves behind of a transcriber, as far as it is needed to listen.

    Attributes:
        network: in evaluation.
        config, plan: settings and sizes.
        units: that the network emits.
        prior: mean and mean square of the training part's features.
        load: opens the run directory of a language model; `longshort.tasks.load` if None.
    """

    network: Ear
    config: TranscribeConfig
    plan: Plan
    units: Units
    prior: Prior
    load: Callable[[str | Path], Any] | None = None

    def transcribe(self, source: Any, rate: int | None, decoding: dict[str, Any]) -> Transcript:
        """What `Transcriber.transcribe` says."""
        self.needs_audio()
        began, wanted = time.perf_counter(), self.plan.features.rate
        if isinstance(source, str | Path | bytes):
            seconds, blocks = audio_format(source).seconds, audio_blocks(source, wanted)
        elif rate is None:
            raise InputError("samples need rate=, samples a second; or give the path of a file")
        else:
            samples = mixed(source)
            seconds, blocks = len(samples) / rate, iter([Resampler(rate, wanted)(samples, last=True)])
        blocks, search = _watched(blocks), self._search(decoding)
        if self.plan.live:
            live = self._live(search(), wanted)
            for block in blocks:
                for begin in range(0, len(block), int(CHUNK * wanted)):
                    live.hear(block[begin : begin + int(CHUNK * wanted)])
            return replace(live.finish(), seconds=seconds, took=time.perf_counter() - began)
        log_mel = LogMel(wanted, self.plan.features.inputs)
        parts, at = [], 0.0
        for piece in pieces(blocks, wanted, self.config.max_seconds):
            features = normalised(self.plan.normalise, [log_mel(piece)], (), self.prior)
            length = len(piece) / wanted
            heard = transcripts(hear(self.network, features), [length], search, self.units, self.plan)
            parts.append((at, heard[0]))
            at += length
        return replace(joined(parts, time.perf_counter() - began), seconds=seconds)

    def live(self, rate: int, decoding: dict[str, Any]) -> Live:
        """What `Transcriber.live` gives."""
        if not self.plan.live:
            raise InputError(
                "this run reads recordings in both directions: fit one with live=True (--live) for streams"
            )
        self.needs_audio()
        return self._live(self._search(decoding)(), rate)

    def transcripts(
        self, features: Sequence[FloatArray], speakers: Sequence[str], decoding: dict[str, Any]
    ) -> list[Transcript]:
        """Of recordings, from their features, (T_i, C) each, and their speakers, () where they are not known."""
        search = self._search(decoding)
        logs = hear(self.network, normalised(self.plan.normalise, features, speakers, self.prior))
        seconds = [len(f) * self.plan.features.hop for f in features]
        return transcripts(logs, seconds, search, self.units, self.plan)

    def _search(self, decoding: dict[str, Any]) -> Callable[[], Search]:
        return Decoding.from_dict(decoding).searches(self.units, CLEANERS[self.config.text], self.load)

    def _live(self, search: Search, rate: int) -> Live:
        return Live(self.network, self.plan, self.prior, Recognition(search, self.units, self.plan), rate)

    def needs_audio(self) -> None:
        """Refuse to hear: InputError where the run was trained on features that were computed elsewhere."""
        if not self.plan.features.rate:
            raise InputError("this run was trained on features that were computed elsewhere: give such to predict()")


def _watched(blocks: Iterator[FloatArray]) -> Iterator[FloatArray]:
    """The same, with a note where all of it is silent, or some of it clipped."""
    silent, clipped = True, False
    for block in blocks:
        silent, clipped = silent and is_silent(block), clipped or is_clipped(block)
        yield block
    if silent:
        warnings.warn("there is nothing but silence in the recording", Note, stacklevel=5)
    if clipped:
        warnings.warn("the recording is clipped: it was recorded too loud", Note, stacklevel=5)
