"""Sessions over WebSocket: what a caller sends piece by piece, with a state that lives as long as the connection.

The state belongs to the one task that talks with the caller, so that no other session can come near it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from longshort.errors import InputError
from longshort.serve.engine import BusyError, LateError
from longshort.serve.errors import describe, problem
from longshort.serve.limits import Limits
from longshort.serve.metrics import Metrics

MessageT = TypeVar("MessageT", bound=BaseModel)

# Why a session is closed, as RFC 6455 numbers it.
GOING_AWAY, UNSUPPORTED, TOO_BIG, RESTART = 1001, 1003, 1009, 1012
# How often it is looked after sessions that are over.
SWEEP_SECONDS = 1.0


class _Session:
    """One that is open."""

    def __init__(self) -> None:
        self.began = self.heard = time.monotonic()
        self.listening: asyncio.Task[Any] | None = None
        self.over: tuple[int, str] | None = None

    def is_over(self) -> bool:
        """Whether it is to be closed."""
        return self.over is not None

    def end(self, code: int, reason: str) -> None:
        """Close it, after the answer that it is about to give."""
        if self.over is None:
            self.over = code, reason
            if self.listening:
                self.listening.cancel()  # of no effect if a message has just come, which is answered then


class Sessions:
    """All that are open: no more than a bound, none for longer than allowed."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._open: set[_Session] = set()
        self.stopping = False

    async def serve(
        self, socket: WebSocket, run: str, kind: type[MessageT], answer: Callable[[MessageT], Awaitable[BaseModel]]
    ) -> None:
        """Talk with a caller until it goes or its time is up.

        A message that is wrong is answered by a `Problem`, and the session goes on as if it had not come.

        Args:
            socket: not accepted yet.
            run: for the metrics.
            kind: of messages.
            answer: to a message; it holds the session's state.
        """
        if len(self._open) >= self._limits.sessions or self.stopping:
            await socket.send_denial_response(problem(429, "too many sessions are open: try again later"))
            return
        offered = socket.scope.get("subprotocols", [])
        session = _Session()
        self._open.add(session)
        self._metrics.sessions.labels(run).inc()
        try:
            await socket.accept("longshort" if "longshort" in offered else None)
            with contextlib.suppress(WebSocketDisconnect):
                await self._talk(socket, run, session, kind, answer)
        finally:
            self._open.discard(session)
            self._metrics.sessions.labels(run).dec()

    async def _talk(
        self,
        socket: WebSocket,
        run: str,
        session: _Session,
        kind: type[MessageT],
        answer: Callable[[MessageT], Awaitable[BaseModel]],
    ) -> None:
        counted = self._metrics.messages
        while not session.is_over():
            session.listening = asyncio.ensure_future(socket.receive())
            try:
                event = await session.listening
            except asyncio.CancelledError:
                if not session.is_over():
                    raise
                break
            finally:
                session.listening = None
            if event["type"] == "websocket.disconnect":
                return
            session.heard = time.monotonic()
            text = event.get("text")
            if text is None:
                await socket.close(UNSUPPORTED, "messages are JSON, as text")
                return
            if len(text) > self._limits.message_bytes:
                await socket.close(TOO_BIG, f"a message has at most {self._limits.message_bytes:,} bytes")
                return
            try:
                said = await answer(kind.model_validate_json(text))
                outcome, content = "ok", said.model_dump_json()
            except (ValidationError, InputError) as error:
                what = describe(error) if isinstance(error, ValidationError) else str(error)
                outcome, content = "wrong", bytes(problem(422, what).body).decode()
            except BusyError as error:
                outcome, content = "busy", bytes(problem(429, str(error)).body).decode()
            except LateError as error:
                outcome, content = "late", bytes(problem(503, str(error)).body).decode()
            counted.labels(run, outcome).inc()
            await socket.send_text(content)
        assert session.over is not None
        await socket.close(*session.over)

    async def watch(self) -> None:
        """End sessions that are over, again and again."""
        limits = self._limits
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, limits.session_idle_seconds / 2))
            now = time.monotonic()
            for session in list(self._open):
                if now - session.began > limits.session_seconds:
                    session.end(GOING_AWAY, f"a session lasts {limits.session_seconds:g} seconds at most")
                elif session.listening and now - session.heard > limits.session_idle_seconds:
                    session.end(GOING_AWAY, f"nothing was said for {limits.session_idle_seconds:g} seconds")

    async def stop(self) -> None:
        """End all of them, each after the answer that it is about to give; new ones are refused."""
        self.stopping = True
        for session in list(self._open):
            session.end(RESTART, "the service stops")
        while self._open:
            await asyncio.sleep(0.01)
