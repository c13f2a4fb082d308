"""Scores of several models on the same data: what each metric means, which model is best at it, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from longshort.wording import numbers

if TYPE_CHECKING:
    from typing_extensions import Self

LOWEST, HIGHEST = float("-inf"), float("inf")

Overall = dict[str, dict[str, "float | None"]]


@dataclass(frozen=True)
class Metric:
    """A column of a comparison.

    Attributes:
        meaning: what it is, in a sentence or two.
        aim: `LOWEST` or `HIGHEST` is best, or the value to be near to.
        show: a column of values as text.
        title: heading of the column; the metric's own name if empty.
    """

    meaning: str
    aim: float = LOWEST
    show: Callable[[Sequence[float | None]], list[str]] = numbers
    title: str = ""

    def distance(self, value: float) -> float:
        """How far from the best, for comparisons."""
        if self.aim in (LOWEST, HIGHEST):
            return value if self.aim == LOWEST else -value
        return round(abs(value - self.aim), 9)


@dataclass(frozen=True)
class Scores:
    """What every task's evaluation gives.

    Attributes:
        overall: model -> metric -> value, None where there is none; our model first, then the baselines.
        verdict: who wins, in one or two sentences.
    """

    metrics: ClassVar[Mapping[str, Metric]]

    overall: Overall
    verdict: str

    @property
    def shown(self) -> dict[str, Metric]:
        """The metrics of which any model has a value."""
        return {n: m for n, m in self.metrics.items() if any(row.get(n) is not None for row in self.overall.values())}

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return {"verdict": self.verdict, "overall": self.overall}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**values)


def winners(overall: Mapping[str, Mapping[str, float | None]], metrics: Mapping[str, Metric]) -> dict[str, set[str]]:
    """For each metric the models that are best at it: several in a tie, none where fewer than two have a value.

    Args:
        overall: model -> metric -> value, None where there is none.
        metrics: by name.
    """
    result: dict[str, set[str]] = {}
    for name, metric in metrics.items():
        found = {model: row.get(name) for model, row in overall.items()}
        distance = {model: metric.distance(value) for model, value in found.items() if value is not None}
        result[name] = {m for m, d in distance.items() if d == min(distance.values())} if len(distance) > 1 else set()
    return result
