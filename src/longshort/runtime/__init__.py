"""Trained runs without PyTorch: NumPy, safetensors and the compiled core.

>>> from longshort.runtime import load
>>> model = load("runs/sales")                               # doctest: +SKIP

What `load` gives has the methods of the estimator that wrote the run, for all that asks a network and nothing that
trains one, and answers with the same numbers. Where that returns a table, this returns its columns: name -> array.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from longshort.artifact import CONFIG, RunDirectory
from longshort.errors import InputError

__all__ = ["load"]

# Task, as config.json names it -> its module and class. A new task is a file, a line here and one in the tests.
_RUNTIMES = {
    "forecast": ("longshort.runtime.forecast", "Forecaster"),
    "language": ("longshort.runtime.language", "LanguageModel"),
    "classify": ("longshort.runtime.classify", "Classifier"),
    "translate": ("longshort.runtime.seq2seq", "Translator"),
    "summarize": ("longshort.runtime.seq2seq", "Summarizer"),
    "chat": ("longshort.runtime.seq2seq", "Chatbot"),
    "compose": ("longshort.runtime.compose", "Composer"),
    "transcribe": ("longshort.runtime.transcribe", "Transcriber"),
}


def load(path: str | Path) -> Any:
    """The model of a run directory, whichever its task.

    Raises:
        InputError: it is not a finished run, not as it was written, or of a task that this runtime does not know.
    """
    run = RunDirectory.open(path)
    config = run.read_json(CONFIG)
    if isinstance(config, dict) and "study" in config:
        raise InputError(f"{path} holds a study, not a trained model: read its report.html and results.json")
    task = config.get("task") if isinstance(config, dict) else None
    if task not in _RUNTIMES:
        raise InputError(f"{path} holds a run of the task {task!r}, the runtime knows {', '.join(_RUNTIMES)}")
    module, name = _RUNTIMES[task]
    try:
        return getattr(importlib.import_module(module), name).restore(run, config["settings"])
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"{path} is not as longshort wrote it ({type(error).__name__}: {what}): restore it, or fit again"
        ) from error
