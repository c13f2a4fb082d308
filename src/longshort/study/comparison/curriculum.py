"""Short lags first, and a longer one as soon as the last is mastered: for all cells alike, each at its own pace."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

# Of the running mean of the success: how much of it the next batch replaces.
WEIGHT = 0.1


class Curriculum:
    """Which lag the next batch has.

    Args:
        lag: the full one.
        first: the lag to begin with.
        growth: factor from one lag to the next.
        mastered: success, from 0 by chance to 1, from which on a lag counts as mastered.
        review: share of the batches that go back to a shorter lag.
    """

    def __init__(self, lag: int, *, first: int, growth: float, mastered: float, review: float) -> None:
        self.lags = [min(lag, first)]
        while self.lags[-1] < lag:
            self.lags.append(min(lag, max(self.lags[-1] + 1, round(self.lags[-1] * growth))))
        self.mastered, self.review = mastered, review
        self.stage, self.success = 0, 0.0

    @property
    def lag(self) -> int:
        """The longest lag so far."""
        return self.lags[self.stage]

    def draw(self, rng: np.random.Generator) -> int:
        """The lag of a batch."""
        if self.stage and rng.random() < self.review:
            return self.lags[int(rng.integers(self.stage))]
        return self.lag

    def tell(self, lag: int, success: float) -> None:
        """How well a batch went; one of another lag than the longest says nothing."""
        if lag != self.lag:
            return
        self.success += WEIGHT * (max(success, 0.0) - self.success)
        if self.success >= self.mastered and self.stage < len(self.lags) - 1:
            self.stage, self.success = self.stage + 1, 0.0

    def memory(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        return {
            "stage": torch.tensor(self.stage),
            "success": torch.tensor(self.success, dtype=torch.float64),
        }

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        """Take up what `memory` gave."""
        self.stage, self.success = int(memory["stage"]), float(memory["success"])
