"""Cells on somebody's data: each is the recurrent layer of the task's estimator, beside the task's own baselines."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshort.errors import InputError
from longshort.estimator import Estimator, Size
from longshort.study.comparison.contest import Contest, Entrant, Outcome
from longshort.tasks import ESTIMATORS
from longshort.training import Hardware, Progress


class EstimatorContest(Contest):
    """A task of `longshort.tasks`, with its data.

    Args:
        task: its name.
        data: what it learns from.
        settings: of its estimator, but for the cell, the size, the learning rate and the seed.
        options: how to read the data.
        hardware: where to train.
    """

    fixed = ("none",)
    loss = "the validation loss of the task"

    def __init__(
        self,
        task: str,
        data: Any,
        settings: Mapping[str, Any],
        options: Mapping[str, Any],
        hardware: Hardware | None,
    ) -> None:
        if task not in ESTIMATORS:
            raise InputError(f"there is no task {task!r} to compare cells on: known are {', '.join(ESTIMATORS)}")
        module, name = ESTIMATORS[task]
        self.kind: type[Estimator[Any, Any, Any]] = getattr(importlib.import_module(module), name)
        self.data, self.settings, self.options, self.hardware = data, dict(settings), dict(options), hardware
        self.title = task
        self.metrics = self.kind.scores_type.metrics
        known = self.kind.settings_type.__dataclass_fields__
        if "cell" not in known or "hidden_size" not in known:
            raise InputError(f"the networks of the task {task!r} have no cell to choose: compare on another task")

    def size(self, cell: str, hidden_size: int | None) -> Size:
        """How large a network is; None for the units of the settings."""
        units = {} if hidden_size is None else {"hidden_size": hidden_size}
        return self._estimator(cell=cell, **units).size(self.data, **self.options)

    def described(self, cell: str) -> dict[str, Any]:
        """What config.json says of the data, and of what is made of it for one of the cells."""
        estimator = self._estimator(cell=cell)
        return estimator._describe(estimator._read(self.data, **self.options))

    def enter(self, entrant: Entrant, seed: int, folder: Path, progress: Progress, *, test: bool) -> Outcome:
        """Train, and look at the test split if `test` says so."""
        given: dict[str, Any] = {"cell": entrant.cell, "hidden_size": entrant.hidden_size, "seed": seed}
        if entrant.learning_rate is not None:
            given["learning_rate"] = entrant.learning_rate
        estimator = self._estimator(**given)
        trial = estimator.trial(
            self.data, checkpoints=folder, hardware=self.hardware, progress=progress, scored=test, **self.options
        )
        if test and trial.scores is None:
            raise InputError("there is no test split to compare cells on: hold one out")
        overall = trial.scores.overall if trial.scores else {}
        return Outcome(seed, trial.validation, trial.checks, trial.seconds, overall)

    def _estimator(self, **given: Any) -> Estimator[Any, Any, Any]:
        return self.kind(**{**self.settings, **given})
