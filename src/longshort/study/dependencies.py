"""Tasks that need no data: what was seen long ago decides the answer.

Each has a lag, the number of steps over which something must be remembered, and a chance level, the score of who
remembers nothing. Sequences are (T, B, I), T steps, B sequences, I numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from longshort.errors import InputError


class Batch(NamedTuple):
    """Sequences and what should be answered.

    Attributes:
        x: what is read, (T, B, I).
        targets: the answers behind the last step, (B,), numbers or classes; or of every step, (T, B), classes.
    """

    x: Tensor
    targets: Tensor


class Dependency(ABC):
    """One task.

    Attributes:
        name: as the command has it.
        meaning: what is to be done, a sentence.
        inputs, outputs: numbers of a step and of an answer.
        every_step: whether there is an answer at every step; else behind the last one.
        metric: what `score` gives.
        higher: whether a higher score is better.
        least: the shortest lag.
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    inputs: ClassVar[int]
    outputs: ClassVar[int]
    every_step: ClassVar[bool] = False
    metric: ClassVar[str] = "accuracy"
    higher: ClassVar[bool] = True
    least: ClassVar[int] = 1

    def sequences(self, rng: np.random.Generator, lag: int, count: int) -> Batch:
        """Draw sequences.

        Raises:
            InputError: the lag is too short for the task.
        """
        if lag < self.least:
            raise InputError(f"{self.name}: the lag must be at least {self.least}, not {lag}")
        x, targets = self._draw(rng, lag, count)
        return Batch(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(targets))

    @abstractmethod
    def _draw(self, rng: np.random.Generator, lag: int, count: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """x (T, B, I) and the targets."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, of outputs (…, classes) and targets (…); another one where a task has one."""
        return F.cross_entropy(outputs.flatten(0, -2), targets.flatten())

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The share of right answers, or what else the metric is."""
        return (outputs.argmax(-1) == targets).double().mean().item()

    def training_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What is trained on: the loss, or what serves better where most answers are easy."""
        return self.loss(outputs, targets)

    @abstractmethod
    def chance(self, lag: int) -> tuple[float, float]:
        """Loss and score of the best answer that remembers nothing."""

    def success(self, score: float, lag: int) -> float:
        """A score as a share of the way from chance, 0, to perfection, 1."""
        chance = self.chance(lag)[1]
        return (score - chance) / ((1 if self.higher else 0) - chance)


class Adding(Dependency):
    """The adding problem (Hochreiter & Schmidhuber 1997, experiment 4, as in Bai, Kolter & Koltun 2018).

    Each step has a number, uniform between 0 and 1, and a mark; one step of the first half is marked, and one of the
    second. The answer is the sum of the two marked numbers.
    """

    name = "adding"
    meaning = "add the two numbers that were marked, one in each half of the sequence"
    inputs, outputs = 2, 1
    metric, higher = "squared error", False
    least = 2

    def _draw(self, rng: np.random.Generator, lag: int, count: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        values = rng.random((lag, count))
        marks = np.zeros((lag, count))
        of = np.arange(count)
        first, second = rng.integers(0, lag // 2, count), rng.integers(lag // 2, lag, count)
        marks[first, of] = marks[second, of] = 1
        return np.stack([values, marks], -1), (values[first, of] + values[second, of]).astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error."""
        return F.mse_loss(outputs.squeeze(-1), targets)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Mean squared error."""
        return self.loss(outputs, targets).item()

    def chance(self, lag: int) -> tuple[float, float]:
        """The variance of a sum of two uniform numbers: that of answering 1 each time."""
        return 1 / 6, 1 / 6


class CopyMemory(Dependency):
    """Copy memory (Hochreiter & Schmidhuber 1997; Arjovsky, Shah & Bengio 2016; the sizes of Bai et al. 2018).

    Ten digits from 1 to 8, then blanks, then a signal; from its first step on the digits are to be told in order,
    blanks before. With lag T there are T + 20 steps.
    """

    name = "copy"
    meaning = "repeat ten digits after a pause"
    digits, symbols = 10, 8
    inputs, outputs = symbols + 2, symbols + 2
    every_step = True

    def _draw(self, rng: np.random.Generator, lag: int, count: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        steps = lag + 2 * self.digits
        digits = rng.integers(1, self.symbols + 1, (self.digits, count))
        read = np.zeros((steps, count), dtype=np.int64)
        read[: self.digits] = digits
        read[steps - self.digits - 1 :] = self.symbols + 1
        told = np.zeros((steps, count), dtype=np.int64)
        told[steps - self.digits :] = digits
        return np.eye(self.inputs)[read], told

    def training_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss summed over the steps, for each digit: the more blanks, the less a digit is in the mean."""
        return self.loss(outputs, targets) * (len(targets) / self.digits)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The share of the digits that are right."""
        return super().score(outputs[-self.digits :], targets[-self.digits :])

    def chance(self, lag: int) -> tuple[float, float]:
        """Blanks where they belong, and any digit behind."""
        return self.digits * math.log(self.symbols) / (lag + 2 * self.digits), 1 / self.symbols


class TemporalOrder(Dependency):
    """Temporal order (Hochreiter & Schmidhuber 1997, experiment 6a).

    A sequence begins with E, ends with B and has letters a, b, c, d between them, but for two places, one a tenth to
    two tenths from the beginning, one behind the middle, which hold X or Y. The answer is which two, in order.
    """

    name = "order"
    meaning = "tell which of X and Y came first and which second, among letters that say nothing"
    inputs, outputs = 8, 4
    least = 10

    def _draw(self, rng: np.random.Generator, lag: int, count: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        letters = rng.integers(2, 6, (lag, count))  # X, Y, a, b, c, d, E, B
        letters[0], letters[-1] = 6, 7
        of = np.arange(count)
        answers = rng.integers(0, 2, (2, count))
        for tenth, answer in zip((1, 5), answers, strict=True):
            begin = max(1, tenth * lag // 10)
            place = rng.integers(begin, max(begin + 1, (tenth + 1) * lag // 10), count)
            letters[place, of] = answer
        return np.eye(self.inputs)[letters], 2 * answers[0] + answers[1]

    def chance(self, lag: int) -> tuple[float, float]:
        """One of four."""
        return math.log(4), 0.25


class DelayedRecall(Dependency):
    """One of eight symbols, then `lag` steps of noise; the answer is the symbol. The plainest of these tasks."""

    name = "recall"
    meaning = "tell the symbol that was shown first, after so many steps of noise"
    symbols = 8
    inputs, outputs = symbols, symbols

    def _draw(self, rng: np.random.Generator, lag: int, count: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        shown = rng.integers(0, self.symbols, count)
        noise = rng.normal(0, 1 / math.sqrt(self.symbols), (lag, count, self.symbols))
        return np.concatenate([np.eye(self.symbols)[None, shown], noise]), shown

    def chance(self, lag: int) -> tuple[float, float]:
        """One of eight."""
        return math.log(self.symbols), 1 / self.symbols


DEPENDENCIES: dict[str, Dependency] = {
    task.name: task for task in (Adding(), CopyMemory(), TemporalOrder(), DelayedRecall())
}
