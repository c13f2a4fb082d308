"""Who may ask: whoever knows the API key; without one, whoever is on this machine and no page from elsewhere."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from longshort.serve.errors import send_problem

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What a browser names a key by in the list of subprotocols, as it cannot set headers of a WebSocket.
SUBPROTOCOL = "longshort.key."
# They hold no data: the page, and whether the service lives.
OPEN = ("/", "/health", "/ready")


class Access:
    """Refuses requests without the key, for other names of the host, or from pages of other origins.

    A page from elsewhere could otherwise talk to a service on the loopback of whoever looks at it: directly by
    WebSocket, which knows no same-origin rule, or after having its own name point to 127.0.0.1.

    Args:
        app: what is behind it.
        key: the API key, or None for none.
        local: whether only names of this machine are answered to.
        origins: of pages from elsewhere that may ask.
    """

    def __init__(self, app: ASGIApp, *, key: str | None, local: bool, origins: Sequence[str]) -> None:
        self._app, self._key, self._local, self._origins = app, key, local, tuple(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in place of the service, or let the request pass."""
        if scope["type"] in ("http", "websocket"):
            refused = self._refused(scope)
            if refused:
                if scope["type"] == "websocket":
                    await receive()  # the handshake, which is answered in place of the page
                    send = _denying(send)
                await send_problem(send, *refused)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and _name(host) not in LOOPBACK:
            return 403, "this service answers to localhost only"
        origin = headers.get("origin")
        if origin and origin not in self._origins and urlsplit(origin).netloc != host:
            return 403, "pages of this origin may not ask here: start the service with --cors to allow it"
        path = scope["path"]
        if self._key is None or path in OPEN or path.startswith("/page/"):
            return None
        given = _key(headers)
        if given is None:
            return 401, "an API key is needed: Authorization: Bearer KEY"
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            return 401, "the API key is wrong"
        return None


def _name(host: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _key(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    for name in headers.get("sec-websocket-protocol", "").split(","):
        code = name.strip()
        if code.startswith(SUBPROTOCOL):
            code = code.removeprefix(SUBPROTOCOL)
            try:
                return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
            except ValueError:
                return ""
    return None


def _denying(send: Send) -> Send:
    """An HTTP answer to a handshake of a WebSocket."""

    async def denied(message: dict[str, object]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return denied  # type: ignore[return-value]
