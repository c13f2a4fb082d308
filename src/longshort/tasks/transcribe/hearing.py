"""What a network hears in recordings: log-probabilities of whole recordings, and transcripts of long sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from longshort.data.batching import batches_by_length
from longshort.tasks.transcribe.config import Dimensions, Plan
from longshort.tasks.transcribe.recognition import Recognition
from longshort.tasks.transcribe.search import Search
from longshort.tasks.transcribe.transcript import Transcript
from longshort.tasks.transcribe.units import Units

FloatArray = NDArray[np.float32]

# Recordings that are read at once.
BATCH = 16
# Samples over which loudness is measured to find a pause, in seconds.
LOUDNESS = 0.1


class Ear(Protocol):
    """A network as it is used, by whomever it is computed: with PyTorch or without.

    Attributes:
        dims: its sizes.
    """

    dims: Dimensions

    def hear(self, frames: FloatArray, lengths: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
        """Log-probabilities (S, B, V) of frames (T, B, C), 0 behind the ends, and the steps of each recording, (B,)."""

    def follow(self) -> Callable[[FloatArray], FloatArray]:
        """Reads a recording some padded frames at a time, (T, C) to log-probabilities (S, V), without going back."""


def hear(network: Ear, features: Sequence[FloatArray]) -> list[FloatArray]:
    """Log-probabilities of recordings, (S_i, V) each, from normalised features, (T_i, C) each."""
    found: list[FloatArray] = [np.zeros((0, 0), np.float32)] * len(features)
    for chosen in batches_by_length([len(f) for f in features], BATCH, 0, spread=0):
        lengths = np.array([len(features[k]) for k in chosen], dtype=np.int64)
        frames = np.zeros((lengths.max(), len(chosen), network.dims.inputs), np.float32)
        for place, k in enumerate(chosen):
            frames[: len(features[k]), place] = features[k]
        logs, steps = network.hear(frames, lengths)
        for place, k in enumerate(chosen):
            found[k] = logs[: steps[place], place].copy()
    return found


def transcripts(
    logs: Iterable[FloatArray], seconds: Sequence[float], search: Callable[[], Search], units: Units, plan: Plan
) -> list[Transcript]:
    """Of recordings, from their log-probabilities."""
    found = []
    for one, length in zip(logs, seconds, strict=True):
        recognition = Recognition(search(), units, plan)
        recognition.push(one)
        found.append(recognition.transcript(length, final=True))
    return found


def pieces(blocks: Iterable[FloatArray], rate: int, longest: float) -> Iterator[FloatArray]:
    """A long sound in pieces of at most so many seconds, cut where it is quietest in their last third.

    Args:
        blocks: the sound, some of it at a time.
        rate: samples a second.
        longest: seconds of a piece.
    """
    most, window = int(longest * rate), max(1, int(LOUDNESS * rate))
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate((kept, block))
        while len(kept) > most:
            begin = 2 * most // 3
            energy = np.square(kept[begin:most], dtype=np.float64)
            loudness = np.convolve(energy, np.ones(window), "valid")
            cut = begin + int(loudness.argmin()) + window // 2
            yield kept[:cut]
            kept = kept[cut:]
    if len(kept):
        yield kept
