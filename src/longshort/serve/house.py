"""What all endpoints share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from longshort.serve.engine import Answer, Ask, BusyError, Engine, Together
from longshort.serve.limits import Limits
from longshort.serve.metrics import Metrics
from longshort.serve.runs import Run
from longshort.serve.sessions import Sessions


class House:
    """The engine, the sessions, the counters and the bounds of one service."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.metrics = Metrics()
        self.engine = Engine()
        self.sessions = Sessions(limits, self.metrics)
        self.sounds: set[str] = set()  # addresses to which a recording is sent, in place of JSON
        self._generations = 0
        self._queues: dict[str, list[Together[Any, Any]]] = {}

    def together(
        self, run: Run, kind: str, compute: Callable[[list[Ask]], Sequence[Answer]], **more: Any
    ) -> Together[Ask, Answer]:
        """A queue for calls of one kind to one run; see `Together`."""
        made = Together((run.name, kind), compute, self.engine, self.limits, self.metrics, **more)
        self._queues.setdefault(run.name, []).append(made)
        return made

    def full(self, run: str) -> bool:
        """Whether a run has no room for one more request, so that none needs to be read."""
        return any(queue.full for queue in self._queues.get(run, ()))

    @asynccontextmanager
    async def generation(self) -> AsyncIterator[None]:
        """Room for one text or tune that is written.

        Raises:
            BusyError: as many as may be are being written.
        """
        if self._generations >= self.limits.generations:
            raise BusyError("too much is being written: try again in a moment")
        self._generations += 1
        self.metrics.generations.inc()
        try:
            yield
        finally:
            self._generations -= 1
            self.metrics.generations.dec()
