"""What a transcriber is compared with: the most frequent transcript, and the most similar recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.transcribe.config import Plan

FloatArray = NDArray[np.float32]

FREQUENT = "Most frequent transcript"
NEAREST = "Nearest recording (DTW)"
# Cepstra that describe a frame's spectrum; the first of them, its loudness, among them.
CEPSTRA = 13
# Recordings to be compared with, at most, and how often a transcript must occur in the mean to be one of a few.
REFERENCES = 3_000
REPEATED = 4
# References that are compared at once.
GROUP = 300


def isolated(texts: Sequence[str]) -> bool:
    """Whether recordings hold a word each, out of a few that recur."""
    return all(len(text.split()) == 1 for text in texts) and len(set(texts)) * REPEATED <= len(texts)


@dataclass(frozen=True)
class Baselines:
    """Made from the training part.

    Attributes:
        frequent: its most frequent transcript.
        references: recordings of isolated words as cepstra, (T_i, K) each; () where words are not isolated.
        texts: what is said in them.
    """

    frequent: str
    references: tuple[FloatArray, ...] = ()
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: Plan, frequent: str, features: Sequence[FloatArray], texts: Sequence[str]) -> Baselines:
        """From recordings of isolated words, if there are any."""
        return cls(frequent, tuple(cepstra(f, plan) for f in features), tuple(texts))

    def texts_of(self, features: Sequence[FloatArray], plan: Plan) -> dict[str, list[str]]:
        """What each baseline hears in recordings, (T_i, C) each."""
        found = {FREQUENT: [self.frequent] * len(features)}
        if not self.references:
            return found
        groups = Padded.groups(self.references)
        near = [_nearest(groups, cepstra(f, plan)) for f in features]
        return {NEAREST: [self.texts[k] for k in near], **found}


def most_frequent(texts: Sequence[str]) -> str:
    """The transcript that occurs most often, the first of those in the alphabet."""
    counts = Counter(texts)
    return min(counts, key=lambda text: (-counts[text], text))


def cepstra(features: FloatArray, plan: Plan) -> FloatArray:
    """What dynamic time warping compares: of log-mel features their cosine transform, two frames as one."""
    x = features.astype(np.float64)
    x = np.concatenate((x, x[-1:])) if len(x) % 2 else x
    x = x.reshape(-1, 2, x.shape[1]).mean(1)
    if plan.features.rate:
        from scipy.fft import dct

        x = dct(x, axis=1, norm="ortho")[:, :CEPSTRA]
    scaled: FloatArray = ((x - x.mean(0)) / np.maximum(x.std(0), 1e-2)).astype(np.float32) if len(x) else x
    return scaled


@dataclass(frozen=True)
class Padded:
    """R references of like length side by side, so that all are compared at once.

    Attributes:
        frames: (T, R, K), 0 behind their ends.
        lengths: (R,).
        places: of each among all references, (R,).
    """

    frames: FloatArray
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def groups(cls, references: Sequence[FloatArray]) -> list[Padded]:
        """Of references (T_i, K), in groups of like length."""
        lengths = np.array([len(r) for r in references])
        found = []
        for places in np.array_split(np.argsort(lengths, kind="stable"), max(1, len(references) // GROUP)):
            frames = np.zeros((lengths[places].max(), len(places), references[0].shape[1]), np.float32)
            for k, place in enumerate(places):
                frames[: lengths[place], k] = references[place]
            found.append(cls(frames, lengths[places], places))
        return found

    def distances(self, x: FloatArray) -> NDArray[np.float64]:
        """Dynamic time warping (Sakoe & Chiba 1978, symmetric steps of weight 1) of x (S, K) to each reference, (R,).

        The sum of Euclidean distances along the best path, divided by the sum of both lengths.
        """
        steps, count = len(self.frames), len(self.lengths)
        row = np.full((steps, count), np.inf)
        square = np.square(self.frames).sum(2)
        for k, frame in enumerate(x):
            cost = np.sqrt(np.maximum(square - 2 * (self.frames @ frame) + frame @ frame, 0.0))
            new = np.empty_like(row)
            diagonal = np.concatenate((np.full((1, count), 0.0 if k == 0 else np.inf), row[:-1]))
            best = np.minimum(row, diagonal) + cost
            new[0] = best[0]
            for t in range(1, steps):
                np.minimum(best[t], new[t - 1] + cost[t], out=new[t])
            row = new
        ends = row[self.lengths - 1, np.arange(count)]
        found: NDArray[np.float64] = ends / (len(x) + self.lengths)
        return found


def _nearest(groups: Sequence[Padded], x: FloatArray) -> int:
    """The place of the reference that is nearest to x (S, K)."""
    found = [(float(d.min()), int(g.places[d.argmin()])) for g in groups for d in [g.distances(x)]]
    return min(found)[1]
