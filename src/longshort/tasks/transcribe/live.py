"""Transcription while the sound arrives: the state stays in the engine, and the numbers are those of the whole file."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.audio import Resampler, mixed
from longshort.errors import InputError
from longshort.tasks.transcribe.config import EDGE, Plan, kernel_of
from longshort.tasks.transcribe.features import FeatureStream, LogMel
from longshort.tasks.transcribe.hearing import Ear
from longshort.tasks.transcribe.normalising import Prior, Running
from longshort.tasks.transcribe.recognition import Recognition
from longshort.tasks.transcribe.transcript import Transcript

FloatArray = NDArray[np.float32]


class Steps:
    """Normalised frames to log-probabilities, chunk by chunk; no frame is read twice by the recurrent layers."""

    def __init__(self, network: Ear) -> None:
        dims = network.dims
        self._read, self._stride, self._kernel = network.follow(), dims.stride, kernel_of(dims.stride)
        self._kept = np.zeros((EDGE, dims.inputs), np.float32)
        self._units = dims.units

    def __call__(self, frames: FloatArray, last: bool = False) -> FloatArray:
        """The steps that these frames complete, (S, V); after the last ones all the rest."""
        after = np.zeros((EDGE if last else 0, self._kept.shape[1]), np.float32)
        frames = np.concatenate((self._kept, frames, after))
        steps = max(0, (len(frames) - self._kernel) // self._stride + 1)
        self._kept = frames[steps * self._stride :]
        if not steps:
            return np.zeros((0, self._units), np.float32)
        return self._read(frames[: (steps - 1) * self._stride + self._kernel])


class Live:
    """A sound that is transcribed as it arrives; made by `Transcriber.live`.

    >>> live = transcriber.live(rate=16_000)                 # doctest: +SKIP
    >>> live.feed(samples).text                              # doctest: +SKIP
    >>> live.finish().text                                   # doctest: +SKIP
    """

    def __init__(self, network: Ear, plan: Plan, prior: Prior, recognition: Recognition, rate: int) -> None:
        self._plan, self._recognition = plan, recognition
        self._resample: Any = Resampler(rate, plan.features.rate)
        self._features = FeatureStream(LogMel(plan.features.rate, plan.features.inputs))
        self._normalise, self._steps = Running(prior), Steps(network)
        self._rate, self._heard, self._took, self._ended = rate, 0, 0.0, False

    def feed(self, samples: Any) -> Transcript:
        """Hear more, and say what is known now.

        Args:
            samples: (N,) or (N, channels), floats from −1 to 1 or integers of their full range.

        Raises:
            InputError: they are no samples, or `finish` was called.
        """
        began = time.perf_counter()
        self.hear(mixed(samples))
        return self._said(began, final=False)

    def finish(self) -> Transcript:
        """The whole transcript; nothing can be fed after it."""
        began = time.perf_counter()
        self.hear(np.zeros(0, np.float32), last=True)
        self._ended = True
        return self._said(began, final=True)

    def hear(self, samples: FloatArray, last: bool = False) -> None:
        """Hear more of one channel, (N,), and say nothing."""
        if self._ended:
            raise InputError("this recording has ended: begin another with live()")
        self._heard += len(samples)
        frames = self._normalise(self._features(self._resample(samples, last)))
        self._recognition.push(self._steps(frames, last))

    def _said(self, began: float, final: bool) -> Transcript:
        found = self._recognition.transcript(self._heard / self._rate, final=final)
        self._took += time.perf_counter() - began
        return Transcript(found.text, found.words, found.confidence, found.seconds, self._took)
