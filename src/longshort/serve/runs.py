"""The runs that a service has: loaded once, known by a name that is safe in an address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshort.errors import InputError


@dataclass(frozen=True)
class Run:
    """A run that is served.

    Attributes:
        name: in addresses; of letters, digits, ".", "-" and "_".
        task: as config.json says.
        model: the estimator.
    """

    name: str
    task: str
    model: Any


def load_runs(paths: Iterable[Path]) -> list[Run]:
    """Load run directories, each under the name of its folder.

    Raises:
        InputError: there is none, one cannot be read, or two would have the same name.
    """
    from longshort.tasks import load

    runs: dict[str, Run] = {}
    for path in paths:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip(".-") or "run"
        if name in runs:
            raise InputError(f"two runs would be called {name!r}: rename the folder {path}")
        model = load(path)
        runs[name] = Run(name, model.task, model)
    if not runs:
        raise InputError("there is no run to serve: give at least one run directory")
    return list(runs.values())
