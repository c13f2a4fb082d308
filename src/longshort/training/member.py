"""One network from its seed to its trained weights, once: what a resumed run finds finished is not trained again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from longshort.training.problem import Problem
from longshort.training.processes import is_main
from longshort.training.progress import Progress, summary
from longshort.training.settings import Check, Hardware, Schedule


def train_member(
    make: Callable[[], Problem[Any]],
    schedule: Schedule,
    *,
    name: str,
    title: str,
    seed: int,
    threads: int | None,
    checkpoints: Path,
    hardware: Hardware,
    progress: Progress,
) -> tuple[nn.Module, list[Check]]:
    """Train one network, or take it over from the run that was interrupted.

    Args:
        make: builds the network from PyTorch's random numbers, which are seeded, and the problem around it.
        schedule: how long and how fast.
        name: of its checkpoints.
        title: what it is called in the progress.
        seed: of weights, batches and dropout.
        threads: how many to train with; PyTorch's own number if None.
        checkpoints: folder for what a resumption needs.
        hardware, progress: where to train, and who is told.

    Returns:
        The network and its looks at the validation split.
    """
    # These load Lightning, which a run that is only used does without.
    from longshort.training.checkpoint import SafetensorsIO
    from longshort.training.loop import train

    done = checkpoints / f"{name}.safetensors"
    # The caller's random numbers and threads are none of our business.
    with torch.random.fork_rng(devices=[]), _threads(threads):
        torch.manual_seed(seed)
        problem = make()
        if done.exists():
            saved = SafetensorsIO().load_checkpoint(done)
            problem.network.load_state_dict(saved["network"])
            return problem.network.eval(), [Check(*values) for values in saved["checks"]]
        with progress.training(title, schedule.steps) as watcher:
            checks = train(
                problem, schedule, seed=seed, hardware=hardware, checkpoints=checkpoints / name, watcher=watcher
            )
    progress.note(f"{title}: {summary(checks)}")
    values = [[c.step, c.training, c.validation] for c in checks]
    if is_main():
        SafetensorsIO().save_checkpoint({"network": problem.network.state_dict(), "checks": values}, done)
    return problem.network, checks


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
