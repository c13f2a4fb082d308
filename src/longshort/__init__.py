"""Long short-term memory networks, from the cell to the served model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longshort import data, nn, ops
    from longshort.errors import InputError, LongshortError
    from longshort.tasks.classify import Classifier
    from longshort.tasks.compose import Composer
    from longshort.tasks.forecast import Forecaster
    from longshort.tasks.language import LanguageModel
    from longshort.tasks.seq2seq import Chatbot, Summarizer, Translator
    from longshort.tasks.transcribe import Transcriber

__version__ = "0.1.0"

# Nothing heavy is loaded until a name is used, so that the command answers at once.
_HOMES = {
    "Chatbot": "longshort.tasks.seq2seq",
    "Classifier": "longshort.tasks.classify",
    "Composer": "longshort.tasks.compose",
    "Forecaster": "longshort.tasks.forecast",
    "InputError": "longshort.errors",
    "LanguageModel": "longshort.tasks.language",
    "LongshortError": "longshort.errors",
    "Summarizer": "longshort.tasks.seq2seq",
    "Transcriber": "longshort.tasks.transcribe",
    "Translator": "longshort.tasks.seq2seq",
}
_PACKAGES = ("data", "nn", "ops")

__all__ = [
    "Chatbot",
    "Classifier",
    "Composer",
    "Forecaster",
    "InputError",
    "LanguageModel",
    "LongshortError",
    "Summarizer",
    "Transcriber",
    "Translator",
    "__version__",
    "data",
    "nn",
    "ops",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"longshort.{name}")
    raise AttributeError(f"module 'longshort' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
