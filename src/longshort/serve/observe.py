"""What is known of every request: its id, its log line, its place in the metrics."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longshort.serve.logs import log
from longshort.serve.metrics import Metrics

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# What the browser is told of every answer: load nothing from elsewhere, be in no frame, guess no types.
SAFETY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Observe:
    """Gives each request an id, the caller's own if it has a decent one, and tells of it when it is answered."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, and tell how it went."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if _ID.match(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = name
        status, began = 0, time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers["X-Request-ID"] = name
                headers.update(SAFETY)
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            status = status or 500
            log("failed", level=logging.ERROR, request_id=name, path=scope["path"])
            raise
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status)).inc()
            if scope["type"] == "http":
                self._metrics.seconds.labels(route).observe(seconds)
            log(
                "request",
                request_id=name,
                method=scope.get("method", "WEBSOCKET"),
                path=scope["path"],
                status=status,
                ms=round(1000 * seconds, 2),
            )
