"""The process: uvicorn with our bounds, and an end that finishes what was begun."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from longshort.errors import InputError
from longshort.serve.access import LOOPBACK
from longshort.serve.app import create_app
from longshort.serve.limits import Limits
from longshort.serve.logs import log, to_standard_error
from longshort.serve.runs import load_runs

# So long connections that are open may still bring a request that is on its way, in seconds.
GRACE = 0.2


class _Server(uvicorn.Server):
    """Tells when it can be reached, and ends sessions between two of their messages."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        log("ready", address=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log("stopping")
        for server in self.servers:
            server.close()
        await asyncio.sleep(GRACE)
        await self.config.app.state.house.sessions.stop()  # type: ignore[union-attr]
        await super().shutdown(sockets)
        log("stopped")


def serve(
    paths: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key: str | None = None,
    origins: Sequence[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve runs until SIGTERM or Ctrl-C; what was begun by then is finished.

    Args:
        paths: run directories.
        host: the address to listen at. Any but the loopback's needs a key.
        port: 0 for a free one.
        key: the API key that callers must know.
        origins: of pages from elsewhere that may ask.
        limits: bounds.

    Raises:
        InputError: a run cannot be read, the address cannot be had, or it needs a key and there is none.
    """
    local = host in LOOPBACK
    if not local and not key:
        raise InputError(f"whoever reaches {host} could ask: give an --api-key, or leave out --host")
    if key and not (key.isascii() and key.isprintable()):
        raise InputError("the API key must be of printable ASCII characters, as it is sent in a header: choose another")
    limits = limits or Limits()
    with _listen(host, port) as opened:
        to_standard_error()
        runs = load_runs(paths)
        for run in runs:
            log("loaded", run=run.name, task=run.task)
        _run(create_app(runs, limits, key=key, local=local, origins=origins), limits, opened)


def _run(app: FastAPI, limits: Limits, opened: socket.socket) -> None:
    """Serve until a signal comes, and then finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        ws_max_size=limits.message_bytes,
        ws_max_queue=4,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=limits.stop_seconds,
        lifespan="on",
    )
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:  # uvicorn takes both while it serves, and hands them on when it is done
        _Server(config).run(sockets=[opened])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    """A socket at the address; it is ours before anything is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}; choose another --port") from None
    return opened
