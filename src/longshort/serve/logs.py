"""Structured logs: an object of JSON a line, on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

logger = logging.getLogger("longshort.serve")


def log(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write a line about an event."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A record as a line of JSON; what libraries log becomes one too."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever stands in the message."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str)


def to_standard_error() -> None:
    """Send our own logs there, and uvicorn's warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("longshort.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        named = logging.getLogger(name)
        named.handlers, named.propagate = [handler], False
        named.setLevel(level)
