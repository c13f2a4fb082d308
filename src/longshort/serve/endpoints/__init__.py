"""The endpoints of every task, a file each: `add(router, run, house)` gives a run its addresses, `card(run)` says what
a page must know of it."""

from __future__ import annotations

import importlib
from typing import Any

# Task, as config.json names it -> the file with its endpoints. A new one is a line here.
ENDPOINTS = {
    "chat": "longshort.serve.endpoints.chat",
    "classify": "longshort.serve.endpoints.classify",
    "compose": "longshort.serve.endpoints.compose",
    "forecast": "longshort.serve.endpoints.forecast",
    "language": "longshort.serve.endpoints.language",
    "summarize": "longshort.serve.endpoints.answer",
    "transcribe": "longshort.serve.endpoints.transcribe",
    "translate": "longshort.serve.endpoints.answer",
}


def endpoints(task: str) -> Any:
    """The module with a task's endpoints, or None where it has none."""
    return importlib.import_module(ENDPOINTS[task]) if task in ENDPOINTS else None
