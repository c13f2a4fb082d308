"""A problem whose answer is known: least squares. Run as a program it trains until it is done or killed."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from longshort.training import Hardware, Progress, Schedule
from longshort.training.problem import Problem

TRUE = np.array([[1.5, -2.0, 0.5]])


class LeastSquares(Problem):
    """y = TRUE x + noise with dropout on x; draws batches of 16 from a stream, validates on a fixed table."""

    def __init__(self, *, noise=0.1, validated=True, dropout=0.0, width=3):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1))
        self.noise, self.validated = noise, validated

    def _draw(self, rng, rows):
        x = rng.normal(size=(rows, TRUE.shape[1]))
        y = x @ TRUE.T + self.noise * rng.normal(size=(rows, 1))
        return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)

    def training_batch(self, turn):
        return self._draw(turn.rng, 16)

    def validation_batches(self):
        rng = np.random.default_rng(99)
        return [self._draw(rng, rows) for rows in (64, 7)] if self.validated else []

    def loss(self, network, batch):
        x, y = batch
        return ((network(x) - y) ** 2).mean(), len(x)


class Watcher:
    """Remembers what it was told, and does something at one step."""

    def __init__(self, at=None, action=None):
        self.steps, self.checks, self.at, self.action = [], [], at, action

    def step(self, number):
        self.steps.append(number)
        if number == self.at:
            self.action()

    def check(self, check):
        self.checks.append(check)


SCHEDULE = Schedule(steps=24, check_every=4, learning_rate=0.05, averaging=0.9)


def run(checkpoints, *, problem=None, schedule=SCHEDULE, seed=1, watcher=None, precision="32-true"):
    """Train, and return the problem, its checks and the watcher."""
    from longshort.training.loop import train

    problem = problem or LeastSquares(dropout=0.2)
    watcher = watcher or Watcher()
    hardware = Hardware(precision=precision)
    checks = train(problem, schedule, seed=seed, hardware=hardware, checkpoints=Path(checkpoints), watcher=watcher)
    return problem, checks, watcher


def state(problem):
    """The weights as bytes, by name."""
    return {name: value.numpy().tobytes() for name, value in problem.network.state_dict().items()}


class _Announce(Watcher):
    def step(self, number):
        print(number, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    Progress().note("")
    run(sys.argv[1], problem=LeastSquares(dropout=0.2, validated=sys.argv[2] == "validated"), watcher=_Announce())
