"""Training on a task without data: new sequences at every step, with a lag that may grow on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from longshort.study.dependencies import Batch, Dependency
from longshort.study.network import StudyNetwork
from longshort.training.problem import Problem, Turn

# Sequences that a look at the validation reads, and so many at once; no training step sees them.
VALIDATION = 512
VALIDATION_BATCH = 128
# The lag grows from this one to the full one, over this share of the steps.
SHORTEST = 10
GROWING = 0.6


class DependencyProblem(Problem[Batch]):
    """One of the tasks of `DEPENDENCIES`, short lags first; the validation has the full lag from the beginning.

    Args:
        network: to train.
        task: what to learn.
        lag: steps over which something must be remembered.
        steps, batch_size: of the training.
        seed: of the validation sequences.
    """

    def __init__(
        self,
        network: StudyNetwork,
        task: Dependency,
        lag: int,
        *,
        steps: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.network: nn.Module = network
        self.task, self.lag, self.steps = task, lag, steps
        self.batch_size, self.seed = batch_size, seed

    def lag_at(self, step: int) -> int:
        """The lag of a training step: each is longer than the last by the same factor."""
        first = max(self.task.least, min(SHORTEST, self.lag))
        done = min(1.0, step / (GROWING * self.steps))
        growth: float = (self.lag / first) ** done
        return round(first * growth)

    def training_batch(self, turn: Turn) -> Batch:
        """New sequences."""
        return self.task.sequences(turn.rng, self.lag_at(turn.step), self.batch_size)

    def validation_batches(self) -> Sequence[Batch]:
        """The same sequences for every network of a study."""
        rng = np.random.default_rng([self.seed, self.lag, 1])
        return [self.task.sequences(rng, self.lag, VALIDATION_BATCH) for _ in range(VALIDATION // VALIDATION_BATCH)]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """The task's mean loss, and the number of answers."""
        return self.task.loss(network(batch.x), batch.targets), batch.targets.numel()
