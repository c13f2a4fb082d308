"""How much one request may hold, and how much the service does at once: beyond it is a 4xx."""

from __future__ import annotations

from dataclasses import dataclass

from longshort.settings import Settings

# What one request may hold, as the OpenAPI description says it.
CHARACTERS = 20_000  # of a text
TEXTS = 64
TURNS = 200
SERIES = 64
STEPS = 20_000  # of a series, or of a sequence of numbers
COLUMNS = 64
CHANNELS = 1_000
LENGTH = 1_000  # tokens that are written
SAMPLES = 4
NEXT = 50  # tokens that may come next
NAME = 200  # characters of a name
SECONDS = 120  # of a recording
LIVE_SECONDS = 3_600  # of a sound that is sent piece by piece
BARS = 64  # of music that is written
MIDI_BYTES = 262_144
NOTES, QUARTERS = 2_000, 1_000  # of a tune to go on from
LARGEST = 1e30  # of a number: its square still has room in float64


@dataclass(frozen=True)
class Limits(Settings):
    """Settings of a service.

    Attributes:
        wait_ms: milliseconds that a request waits for others to be computed together with.
        batch: requests that are computed together at most; 1 for none.
        queue: requests of one kind to one run that wait; the next ones are answered 429.
        generations: texts and tunes that are written at the same time.
        sessions: WebSocket sessions that are open at the same time.
        session_idle_seconds: after so long without a message a session ends.
        session_seconds: so long a session may last.
        message_bytes: of a session's message.
        body_bytes: of a request's body.
        audio_bytes: of a body that is a recording.
        upload_seconds: in which a body must have come.
        request_seconds: in which an answer must be begun, else 503.
        connections: open at the same time.
        stop_seconds: for what was begun when the service is told to stop.
    """

    wait_ms: float = 2.0
    batch: int = 64
    queue: int = 256
    generations: int = 32
    sessions: int = 1_000
    session_idle_seconds: float = 300.0
    session_seconds: float = 3_600.0
    message_bytes: int = 131_072
    body_bytes: int = 4_194_304
    audio_bytes: int = 16_777_216
    upload_seconds: float = 10.0
    request_seconds: float = 60.0
    connections: int = 4_096
    stop_seconds: int = 30

    def __post_init__(self) -> None:
        self._whole("batch", "queue", "generations", "sessions", "message_bytes", "body_bytes", least=1)
        self._whole("audio_bytes", "connections", "stop_seconds", least=1)
        self._number("wait_ms", below=1_000)
        self._number("session_idle_seconds", "session_seconds", "upload_seconds", "request_seconds", positive=True)
