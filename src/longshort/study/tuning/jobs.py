"""One trial as a job that any process can do: train with these settings, tell every look, stop when told so."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from longshort.errors import InputError, LongshortError
from longshort.estimator import Trial
from longshort.tasks import ESTIMATORS
from longshort.training import Check, Hardware, Progress, Watcher

# Told of a look, as percent of the training and validation loss, it says whether to go on.
Look = Callable[[int, float], bool]


class StoppedError(LongshortError):
    """The search ended a trial that was worse than the others."""


class LostError(LongshortError):
    """The process or the machine that trained is gone; the job can be done again, from its last checkpoint."""


@dataclass(frozen=True)
class Job:
    """What to train.

    Attributes:
        name: for people.
        task: as in `ESTIMATORS`.
        settings: of its estimator.
        data, options: as its `fit` takes them.
        checkpoints: folder of its own.
        hardware: where to train.
    """

    name: str
    task: str
    settings: dict[str, Any]
    data: Any
    options: dict[str, Any]
    checkpoints: str
    hardware: Hardware

    def to_json(self) -> dict[str, Any]:
        """As another process is told of it."""
        return {**vars(self), "hardware": vars(self.hardware)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Job:
        """The inverse of `to_json`."""
        return cls(**{**values, "hardware": Hardware(**values["hardware"])})


class Worker(Protocol):
    """What does jobs, one at a time."""

    def train(self, job: Job, look: Look) -> Trial:
        """Train to the end; raises StoppedError, LostError, or what the training itself raises."""

    def close(self) -> None:
        """Give back what it holds, in the middle of a job too."""


class Here:
    """Does the jobs in this process.

    Args:
        progress: shows the course of every training.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def train(self, job: Job, look: Look) -> Trial:
        """Train in this process."""
        return train(job, look, self.progress)

    def close(self) -> None:
        """Nothing is held."""


def train(job: Job, look: Look, progress: Progress | None = None) -> Trial:
    """Train as the job says.

    Args:
        job: what to train.
        look: asked at every look of the first training at the validation split.
        progress: shows the course of the training.

    Raises:
        StoppedError: `look` said so.
        InputError: the settings do not go with the data.
        LongshortError: the training diverged.
    """
    model = estimator(job.task, job.settings)
    told = _Told(look, progress or Progress(), job.name)
    trial: Trial = model.trial(
        job.data, checkpoints=job.checkpoints, hardware=job.hardware, progress=told, **job.options
    )
    return trial


def estimator(task: str, settings: dict[str, Any]) -> Any:
    """A fresh estimator of a task.

    Raises:
        InputError: there is no such task, or a setting does not fit.
    """
    if task not in ESTIMATORS:
        raise InputError(f"there is no task {task!r}: known are {', '.join(ESTIMATORS)}")
    module, name = ESTIMATORS[task]
    return getattr(importlib.import_module(module), name)(**settings)


class _Told(Progress):
    """Passes looks on to the search, steps and looks to a bar; what is said of the data is said once, elsewhere."""

    def __init__(self, look: Look, bar: Progress, name: str) -> None:
        self.look, self.bar, self.name = look, bar, name
        self.trainings = 0

    @contextmanager
    def training(self, title: str, steps: int) -> Iterator[Watcher]:
        self.trainings += 1
        with self.bar.training(self.name, steps) as shown:
            # Later networks of the same trial are other seeds of what has passed.
            yield _Watcher(shown, self.look if self.trainings == 1 else _go_on, steps)


class _Watcher:
    def __init__(self, shown: Watcher, look: Look, steps: int) -> None:
        self.shown, self.look, self.steps = shown, look, steps

    def step(self, number: int) -> None:
        self.shown.step(number)

    def check(self, check: Check) -> None:
        self.shown.check(check)
        # In percent, trials whose steps differ in number can be compared.
        if check.validation is not None and math.isfinite(check.validation):
            percent = round(100 * check.step / self.steps)
            if percent < 100 and not self.look(percent, check.validation):
                raise StoppedError(f"worse than the others at {percent} % of its training")


def _go_on(percent: int, loss: float) -> bool:
    return True
