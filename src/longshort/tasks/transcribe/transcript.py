"""What was heard: a text, and its words with their times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Word:
    """A word as it was heard.

    Attributes:
        text: the word.
        start, end: seconds from the beginning of the recording. CTC tells when a letter is sure, which is often late
            and short.
        confidence: geometric mean of its units' probabilities, 0 to 1.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What was heard in a recording, or in so much of it as there is.

    Attributes:
        text: all words.
        words: each with its time.
        confidence: geometric mean of the words'; of nothing at all, that of nothing being said at a step.
        seconds: of sound.
        took: seconds that it took to compute.
    """

    text: str
    words: tuple[Word, ...]
    confidence: float
    seconds: float
    took: float = 0.0

    @property
    def real_time_factor(self) -> float:
        """Seconds of computing for a second of sound."""
        return self.took / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "seconds": round(self.seconds, 3),
            "real_time_factor": round(self.real_time_factor, 4),
            "words": [{k: v if isinstance(v, str) else round(v, 3) for k, v in asdict(w).items()} for w in self.words],
        }


def joined(parts: list[tuple[float, Transcript]], took: float) -> Transcript:
    """One transcript of parts that follow each other, each with the second that it begins at."""
    words = [Word(w.text, w.start + at, w.end + at, w.confidence) for at, part in parts for w in part.words]
    sure = [w.confidence for w in words] or [part.confidence for _, part in parts]
    return Transcript(
        text=" ".join(part.text for _, part in parts if part.text),
        words=tuple(words),
        confidence=float(np.exp(np.log(np.maximum(sure, 1e-12)).mean())) if sure else 0.0,
        seconds=sum(part.seconds for _, part in parts),
        took=took,
    )
