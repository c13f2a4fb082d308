"""Our model beside its baselines: one table, the best of every column marked, and what the columns mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from longshort.report.figures import Spec
from longshort.report.html import Html, definitions, el, join, numbers, table

LOWEST, HIGHEST = float("-inf"), float("inf")


@dataclass(frozen=True)
class Metric:
    """A column of the comparison.

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


def comparison(
    overall: Mapping[str, Mapping[str, float | None]],
    metrics: Mapping[str, Metric],
    lines: Mapping[str, Spec],
    caption: str,
) -> Html:
    """The table of all models and metrics; metrics that no model has a value of are left out."""
    shown = {n: m for n, m in metrics.items() if any(row.get(n) is not None for row in overall.values())}
    winning = winners(overall, shown)
    columns = [metric.show([row.get(name) for row in overall.values()]) for name, metric in shown.items()]
    rows = [[named(model, lines), *cells] for model, *cells in zip(overall, *columns, strict=True)]
    best = [{k for k, name in enumerate(shown, start=1) if model in winning[name]} for model in overall]
    heads = [metric.title or name for name, metric in shown.items()]
    meanings = list(zip(heads, (metric.meaning for metric in shown.values()), strict=True))
    if any(best):
        caption += "; ★ is the best of its column"
    return join(table(["Model", *heads], rows, caption=caption, best=best), definitions(meanings))


def named(model: str, lines: Mapping[str, Spec]) -> Html:
    """A model's name with its colour, the same as in the pictures."""
    colour = lines[model]["color"]
    return join(el("span", class_="swatch", style=f"border-color:{colour}", aria_hidden="true"), model)


def percent(value: float | None, decimals: int = 0) -> str:
    """A share as percent: 0.8 is 80 %, with a space that does not break."""
    return "–" if value is None else f"{100 * value:.{decimals}f}\u00a0%"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
