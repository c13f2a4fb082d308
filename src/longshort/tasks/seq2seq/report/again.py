"""How to do it again: the same run in Python and as a command, its settings and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.artifact import versions
from longshort.report import Section, as_command, as_python, settings_section

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.estimator import Seq2Seq

# Settings that the command has an option for; the others go through --set.
OPTIONS = ("attention", "hidden_size", "epochs", "steps", "beam", "seed")


def again_section(model: Seq2Seq) -> Section:
    """The last section."""
    fitted, changed = model.fitted, model.changed_settings
    weights = sum(p.numel() for p in fitted.network.parameters())
    see = f"What was read from the data: {fitted.plan.describe()}. It came to a network of {weights:,} weights."
    name = "dialogues.jsonl" if model.task == "chat" else "pairs.jsonl"
    files = "".join(f', {part}="{part}.jsonl"' for part in model.files_apart)
    words = [word for part in model.files_apart for word in (f"--{part}", f"{part}.jsonl")]
    command = ["fit", model.task, name, *words, "-o", "runs/again"]
    code = {
        "In Python": as_python(type(model).__name__, changed, f'"{name}"{files}, run="runs/again"'),
        "As a command": as_command(command, changed, OPTIONS),
    }
    parts = {"Settings": model.config.to_dict(), "Plan": fitted.plan.to_dict(), "Versions": versions()}
    return settings_section(see, code, parts)
