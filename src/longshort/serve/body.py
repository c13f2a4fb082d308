"""Bodies within bounds: of JSON, not too large, not too slow."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longshort.serve.engine import BUSY
from longshort.serve.errors import send_problem
from longshort.serve.house import House


class Body:
    """Reads a request's body before anything else looks at it, and refuses what it will not have.

    Where too much waits already the body is not looked at: that costs least when there is least time.
    """

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self._app, self._house, self._limits = app, house, house.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, and hand it on or answer why not."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        parts = scope["path"].split("/", 3)
        if len(parts) == 4 and parts[1] == "runs" and self._house.full(parts[2]):
            await send_problem(send, 429, BUSY)
            return
        headers, most = Headers(scope=scope), self._limits.body_bytes
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            await send_problem(send, 415, "the body must be JSON: Content-Type: application/json")
            return
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            await send_problem(send, 413, f"the body has more than {most:,} bytes")
            return
        try:
            body = await asyncio.wait_for(_whole(receive, most), self._limits.upload_seconds)
        except asyncio.TimeoutError:
            await send_problem(send, 408, f"the body did not come within {self._limits.upload_seconds:g} seconds")
            return
        if body is None:
            return
        if len(body) > most:
            await send_problem(send, 413, f"the body has more than {most:,} bytes")
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _whole(receive: Receive, most: int) -> bytes | None:
    """The body, or its beginning where it is too large; None if the caller has gone."""
    parts, size = [], 0
    while size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            break
    return b"".join(parts)
