"""Cells on a built-in task: one recurrent layer, a linear readout, and the same recipe for all."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from longshort.estimator import Size
from longshort.scores import Overall
from longshort.study.comparison.contest import Contest, Entrant, Outcome
from longshort.study.comparison.recipes import Recipe
from longshort.study.network import StudyNetwork
from longshort.training import Hardware, Progress, Schedule
from longshort.training.checkpoint import SafetensorsIO
from longshort.training.member import train_member
from longshort.training.problem import Problem
from longshort.wording import number, percent

# Looks at the validation sequences in a training.
LOOKS = 25
WARMUP = 0.02


class SequenceContest(Contest):
    """A built-in task.

    Args:
        recipe: how it is trained.
        inputs, outputs: numbers of a step and of an answer.
        every_step: whether there is an answer at every step.
        lag: steps over which something must be remembered.

    Attributes:
        meaning: what is to be done, a sentence.
        explained: what else the reader should know of it.
        tested: what the scores are on.
        progression: how the sequences change on the way, for all cells alike: terms and what they mean.
    """

    meaning: str
    explained: str
    tested: str
    progression: Sequence[tuple[str, str]] = ()

    def __init__(self, recipe: Recipe, inputs: int, outputs: int, *, every_step: bool, lag: int) -> None:
        self.recipe, self.inputs, self.outputs, self.every_step, self.lag = recipe, inputs, outputs, every_step, lag

    @abstractmethod
    def problem(self, network: StudyNetwork, seed: int) -> Problem[Any]:
        """The task around a network."""

    @abstractmethod
    def test(self, network: nn.Module) -> Overall:
        """Scores of a trained network, under the name "ours", beside the baselines'."""

    def size(self, cell: str, hidden_size: int | None) -> Size:
        """How large a network is; None for the units of the recipe."""
        units = hidden_size or self.recipe.hidden_size
        with torch.random.fork_rng(devices=[]):
            return Size(units, sum(p.numel() for p in self._network(cell, units).parameters()))

    def enter(self, entrant: Entrant, seed: int, folder: Path, progress: Progress, *, test: bool) -> Outcome:
        """Train, and look at the test split if `test` says so."""
        recipe, began = self.recipe, time.perf_counter()
        schedule = Schedule(
            steps=recipe.steps,
            check_every=max(1, recipe.steps // LOOKS),
            patience=2 * LOOKS,  # all steps, for all
            learning_rate=entrant.learning_rate or recipe.learning_rate,
            weight_decay=0.0,
            warmup=int(WARMUP * recipe.steps),
            averaging=recipe.averaging,
        )
        network, checks = train_member(
            lambda: self.problem(self._network(entrant.cell, entrant.hidden_size), seed),
            schedule,
            name="network",
            title="training",
            seed=seed,
            threads=None,
            checkpoints=folder,
            hardware=Hardware(recipe.accelerator, precision=recipe.precision),
            progress=progress,
        )
        seconds = time.perf_counter() - began
        overall = {}
        if test:
            scored = self.test(network.cpu().eval())
            overall = {entrant.name: scored.pop("ours"), **scored}
        validation = min(check.validation for check in checks if check.validation is not None)
        memory = SafetensorsIO().load_checkpoint(folder / "network" / "last.safetensors")["memory"]
        return Outcome(seed, validation, [checks], seconds, overall, self.reached(memory))

    def reached(self, memory: Mapping[str, Tensor]) -> int | None:
        """The longest lag that a curriculum came to, by the problem's memory; None without one."""
        return None

    def _network(self, cell: str, units: int) -> StudyNetwork:
        start = self.recipe.start(cell, self.lag)
        return StudyNetwork(cell, self.inputs, units, self.outputs, every_step=self.every_step, start=start)


def exactly(values: Sequence[float | None]) -> list[str]:
    """Numbers each with as many digits as it needs: errors differ by powers of ten."""
    return [number(value, 2) for value in values]


def percents(values: Sequence[float | None]) -> list[str]:
    """Shares, to a hundredth of a percent."""
    return [percent(value, 2).replace("-", "−") for value in values]
