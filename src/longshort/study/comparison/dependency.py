"""Cells on a task without data: new sequences at every step, a curriculum over the lag, chance as the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from longshort.scores import HIGHEST, Metric, Overall
from longshort.study.comparison.curriculum import Curriculum
from longshort.study.comparison.recipes import Recipe
from longshort.study.comparison.sequences import SequenceContest, exactly, percents
from longshort.study.dependencies import DEPENDENCIES, Batch, Dependency
from longshort.study.network import StudyNetwork
from longshort.study.problem import DependencyProblem
from longshort.training.problem import Turn
from longshort.wording import percent

# Sequences of the test, and so many at once.
TEST, AT_ONCE = 1_000, 125
# Of the sequences of looks and tests, which are the same for all networks.
LOOKS = 987_654_321
CHANCE = "Chance"


class Lesson(NamedTuple):
    """Sequences to learn from.

    Attributes:
        x, targets: as a `Batch` has them.
        lag: steps over which something must be remembered.
    """

    x: Tensor
    targets: Tensor
    lag: int


class EarnedProblem(DependencyProblem):
    """One of the tasks of `DEPENDENCIES`, with a lag that grows as the network masters it.

    Args:
        network, task, lag, options: as `DependencyProblem` takes them.
        curriculum: which lag comes next.
        wide: so many times as many sequences there may be in batches of short lags.
    """

    def __init__(
        self, network: StudyNetwork, task: Dependency, lag: int, curriculum: Curriculum, wide: int, **options: Any
    ) -> None:
        super().__init__(network, task, lag, **options)
        self.curriculum, self.wide = curriculum, wide

    def training_batch(self, turn: Turn) -> Any:
        """New sequences."""
        lag = self.curriculum.draw(turn.rng)
        count = self.batch_size * max(1, min(self.wide, self.lag // lag))
        return Lesson(*self.task.sequences(turn.rng, lag, count), lag)

    def loss(self, network: nn.Module, batch: Batch | Lesson) -> tuple[Tensor, int]:
        """Of a lesson what is trained on, of a look the task's own loss; and the number of answers."""
        outputs, count = network(batch.x).float(), batch.targets.numel()
        if not isinstance(batch, Lesson):
            return self.task.loss(outputs, batch.targets), count
        score = self.task.score(outputs.detach(), batch.targets)
        self.curriculum.tell(batch.lag, self.task.success(score, batch.lag))
        return self.task.training_loss(outputs, batch.targets), count

    def memory(self) -> dict[str, Tensor]:
        """How far the curriculum is."""
        return self.curriculum.memory()

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        """Take up what `memory` gave."""
        self.curriculum.remember(memory)


class DependencyContest(SequenceContest):
    """One of the tasks of `DEPENDENCIES` at one lag.

    Args:
        name: of the task.
        lag: steps over which something must be remembered.
        recipe: how it is trained.
    """

    def __init__(self, name: str, lag: int, recipe: Recipe) -> None:
        self.task = task = DEPENDENCIES[name]
        super().__init__(recipe, task.inputs, task.outputs, every_step=task.every_step, lag=lag)
        self.title = f"{name}, lag {lag:,}"
        self.meaning = task.meaning
        self.explained = (
            f"Something must be remembered for {lag:,} steps; the baseline is the best answer without memory."
        )
        self.tested = f"{TEST:,} new sequences"
        lags = self._curriculum().lags
        said = (
            f"lags {', '.join(f'{k:,}' for k in lags)}, the next one when {percent(recipe.mastered)} of the way from "
        )
        said += f"chance to perfection are reached at the last; {percent(recipe.review)} of the batches go back"
        self.progression = (("Curriculum", said),) if len(lags) > 1 else ()
        self.loss = "mean cross-entropy in nats" if task.higher else "mean squared error"
        if task.higher:
            what = "digits" if name == "copy" else "answers"
            self.metrics = {
                task.metric: Metric(f"Share of the {what} that are right. High is good.", HIGHEST, percents),
                "loss": Metric(f"The {self.loss}, over the answers of all steps. Low is good.", show=exactly),
            }
        else:
            self.metrics = {task.metric: Metric("Mean squared error of the answers. Low is good.", show=exactly)}

    def problem(self, network: StudyNetwork, seed: int) -> EarnedProblem:
        """The task around a network."""
        r, curriculum = self.recipe, self._curriculum()
        return EarnedProblem(
            network, self.task, self.lag, curriculum, r.wide, steps=r.steps, batch_size=r.batch_size, seed=LOOKS
        )

    def reached(self, memory: Mapping[str, Tensor]) -> int:
        """The longest lag that the curriculum came to."""
        curriculum = self._curriculum()
        curriculum.remember(memory)
        return curriculum.lag

    def _curriculum(self) -> Curriculum:
        r = self.recipe
        first = max(r.first, self.task.least)
        return Curriculum(self.lag, first=first, growth=r.growth, mastered=r.mastered, review=r.review)

    def test(self, network: nn.Module) -> Overall:
        """On sequences that are the same for all networks, beside the best answer without memory."""
        rng = np.random.default_rng([LOOKS, self.lag, 2])
        found = []
        with torch.no_grad():
            for _ in range(TEST // AT_ONCE):
                batch = self.task.sequences(rng, self.lag, AT_ONCE)
                outputs = network(batch.x)
                found.append((self.task.loss(outputs, batch.targets).item(), self.task.score(outputs, batch.targets)))
        loss, score = np.mean(found, 0).tolist()
        return {"ours": self._row(loss, score), CHANCE: self._row(*self.task.chance(self.lag))}

    def _row(self, loss: float, score: float) -> dict[str, float | None]:
        return {self.task.metric: score, "loss": loss} if self.task.higher else {self.task.metric: score}
