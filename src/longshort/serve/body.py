"""Bodies within bounds: of JSON or of audio, not too large, not too slow."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longshort.serve.engine import BUSY
from longshort.serve.errors import send_problem
from longshort.serve.house import House

JSON, JSON_WANTED = ("application/json",), "JSON: Content-Type: application/json"
# What recordings are called -> the format that they are then in.
SOUNDS = {
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "WAV"),
    **dict.fromkeys(("audio/flac", "audio/x-flac"), "FLAC"),
    **dict.fromkeys(("audio/ogg", "application/ogg", "audio/opus"), "OGG"),
}
SOUND_WANTED = "a recording: Content-Type: audio/wav, audio/flac or audio/ogg"


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
        headers, sound = Headers(scope=scope), scope["path"] in self._house.sounds
        most = self._limits.audio_bytes if sound else self._limits.body_bytes
        if content_type(headers) not in (SOUNDS if sound else JSON):
            await send_problem(send, 415, f"the body must be {SOUND_WANTED if sound else JSON_WANTED}")
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


def content_type(headers: Headers) -> str:
    """What a body is said to be."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


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
