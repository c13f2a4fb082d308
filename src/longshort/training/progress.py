"""What long work tells of itself: a line that moves in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from longshort.training.settings import Check


class Watcher(Protocol):
    """Told of a training as it goes."""

    def step(self, number: int) -> None:
        """After every optimiser step, with its number from 1."""

    def check(self, check: Check) -> None:
        """After every look at the validation split."""


class Progress:
    """Says nothing; the base of those that do."""

    def note(self, text: str) -> None:
        """One finding or one stage of the work."""

    @contextmanager
    def training(self, title: str, steps: int) -> Iterator[Watcher]:
        """One training of at most `steps` steps."""
        yield _Silent()


class _Silent:
    def step(self, number: int) -> None: ...

    def check(self, check: Check) -> None: ...


class TerminalProgress(Progress):
    """Writes to standard error: a bar where it is a terminal, a line per member where it is a file."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """One line."""
        from rich.markup import escape

        self.console.print(f"[dim]·[/dim] {escape(text)}", markup=True)

    @contextmanager
    def training(self, title: str, steps: int) -> Iterator[Watcher]:
        """A bar with the step, the time left, and the validation loss beside the best so far."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            yield _Bar(bar, bar.add_task(title, total=steps, loss=""))


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self.bar, self.task = bar, task
        self.best = math.inf

    def step(self, number: int) -> None:
        self.bar.update(self.task, completed=number)

    def check(self, check: Check) -> None:
        text = f"training loss {check.training:.4f}"
        if check.validation is not None:
            self.best = min(self.best, check.validation)
            text = f"validation loss {check.validation:.4f}, best {self.best:.4f}"
        self.bar.update(self.task, loss=text)


def summary(checks: Sequence[Check]) -> str:
    """A training in a few words."""
    validated = [(c.validation, c.step) for c in checks if c.validation is not None]
    if not validated:
        return f"{checks[-1].step} steps, training loss {checks[-1].training:.4f}"
    loss, step = min(validated)
    return f"{checks[-1].step} steps, best validation loss {loss:.4f} at step {step}"


def default_progress() -> Progress:
    """A line where somebody is watching, else nothing."""
    return TerminalProgress() if sys.stderr.isatty() else Progress()
