"""How to do it again: the same run in Python and as a command, its settings and its plan."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from longshort.artifact import versions
from longshort.data.columns import ID_NAMES, TIME_NAMES
from longshort.report import Section, settings_section

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster

# Settings that the command has an option for; the others go through --set.
OPTIONS = ("cell", "members", "seed", "test_windows")


def again_section(forecaster: Forecaster) -> Section:
    """The last section: what was made of the data, and how to do it again."""
    fitted, config = forecaster.fitted, forecaster.config
    default = type(config)(horizon=config.horizon)
    changed = {k: v for k, v in vars(config).items() if k != "horizon" and v != getattr(default, k)}
    columns = _columns(forecaster)
    weights = sum(p.numel() for p in fitted.model.networks[0].parameters())
    networks = len(fitted.model.networks)
    size = f"{networks} networks of {weights:,} weights each" if networks > 1 else f"a network of {weights:,} weights"
    see = f"What was read from the data: {fitted.model.plan.describe(config.horizon)}. It came to {size}."
    code = {
        "In Python": _python(config.horizon, changed, columns),
        "As a command": _command(config.horizon, changed, columns),
    }
    parts = {"Settings": config.to_dict(), "Plan": fitted.model.plan.to_dict(), "Versions": versions()}
    return settings_section(see, code, parts)


def _columns(forecaster: Forecaster) -> dict[str, list[str]]:
    """The columns that have to be named for the data to be read the same way again, by part."""
    columns = forecaster.fitted.panel.columns
    # Several targets beside an id are a table of a row per series, which is read as such without being told.
    named = {
        "target": columns.targets if columns.id is None or len(columns.targets) == 1 else (),
        "time": () if columns.time is None or columns.time.lower() in TIME_NAMES else (columns.time,),
        "id": () if columns.id is None or columns.id.lower() in ID_NAMES else (columns.id,),
        "past": columns.past,
        "known": columns.known,
        "static": (*columns.static_numeric, *columns.static_categories),
    }
    return {part: list(names) for part, names in named.items() if names}


def _python(horizon: int, settings: dict[str, Any], columns: dict[str, list[str]]) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in {"horizon": horizon, **settings}.items())
    named = {part: names[0] if len(names) == 1 else names for part, names in columns.items()}
    parts = "".join(f", {part}={names!r}" for part, names in named.items())
    return (
        "from longshort import Forecaster\n\n"
        f"model = Forecaster({arguments})\n"
        f'model.fit("data.csv", run="runs/again"{parts})'
    )


def _command(horizon: int, settings: dict[str, Any], columns: dict[str, list[str]]) -> str:
    words = ["longshort", "fit", "forecast", "data.csv", "--horizon", str(horizon), "-o", "runs/again"]
    for part, names in columns.items():
        words += [word for name in names for word in (f"--{part}", name)]
    for name, value in settings.items():
        if name in OPTIONS:
            words += [f"--{name.replace('_', '-')}", str(value)]
        else:
            words += ["--set", f"{name}={json.dumps(value)}"]
    return shlex.join(words)
