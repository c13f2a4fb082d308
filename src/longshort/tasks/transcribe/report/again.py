"""How to do it again: the same run in Python and as a command, its settings and its plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from longshort.artifact import versions
from longshort.report import Section, as_command, as_python, settings_section

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber

# Settings that the command has an option for; the others go through --set.
OPTIONS = ("units", "cell", "hidden_size", "num_layers", "steps", "seed")


def again_section(model: Transcriber) -> Section:
    """The last section."""
    fitted, changed = model.fitted, model.changed_settings
    weights = sum(p.numel() for p in fitted.network.parameters())
    see = f"What was read from the data: {fitted.plan.describe()}. It came to a network of {weights:,} weights."
    given = {name: column for name, column in asdict(fitted.columns).items() if column is not None}
    if fitted.features:
        given["features"] = "features.npz"
    words = [part for name, value in given.items() for part in (f"--{name}", value)]
    words += [part for name in model.files_apart for part in (f"--{name}", f"{name}.csv")]
    python = "".join(f", {name}={value!r}" for name, value in given.items())
    python += "".join(f', {name}="{name}.csv"' for name in model.files_apart)
    live = ["--live"] if changed.get("live") else []
    rest = {name: value for name, value in changed.items() if name != "live"}
    code = {
        "In Python": as_python("Transcriber", changed, f'"recordings.csv"{python}, run="runs/again"'),
        "As a command": as_command(
            ["fit", "transcribe", "recordings.csv", *words, "-o", "runs/again", *live], rest, OPTIONS
        ),
    }
    plan = fitted.plan.to_dict()
    return settings_section(see, code, {"Settings": model.config.to_dict(), "Plan": plan, "Versions": versions()})
