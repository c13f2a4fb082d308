"""Transcription of speech: the text of a recording, and when each word is said."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.tasks.transcribe.config import TranscribeConfig
    from longshort.tasks.transcribe.decoding import Decoding
    from longshort.tasks.transcribe.estimator import Transcriber
    from longshort.tasks.transcribe.evaluation import TranscribeScores
    from longshort.tasks.transcribe.live import Live
    from longshort.tasks.transcribe.transcript import Transcript, Word

__all__ = ["Decoding", "Live", "TranscribeConfig", "TranscribeScores", "Transcriber", "Transcript", "Word"]

__getattr__ = lazy(
    __name__,
    {
        "Decoding": "decoding",
        "Live": "live",
        "TranscribeConfig": "config",
        "TranscribeScores": "evaluation",
        "Transcriber": "estimator",
        "Transcript": "transcript",
        "Word": "transcript",
    },
)
