"""What a comparison found: scores of every cell with confidence intervals, and a verdict that follows from them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from longshort.scores import HIGHEST, Metric
from longshort.study.comparison.contest import Entrant, Outcome
from longshort.study.comparison.intervals import Interval, difference, interval
from longshort.wording import listed


@dataclass(frozen=True)
class Contender:
    """A cell with all its trainings.

    Attributes:
        entrant: cell, size and learning rate.
        outcomes: one for each seed.
        tried: learning rate -> validation loss with the first seed, None where it diverged; {} where none were tried.
    """

    entrant: Entrant
    outcomes: tuple[Outcome, ...]
    tried: dict[float, float | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.entrant.name

    @property
    def diverged(self) -> int:
        """Trainings that came to nothing."""
        return sum(outcome.validation is None for outcome in self.outcomes)


@dataclass(frozen=True)
class Comparison:
    """Cells side by side on one task.

    Attributes:
        title: the task.
        loss: what the learning curves show.
        metrics: of the test split, the one that decides first.
        contenders: the cells.
    """

    title: str
    loss: str
    metrics: Mapping[str, Metric]
    contenders: tuple[Contender, ...]

    @property
    def main(self) -> str:
        """The metric that decides: the first one that any model has a value of."""
        return next((name for name in self.metrics if self.scores(name)), next(iter(self.metrics)))

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of what the cells are measured by."""
        rows = {model: None for c in self.contenders for o in c.outcomes for model in list(o.overall)[1:]}
        return tuple(rows)

    def scores(self, metric: str) -> dict[str, dict[int, float]]:
        """Model -> seed -> value on the test split, of those that have any."""
        found: dict[str, dict[int, float]] = {}
        for contender in self.contenders:
            for outcome in contender.outcomes:
                for k, (model, row) in enumerate(outcome.overall.items()):
                    value = row.get(metric)
                    if value is not None:
                        found.setdefault(model if k else contender.name, {}).setdefault(outcome.seed, value)
        order = [*(c.name for c in self.contenders), *self.baselines]
        return {model: found[model] for model in order if model in found}

    def interval(self, model: str, metric: str) -> Interval | None:
        """Mean of a model over the seeds, with its confidence interval."""
        values = self.scores(metric).get(model)
        return interval(list(values.values())) if values else None

    def median(self, model: str, metric: str) -> float | None:
        """Median of a model over the seeds."""
        values = self.scores(metric).get(model)
        return statistics.median(values.values()) if values else None

    def lead(self, model: str, other: str) -> Interval | None:
        """By how much a model is better than another in the metric that decides, seed by seed; negative if worse."""
        metric, scores = self.metrics[self.main], self.scores(self.main)
        seeds = sorted(set(scores.get(model, {})) & set(scores.get(other, {})))
        if not seeds:
            return None
        of = [[metric.distance(scores[name][seed]) for seed in seeds] for name in (other, model)]
        return difference(*of)

    @property
    def best(self) -> str | None:
        """The model with the best mean."""
        metric, means = self.metrics[self.main], {m: self.interval(m, self.main) for m in self.scores(self.main)}
        known = {model: metric.distance(found.mean) for model, found in means.items() if found}
        return min(known, key=lambda model: known[model]) if known else None

    @property
    def verdict(self) -> str:
        """Which model is best, and which ones these seeds cannot tell from it."""
        best = self.best
        if best is None:
            return "Every training diverged, so nothing can be said: try a lower learning rate."
        text = f"{self._ranking(best)}{self._fallen()}"
        return text[0].upper() + text[1:]

    def _ranking(self, best: str) -> str:
        metric, scores = self.metrics[self.main], self.scores(self.main)
        words = dict(zip(scores, metric.show([statistics.fmean(v.values()) for v in scores.values()]), strict=True))
        text = f"{self._called(best)} has the best {self.main} ({words[best]})"
        if len(scores) == 1:
            return text
        seeds = max(map(len, scores.values()))
        if seeds == 1:
            return f"{text}, but one seed shows no difference that could not be chance: take several"
        gaps = {model: self.lead(best, model) for model in scores if model != best}
        equal = [model for model, gap in gaps.items() if gap is None or not gap.clear]
        worse = [model for model in gaps if model not in equal]
        if not worse:
            return f"{text}, but there is no difference to {self._all(equal, words)} that {seeds} seeds can show"
        if equal:
            text += f"; {seeds} seeds show no difference to {self._all(equal, words)}, but put it ahead of "
        else:
            text += ", ahead of "
        text += self._all(worse, words)
        if best in self.baselines:
            beaten = {c.name for c in self.contenders} <= set(worse)
            text += ": the baseline wins" if beaten else ": no cell is shown to beat the baseline"
        return text

    def _called(self, model: str) -> str:
        return f"the baseline “{model}”" if model in self.baselines else f"the {model}"

    def _all(self, models: Sequence[str], words: Mapping[str, str]) -> str:
        """Models with their scores, the baselines last."""
        cells = [f"the {model} ({words[model]})" for model in models if model not in self.baselines]
        others = [f"“{model}” ({words[model]})" for model in models if model in self.baselines]
        if others:
            others[0] = f"the baseline{'s' * (len(others) > 1)} {others[0]}"
        return listed([*cells, *others])

    def _fallen(self) -> str:
        fallen = [f"{c.diverged} of {len(c.outcomes)} of the {c.name}" for c in self.contenders if c.diverged]
        return f"; trainings that diverged: {listed(fallen)}." if fallen else "."

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it."""
        cells = [
            {
                **asdict(contender.entrant),
                "name": contender.name,
                "tried": [[rate, loss] for rate, loss in contender.tried.items()],
                "outcomes": [outcome.to_json() for outcome in contender.outcomes],
            }
            for contender in self.contenders
        ]
        summary = {
            metric: {model: self._summary(model, metric) for model in self.scores(metric)} for metric in self.metrics
        }
        return {
            "title": self.title,
            "verdict": self.verdict,
            "main": self.main,
            "baselines": list(self.baselines),
            "summary": summary,
            "cells": cells,
        }

    def _summary(self, model: str, metric: str) -> dict[str, float | None]:
        values = list(self.scores(metric)[model].values())
        found = interval(values)
        half = found.half if math.isfinite(found.half) else None
        ends = sorted(values, reverse=self.metrics[metric].aim == HIGHEST)
        return {
            "mean": found.mean,
            "half": half,
            "median": statistics.median(values),
            "best": ends[0],
            "worst": ends[-1],
            "seeds": len(values),
        }
