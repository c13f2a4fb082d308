"""Where networks compute: one thread beside the one that talks, and calls that arrive together in one batch."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from longshort.errors import LongshortError, Note
from longshort.serve.limits import Limits
from longshort.serve.metrics import Metrics

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
T = TypeVar("T")


# So long something that goes in turns may keep the engine from other work, in seconds.
TURN = 0.02
BUSY = "too many requests are waiting: try again in a moment"


class BusyError(LongshortError):
    """There is no room in a queue. The service answers 429."""


class LateError(LongshortError):
    """An answer took too long. The service answers 503."""

    def __init__(self) -> None:
        super().__init__("the answer took too long: ask for less, or try again")


class Engine:
    """The one thread that computes, in the order in which it is asked; its products may use all cores."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _quietly, function, *arguments)

    async def in_turns(self, steps: Generator[None, None, T]) -> T:
        """What something with breaks returns; calls that came meanwhile have their turn every 20 ms."""
        while True:
            ended: tuple[T] | None = await self.run(_some, steps)
            if ended is not None:
                return ended[0]

    def close(self) -> None:
        """Wait for what runs, and end."""
        self._thread.shutdown()


class Together(Generic[Ask, Answer]):
    """Calls `compute` with a list of what was asked at about the same time.

    A call waits a few milliseconds for others, or for as long as the engine is busy with the calls before it. If a
    batch fails, its calls are computed one by one, so that only those fail that are at fault.

    Args:
        name: run and kind, for the metrics.
        compute: from a list of asks to a list of answers, in the engine's thread.
        size: of an ask; `capacity` bounds the sum over a batch.
    """

    def __init__(
        self,
        name: tuple[str, str],
        compute: Callable[[list[Ask]], Sequence[Answer]],
        engine: Engine,
        limits: Limits,
        metrics: Metrics,
        *,
        size: Callable[[Ask], int] = lambda ask: 1,
        capacity: int = 2**40,
    ) -> None:
        self._compute, self._engine, self._limits = compute, engine, limits
        self._size, self._capacity = size, capacity
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._sizes = metrics.batch.labels(*name)
        metrics.queue.labels(*name).set_function(lambda: len(self._waiting))

    async def __call__(self, ask: Ask) -> Answer:
        """The answer to one ask.

        Raises:
            BusyError: too many wait already.
            LateError: it was not computed in time.
        """
        if self.full:
            raise BusyError(BUSY)
        return await self.patiently(ask)

    async def patiently(self, ask: Ask) -> Answer:
        """The same, however many wait: for sessions, whose number is bounded and which ask one thing at a time.

        Raises:
            LateError: it was not computed in time.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            return await asyncio.wait_for(answer, self._limits.request_seconds)
        except asyncio.TimeoutError:
            raise LateError from None

    @property
    def full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self._waiting) >= self._limits.queue

    async def _work(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < self._limits.batch and self._limits.wait_ms:
                    await asyncio.sleep(self._limits.wait_ms / 1000)
                batch = self._next()
                if batch:
                    self._sizes.observe(len(batch))
                    await self._answer(batch)
        finally:
            self._worker = None

    def _next(self) -> list[tuple[Ask, asyncio.Future[Answer]]]:
        """The calls that come next, without those whose callers have gone."""
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        room = self._capacity
        while self._waiting and len(batch) < self._limits.batch:
            ask, answer = self._waiting[0]
            room -= 0 if answer.done() else self._size(ask)
            if batch and room < 0:
                break
            self._waiting.popleft()
            if not answer.done():
                batch.append((ask, answer))
        return batch

    async def _answer(self, batch: list[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        try:
            found = await self._engine.run(self._compute, [ask for ask, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
            else:
                for one in batch:
                    await self._answer([one])
            return
        for (_, answer), value in zip(batch, found, strict=True):
            if not answer.done():
                answer.set_result(value)


def _quietly(function: Callable[..., T], *arguments: Any) -> T:
    """Without notes for somebody at a terminal, such as on unknown tokens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        return function(*arguments)


def _some(steps: Generator[None, None, T]) -> tuple[T] | None:
    """Go on for a turn: what is returned at the end, None before."""
    until = time.perf_counter() + TURN
    try:
        while time.perf_counter() < until:
            next(steps)
    except StopIteration as end:
        return (end.value,)
    return None


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
