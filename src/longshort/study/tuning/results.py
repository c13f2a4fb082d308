"""What a search found: its trials, how the best of them fares beside the default settings, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.space import Range, Ranges
from longshort.study.tuning.search import FINISHED, Tried
from longshort.wording import numbers, percent


@dataclass(frozen=True)
class Again:
    """Validation losses of the default settings and of the best trial, trained once more from other seeds, in pairs."""

    default: tuple[float, ...]
    best: tuple[float, ...]

    @property
    def better(self) -> int:
        """In how many pairs the best trial is better."""
        return sum(b < d for d, b in zip(self.default, self.best, strict=True))


@dataclass(frozen=True)
class Tuning:
    """A search over the settings of a task.

    Attributes:
        task: whose settings.
        settings: all that was given, the same in every trial.
        data, options: what was learnt from.
        values: all settings by default, read from the data where nothing was given.
        ranges: what was searched over.
        tried: all trials by number, 0 with the default settings.
        importances: share of each setting in what the finished trials differ by.
        again: the best and the default settings with other seeds; None where the default ones are best, or nothing was
            asked for.
        workers: trials that were trained side by side.
    """

    task: str
    settings: Mapping[str, Any]
    data: Any
    options: Mapping[str, Any]
    values: Mapping[str, Any]
    ranges: Ranges
    tried: Mapping[int, Tried]
    importances: Mapping[str, float]
    again: Again | None = None
    workers: int = 1

    @property
    def default(self) -> Tried:
        """The trial with the default settings."""
        return self.tried[0]

    @property
    def best(self) -> Tried:
        """The trial with the lowest validation loss."""
        return min((t for t in self.tried.values() if t.state == FINISHED), key=lambda t: (t.validation, t.number))

    @property
    def winner(self) -> Tried:
        """The trial whose settings to take: the best one, unless other seeds tell that it was luck."""
        if self.again and np.mean(self.again.best) >= np.mean(self.again.default):
            return self.default
        return self.best

    @property
    def winning_settings(self) -> dict[str, Any]:
        """All settings that differ from the default ones, as the task's estimator takes them."""
        chosen = {} if self.winner.number == 0 else dict(self.winner.settings)
        return {**self.settings, **chosen}

    @property
    def verdict(self) -> str:
        """What the numbers say."""
        count = len(self.tried)
        trials = "1 trial" if count == 1 else f"{count} trials"
        if self.best.number == 0:
            return f"The default settings are the best of {trials}: keep them."
        best, default = numbers([self.best.validation, self.default.validation])
        said = f"The best of {trials}, number {self.best.number}, has a validation loss of {best}"
        if self.default.validation is None:
            return f"{said}; the default settings could not be trained: {self.default.reason}."
        said += f", {_less(self.best.validation, self.default.validation)} than the default settings' {default}"
        if self.again is None:
            return f"{said}, with one seed."
        means = float(np.mean(self.again.best)), float(np.mean(self.again.default))
        pairs = len(self.again.best)
        seeds = f"trained again from {pairs} other seeds" if pairs > 1 else "trained again from another seed"
        one, two = numbers(means)
        if means[0] >= means[1]:
            return f"{said}; {seeds} it comes to {one}, they to {two}: that was luck, keep the defaults."
        said += f"; {seeds} it comes to {one}, they to {two}"
        if self.again.better < pairs:
            return f"{said}, but it is not better from each of them: the difference is within the noise of seeds."
        return f"{said}."

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it."""
        return {
            "verdict": self.verdict,
            "winner": {"number": self.winner.number, "settings": self.winning_settings},
            "default": {name: self.values.get(name) for name in self.ranges},
            "space": {name: to_json(values) for name, values in self.ranges.items()},
            "importances": dict(self.importances),
            "again": asdict(self.again) if self.again else None,
            "trials": [asdict(t) for t in self.tried.values()],
        }


def to_json(values: Any) -> dict[str, Any]:
    """A range or a choice as JSON."""
    return {"kind": "range" if isinstance(values, Range) else "choice", **asdict(values)}


def _less(one: float | None, other: float) -> str:
    assert one is not None
    share = (other - one) / abs(other) if other else 0.0
    return f"{percent(share, 1)} less" if share > 0 else "no less"
