"""Recordings as files in memory."""

import io

import soundfile
from test_transcribe_estimator import RATE

__all__ = ["RATE", "file_of"]


def file_of(sound, kind="wav", rate=RATE, **more):
    """What a file of a sound holds; samples (N,) or (N, channels)."""
    held = io.BytesIO()
    soundfile.write(held, sound, rate, format=kind.upper(), **more)
    return held.getvalue()
