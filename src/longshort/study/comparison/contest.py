"""What cells compete in: a task that a network of any cell and size can be trained on and tested in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshort.estimator import Checks, Size
from longshort.scores import Metric, Overall
from longshort.training import Check, Progress, Watcher

# Cells in tables; those of the built-in tasks and those of the estimators.
NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "rnn-relu": "RNN, ReLU", "none": "No recurrent layer"}


@dataclass(frozen=True)
class Entrant:
    """A cell as it competes.

    Attributes:
        cell: its name in settings.
        hidden_size: units of a layer.
        weights: trained numbers.
        learning_rate: None for that of the settings.
    """

    cell: str
    hidden_size: int
    weights: int
    learning_rate: float | None = None

    @property
    def name(self) -> str:
        """Its name in tables."""
        return NAMES[self.cell]


@dataclass(frozen=True)
class Outcome:
    """What one training came to.

    Attributes:
        seed: of weights, batches and dropout.
        validation: the lowest validation loss; None where the training diverged.
        checks: of every network that was trained, its looks at the validation split.
        seconds: that the training took.
        processor_seconds: of all threads together, the test included: what it costs on a machine that does more.
        overall: model -> metric -> value on the test split, ours first; empty where the test was left alone.
        reached: the longest lag that the curriculum came to; None without one.
    """

    seed: int
    validation: float | None
    checks: Checks
    seconds: float
    overall: Overall = field(default_factory=dict)
    reached: int | None = None
    processor_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it; a loss that is not finite becomes null."""
        looks = [[[c.step, _finite(c.training), _finite(c.validation)] for c in checks] for checks in self.checks]
        overall = {model: {name: _finite(v) for name, v in row.items()} for model, row in self.overall.items()}
        return {**vars(self), "checks": looks, "overall": overall}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Outcome:
        """The inverse of `to_json`."""
        looks = [
            [Check(step, math.nan if training is None else training, loss) for step, training, loss in checks]
            for checks in values["checks"]
        ]
        return cls(**{**values, "checks": looks})


class Contest(ABC):
    """A task on which cells are compared.

    Attributes:
        title: what it is, a few words.
        loss: what the learning curves show.
        metrics: of the test, the one that decides first.
        fixed: cells that have no size to choose.
    """

    title: str
    loss: str
    metrics: Mapping[str, Metric]
    fixed: tuple[str, ...] = ()

    @abstractmethod
    def size(self, cell: str, hidden_size: int | None) -> Size:
        """How large a network is; None for the units of the settings."""

    @abstractmethod
    def enter(self, entrant: Entrant, seed: int, folder: Path, progress: Progress, *, test: bool) -> Outcome:
        """Train, and look at the test split if `test` says so.

        Args:
            entrant: cell, size and learning rate.
            seed: of weights, batches and dropout.
            folder: for what a resumption needs; the training goes on from what is in it.
            progress: who is told.
            test: whether to score on the test split.

        Raises:
            LongshortError: the training diverged.
        """


class Named(Progress):
    """Passes on trainings under a name of their own, and keeps their notes to itself."""

    def __init__(self, progress: Progress, name: str) -> None:
        self.progress, self.name = progress, name

    @contextmanager
    def training(self, title: str, steps: int) -> Iterator[Watcher]:
        """One training."""
        with self.progress.training(f"{self.name}: {title}", steps) as watcher:
            yield watcher


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
