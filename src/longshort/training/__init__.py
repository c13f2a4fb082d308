"""The training loop that all tasks share. Light but for `longshort.training.loop`, which loads Lightning."""

from longshort.training.progress import Progress, TerminalProgress, Watcher, default_progress
from longshort.training.settings import Check, Hardware, Schedule

__all__ = ["Check", "Hardware", "Progress", "Schedule", "TerminalProgress", "Watcher", "default_progress"]
