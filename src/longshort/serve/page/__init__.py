"""The page: a few files that are read once and served from memory; no address ever becomes a path."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def add(app: FastAPI) -> None:
    """Serve the page at "/", and what it loads under "/page/"."""
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in _TYPES:
            address = "/" if path.name == "index.html" else f"/page/{path.name}"
            app.add_api_route(address, _file(path), methods=["GET"], include_in_schema=False)


def _file(path: Path) -> Any:
    content, kind = path.read_bytes(), f"{_TYPES[path.suffix]}; charset=utf-8"
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return file
