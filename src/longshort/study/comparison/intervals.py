"""Means of a few numbers with their confidence intervals, by Student's t distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and how far the true one may be from it.

    Attributes:
        mean: of the numbers.
        half: half the width of the 95 % confidence interval; infinite for a single number.
        count: of the numbers.
    """

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """Its lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.mean + self.half

    @property
    def clear(self) -> bool:
        """Whether zero lies outside of it."""
        return self.low > 0 or self.high < 0


def interval(values: Sequence[float]) -> Interval:
    """The mean of numbers that were drawn independently from about a normal distribution."""
    from scipy.stats import t

    n, mean = len(values), statistics.fmean(values)
    if n == 1:
        return Interval(mean, math.inf, 1)
    quantile = float(t.ppf((1 + LEVEL) / 2, n - 1))
    return Interval(mean, quantile * statistics.stdev(values) / math.sqrt(n), n)


def difference(ones: Sequence[float], others: Sequence[float]) -> Interval:
    """By how much the ones lie above the others, paired by their place: the same seed, the same split."""
    return interval([one - other for one, other in zip(ones, others, strict=True)])
