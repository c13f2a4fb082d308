"""One application each: what goes in, the network, the loss, the metric, the baseline, what comes out."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from longshort.artifact import CONFIG, RunDirectory
from longshort.errors import InputError

# Task, as config.json names it -> its estimator. A new application is a line here and a line in the contract test.
ESTIMATORS = {
    "forecast": ("longshort.tasks.forecast", "Forecaster"),
    "language": ("longshort.tasks.language", "LanguageModel"),
    "classify": ("longshort.tasks.classify", "Classifier"),
    "translate": ("longshort.tasks.seq2seq", "Translator"),
    "summarize": ("longshort.tasks.seq2seq", "Summarizer"),
    "chat": ("longshort.tasks.seq2seq", "Chatbot"),
    "compose": ("longshort.tasks.compose", "Composer"),
    "transcribe": ("longshort.tasks.transcribe", "Transcriber"),
}


def load(path: str | Path) -> Any:
    """The estimator of a run directory, whichever its task.

    Raises:
        InputError: it is not a finished run, not as it was written, or of a task that this longshort does not know.
    """
    settings = RunDirectory.open(path).read_json(CONFIG)
    if isinstance(settings, dict) and "study" in settings:
        raise InputError(f"{path} holds a study, not a trained model: read its report.html and results.json")
    task = settings.get("task") if isinstance(settings, dict) else None
    if task not in ESTIMATORS:
        known = ", ".join(ESTIMATORS)
        raise InputError(f"{path} holds a run of the task {task!r}, known are {known}: upgrade longshort")
    module, name = ESTIMATORS[task]
    return getattr(importlib.import_module(module), name).load(path)
