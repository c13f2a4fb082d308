"""One form for every answer that is none: a status and one line that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Send

from longshort.errors import InputError
from longshort.serve.engine import BusyError, LateError

# More is not said of what is wrong in one request.
SHOWN = 5


class Problem(BaseModel):
    """What is wrong."""

    error: str = Field(description="One line for a person: what is wrong, and where.")


# What any endpoint that takes a body may answer beside 200.
STATUSES = {
    400: "The body is not JSON.",
    401: "The API key is missing or wrong.",
    403: "The page that asks, or the name of the host, is not allowed.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is of another content type.",
    422: "The body, or a parameter, is not what is asked for, or not what this run can use.",
    429: "Too much is waiting: try again in a moment.",
    503: "It took too long, or the service is about to stop.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text} for status, text in STATUSES.items()
}


def problem(status: int, text: str) -> Response:
    """An answer of that form."""
    body = json.dumps({"error": text}).encode()  # ASCII, whatever was in the request
    headers = {429: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}}.get(status)
    return Response(body, status, headers, "application/json")


async def send_problem(send: Send, status: int, text: str) -> None:
    """The same from below the framework."""
    answer = problem(status, text)
    await send({"type": "http.response.start", "status": status, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body})


def describe(error: ValidationError | RequestValidationError) -> str:
    """What does not fit, in one line: "y.3: Input should be a finite number; …"."""
    found = error.errors()
    parts = []
    for one in found[:SHOWN]:
        place = ".".join(str(part)[:80] for part in one["loc"] if part not in ("body", "query"))
        parts.append(f"{place}: {one['msg']}" if place else str(one["msg"]))
    if len(found) > SHOWN:
        parts.append(f"and {len(found) - SHOWN:,} more")
    return " ".join("; ".join(parts).split())


def add_handlers(app: FastAPI) -> None:
    """Have every failure answered in this form."""

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        if any(one["type"] == "json_invalid" for one in error.errors()):
            return problem(400, "the body is not JSON")
        return problem(422, describe(error))

    @app.exception_handler(InputError)
    async def unusable(_: Request, error: InputError) -> Response:
        return problem(422, str(error))

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return problem(429, str(error))

    @app.exception_handler(LateError)
    async def late(_: Request, error: LateError) -> Response:
        return problem(503, str(error))

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        if error.status_code == 400:
            detail = "the body is not JSON in UTF-8, or nested too deeply"
        answer = problem(error.status_code, detail)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return problem(500, "this is a fault of the service; its log says more")
