"""How to do it again: the same run in Python and as a command, its settings and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.artifact import versions
from longshort.report import Section, as_command, as_python, settings_section

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer

# Settings that the command has an option for; the others go through --set.
OPTIONS = ("hidden_size", "num_layers", "cell", "transpose", "steps", "seed")


def again_section(model: Composer) -> Section:
    """The last section."""
    fitted, changed = model.fitted, model.changed_settings
    weights = sum(p.numel() for p in fitted.network.parameters())
    see = f"What was read from the data: {fitted.plan.describe()}. It came to a network of {weights:,} weights."
    data = "tunes" if fitted.plan.kind == "tokens" else "rolls.mat"
    files = "".join(f', {part}="{part}"' for part in model.files_apart)
    words = [word for part in model.files_apart for word in (f"--{part}", part)]
    code = {
        "In Python": as_python("Composer", changed, f'"{data}"{files}, run="runs/again"'),
        "As a command": as_command(["fit", "compose", data, *words, "-o", "runs/again"], changed, OPTIONS),
    }
    parts = {"Settings": model.config.to_dict(), "Plan": fitted.plan.to_dict(), "Versions": versions()}
    return settings_section(see, code, parts)
