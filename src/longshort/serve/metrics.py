"""What is counted, for Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one service. Routes and runs are few, so the labels are too.

    Attributes:
        requests: answers, by route and status.
        seconds: from a request to the end of its answer, by route.
        batch: requests that were computed together, by run and kind.
        queue: requests that wait, by run and kind.
        sessions: open, by run.
        messages: of sessions, by run and outcome: "ok", "wrong", "busy" where too much waits, "late" where it took too
            long.
        generations: texts and tunes that are being written.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "longshort_requests", "Answers, by route and status.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "longshort_request_seconds", "From a request to the end of its answer.", ("route",), buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.batch = Histogram(
            "longshort_batch_size", "Requests that were computed together.", ("run", "kind"), buckets=SIZES,
            registry=registry,
        )  # fmt: skip
        self.queue = Gauge("longshort_queue", "Requests that wait.", ("run", "kind"), registry=registry)
        self.sessions = Gauge("longshort_sessions", "Sessions that are open.", ("run",), registry=registry)
        self.messages = Counter(
            "longshort_messages", "Messages of sessions, by outcome.", ("run", "outcome"), registry=registry
        )
        self.generations = Gauge("longshort_generations", "Texts and tunes that are being written.", registry=registry)

    def exposition(self) -> bytes:
        """All of it in Prometheus's format."""
        return generate_latest(self._registry)
