"""The report of a search over settings: the winner beside the defaults, the pictures, and how to train the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from longshort.artifact import versions
from longshort.report import Section, as_command, details, el, page, settings_section, table
from longshort.study.report.tune_cost import cost_section
from longshort.study.report.tune_course import course_section
from longshort.study.report.tune_drawing import count, loss_of, seconds, shown
from longshort.study.report.tune_settings import importance_section, size_section
from longshort.study.tuning.jobs import estimator
from longshort.study.tuning.results import Tuning
from longshort.study.tuning.search import FAILED, STOPPED
from longshort.wording import listed, number, numbers


def render(found: Tuning) -> str:
    """A whole HTML document that opens offline."""
    finished = [t for t in found.tried.values() if t.validation is not None]
    stopped = [t for t in found.tried.values() if t.state == STOPPED]
    failed = [t for t in found.tried.values() if t.state == FAILED]
    counted = [f"{len(finished)} ran to their end"]
    counted += [f"{len(stopped)} were stopped early, being worse than most of the others"] if stopped else []
    counted += [f"{len(failed)} failed"] if failed else []
    sections = [_beside(found), course_section(found, finished, stopped)]
    if len(finished) > 1:
        sections.append(importance_section(found, finished))
        if {"num_layers", "hidden_size"} <= found.ranges.keys():
            sections.append(size_section(found, finished))
        sections.append(cost_section(found, finished))
    sections += [_all(found), _again(found)]
    return page(
        title="Search over settings, by longshort",
        kind=f"Search · {found.task}",
        headline=found.verdict,
        lead=[
            f"{len(found.tried)} trials, of which {listed(counted)}. Each trained {_networks(found)} and was judged by "
            "the lowest validation loss; the test split was not looked at. Trial 0 has the default settings.",
        ],
        sections=sections,
    )


def command(found: Tuning, run: str = "runs/winner") -> str:
    """The command that trains the winner."""
    data = found.data if isinstance(found.data, list | tuple) else [found.data]
    words = ["fit", found.task, *(str(d) if _is_path(d) else "data.csv" for d in data), "-o", run]
    for name, given in found.options.items():
        option = "--channel" if name == "channels" else f"--{name}"
        for value in given if isinstance(given, list | tuple) else [given]:
            words += [option, str(value)]
    model = estimator(found.task, found.winning_settings)
    needed = {f.name: getattr(model.config, f.name) for f in fields(model.config) if f.default is MISSING}
    return as_command(words, {**needed, **model.changed_settings}, tuple(needed))


def _is_path(data: object) -> bool:
    from pathlib import Path

    return isinstance(data, str | Path)


def _beside(found: Tuning) -> Section:
    best, default = found.best, found.default
    several = best.number != 0
    names = ["Default settings", *([f"Trial {best.number}, the best"] if several else [])]
    chosen = [default, *([best] if several else [])]
    rows: list[list[object]] = [["Validation loss", *numbers([t.validation for t in chosen])]]
    marks: list[set[int]] = [{_least([t.validation for t in chosen])}] if several else [set()]
    if found.again:
        means = [float(np.mean(losses)) for losses in (found.again.default, found.again.best)]
        seeds = len(found.again.best)
        rows.append(["From another seed" if seeds == 1 else f"From {seeds} other seeds, mean", *numbers(means)])
        marks.append({_least(means)})
        for k, pair in enumerate(zip(found.again.default, found.again.best, strict=True), start=1):
            if seeds > 1:
                rows.append([f"Pair {k}", *numbers(pair)])
                marks.append({_least(pair)})
    rows += [
        ["Weights", *(count(t.weights) for t in chosen)],
        ["Seconds", *(seconds(t.seconds) for t in chosen)],
        *(_row(name, [shown(t.settings.get(name)) for t in chosen]) for name in found.ranges),
    ]
    caption = "The best trial beside the default settings; ★ is the lower loss" if several else "The default settings"
    see = "The best of many trials is partly the luckiest: what counts is how it fares from other seeds."
    if not several:
        see = "Nothing that was tried has a lower validation loss."
    elif not found.again:
        see = "The best of many trials is partly the luckiest; it was not trained again from other seeds."
    return Section("The best beside the default", see, [table(["", *names], rows, caption=caption, best=marks)])


def _row(head: object, cells: Sequence[object]) -> list[object]:
    return [head, *cells]


def _least(losses: Sequence[float | None]) -> int:
    return 1 + int(np.argmin([np.inf if loss is None else loss for loss in losses]))


def _all(found: Tuning) -> Section:
    rows = []
    for t in sorted(found.tried.values(), key=lambda t: (loss_of(t), t.number)):
        loss = number(t.validation) if t.validation is not None else t.state
        rows.append(
            [t.number, loss, seconds(t.seconds), count(t.weights)] + [shown(t.settings.get(n)) for n in found.ranges]
        )
    head = ["Trial", "Validation loss", "Seconds", "Weights", *found.ranges]
    folded = details("All trials in numbers", table(head, rows, caption="All trials, the best first"))
    failed = [el("p", f"Trial {t.number} failed: {t.reason}") for t in found.tried.values() if t.state == FAILED]
    return Section("All trials", f"{len(rows)} trials, in numbers.", [folded, *failed])


def _again(found: Tuning) -> Section:
    winner = found.winner
    what = "the default settings" if winner.number == 0 else f"trial {winner.number}"
    folded: dict[str, Mapping[str, Any]] = {
        "Ranges": {name: str(space) for name, space in found.ranges.items()},
        "Versions": {**versions(), **_optuna_version()},
    }
    if found.settings:
        folded = {"Settings of all trials": found.settings, **folded}
    section = settings_section(f"The command trains {what}, then tests it.", {"As a command": command(found)}, folded)
    return Section("Train the winner", section.see, section.body)


def _optuna_version() -> dict[str, str]:
    from importlib.metadata import version

    return {"optuna": version("optuna")}


def _networks(found: Tuning) -> str:
    members = found.settings.get("members", 1)
    return "one network" if members == 1 else f"{members} networks"
