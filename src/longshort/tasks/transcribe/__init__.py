"""Transcription of speech: the text of a recording, and when each word is said."""

from longshort.tasks.transcribe.config import TranscribeConfig
from longshort.tasks.transcribe.decoding import Decoding
from longshort.tasks.transcribe.estimator import Transcriber
from longshort.tasks.transcribe.evaluation import TranscribeScores
from longshort.tasks.transcribe.live import Live
from longshort.tasks.transcribe.transcript import Transcript, Word

__all__ = ["Decoding", "Live", "TranscribeConfig", "TranscribeScores", "Transcriber", "Transcript", "Word"]
