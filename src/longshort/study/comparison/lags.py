"""Success against the lag: the same comparison at growing lags."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from longshort.study.comparison.config import LagsConfig
from longshort.study.comparison.result import Comparison
from longshort.study.dependencies import DEPENDENCIES
from longshort.wording import listed

# A cell succeeds at a lag where the median of its seeds is nearer to perfection than this share of the way from chance.
SUCCESS = 0.9


@dataclass(frozen=True)
class LagComparison:
    """Cells on one task at several lags.

    Attributes:
        config: what was compared.
        comparisons: one for each lag, ascending.
    """

    config: LagsConfig
    comparisons: tuple[Comparison, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells in tables."""
        return tuple(contender.name for contender in self.comparisons[0].contenders)

    def success(self, cell: str) -> list[list[float]]:
        """For each lag the success of every seed, from 0 by chance to 1; what diverged has 0."""
        task = DEPENDENCIES[self.config.task]
        found = []
        for lag, comparison in zip(self.config.lags, self.comparisons, strict=True):
            scores = comparison.scores(task.metric).get(cell, {})
            values = [max(0.0, task.success(score, lag)) for score in scores.values()]
            found.append(values + [0.0] * (self.config.seeds - len(values)))
        return found

    def furthest(self, cell: str) -> int | None:
        """The longest lag up to which the cell succeeds at every one; None where it fails at the shortest."""
        furthest = None
        for lag, values in zip(self.config.lags, self.success(cell), strict=True):
            if statistics.median(values) < SUCCESS:
                break
            furthest = lag
        return furthest

    @property
    def verdict(self) -> str:
        """How far each cell gets, in a sentence."""
        lags = self.config.lags
        by_reach: dict[int | None, list[str]] = {}
        for cell in self.cells:
            by_reach.setdefault(self.furthest(cell), []).append(f"the {cell}")
        parts = []
        for reach in sorted(by_reach, key=lambda lag: lag or 0, reverse=True):
            names = listed(by_reach[reach])
            many = len(by_reach[reach]) > 1
            if reach is None:
                parts.append(f"{names} {'fail' if many else 'fails'} even at a lag of {lags[0]:,}")
            elif reach == lags[-1]:
                parts.append(f"{names} {'succeed' if many else 'succeeds'} at all lags up to {reach:,} steps")
            else:
                parts.append(f"{names} up to {reach:,}")
        text = f"{listed(parts)}."
        return text[0].upper() + text[1:]

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it."""
        cells = {
            cell: {
                "furthest": self.furthest(cell),
                "success": [
                    {"lag": lag, "median": statistics.median(values), "seeds": values}
                    for lag, values in zip(self.config.lags, self.success(cell), strict=True)
                ],
            }
            for cell in self.cells
        }
        return {
            "verdict": self.verdict,
            "success": cells,
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
        }
