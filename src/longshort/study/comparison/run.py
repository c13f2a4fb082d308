"""Comparisons as a user calls them, with a run directory around each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from longshort.artifact import RunDirectory, versions
from longshort.study.comparison.compete import compete
from longshort.study.comparison.config import CompareConfig, LagsConfig, TaskConfig
from longshort.study.comparison.lags import LagComparison
from longshort.study.comparison.recipes import RECIPES, Recipe
from longshort.study.comparison.result import Comparison
from longshort.study.comparison.sequences import SequenceContest
from longshort.training import Hardware, Progress, default_progress

RESULTS = "results.json"


class Found(Protocol):
    """What a comparison gives."""

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it."""


FoundT = TypeVar("FoundT", bound=Found)


def compare(
    task: str,
    data: Any,
    config: CompareConfig | None = None,
    /,
    *,
    settings: Mapping[str, Any] | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    hardware: Hardware | None = None,
    progress: Progress | None = None,
    cells: tuple[str, ...] | None = None,
    seeds: int | None = None,
    same: str | None = None,
    learning_rates: tuple[float, ...] | None = None,
    seed: int | None = None,
    **options: Any,
) -> Comparison:
    """Train an LSTM, a GRU and a plain RNN on somebody's data, and test each once beside the task's baselines.

    Args:
        task: forecast, language or classify.
        data: what the task's estimator learns from.
        config: what is compared; or give its fields by name: `cells`, `seeds`, `same`, `learning_rates`, `seed`.
        settings: of the estimator, the same for all cells.
        run: a folder for results.json and report.html.
        resume: go on with a comparison that was stopped in that folder.
        overwrite: replace the study that is there.
        hardware: where to train.
        progress: who is told.
        options: how to read the data, as the estimator's `fit` takes them.

    Raises:
        InputError: the data, the settings or the folder cannot be used.
    """
    from longshort.study.comparison.estimators import EstimatorContest

    given = {"cells": cells, "seeds": seeds, "same": same, "learning_rates": learning_rates, "seed": seed}
    named = {name: value for name, value in given.items() if value is not None}
    config = config or CompareConfig.from_dict(named)
    contest = EstimatorContest(task, data, settings or {}, options, hardware)
    described = {"task": task, "settings": {**config.to_dict(), "estimator": contest.settings}}
    if run is not None:
        described |= contest.described(config.cells[0])

    def found(folder: Path, progress: Progress) -> Comparison:
        return compete(contest, config, folder, progress)

    def render(comparison: Comparison) -> str:
        from longshort.study.report.compare import render_data

        return render_data(comparison, config, task, contest.settings)

    return _kept(found, render, described, run, resume, overwrite, progress)


def compare_task(
    config: TaskConfig | None = None,
    /,
    *,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Comparison:
    """Train cells on one of the built-in tasks of long-term dependencies, and test each once.

    Args:
        config: settings; or give its fields by name.
        run: a folder for results.json and report.html.
        resume: go on with a comparison that was stopped in that folder.
        overwrite: replace the study that is there.
        progress: who is told.

    Raises:
        InputError: settings that do not fit, data that is not there, or a folder that cannot be written.
    """
    config = config or TaskConfig.from_dict(settings)
    contest = task_contest(config)

    def found(folder: Path, progress: Progress) -> Comparison:
        progress.note(f"{contest.title}: {contest.meaning}")
        return compete(contest, config, folder, progress)

    def render(comparison: Comparison) -> str:
        from longshort.study.report.compare import render_task

        return render_task(comparison, config, contest)

    return _kept(found, render, {"settings": config.to_dict()}, run, resume, overwrite, progress)


def compare_lags(
    config: LagsConfig | None = None,
    /,
    *,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> LagComparison:
    """Compare cells on one of the built-in tasks at growing lags.

    Args:
        config: settings; or give its fields by name.
        run: a folder for results.json and report.html.
        resume: go on with a comparison that was stopped in that folder.
        overwrite: replace the study that is there.
        progress: who is told.

    Raises:
        InputError: settings that do not fit, or a folder that cannot be written.
    """
    config = config or LagsConfig.from_dict(settings)

    def found(folder: Path, progress: Progress) -> LagComparison:
        comparisons = []
        for lag in config.lags:
            progress.note(f"lag {lag:,}")
            comparisons.append(compete(task_contest(config, lag), config, folder / str(lag), progress))
        return LagComparison(config, tuple(comparisons))

    def render(comparison: LagComparison) -> str:
        from longshort.study.report.compare_lags import render

        return render(comparison)

    return _kept(found, render, {"settings": config.to_dict()}, run, resume, overwrite, progress)


def task_contest(config: TaskConfig, lag: int | None = None) -> SequenceContest:
    """The built-in task, with its recipe as the settings change it.

    Args:
        config: settings.
        lag: in place of that of the settings.
    """
    names = ("hidden_size", "steps", "batch_size", "learning_rate", "precision", "accelerator")
    changed = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    recipe: Recipe = replace(RECIPES[config.task], **changed)
    if recipe.least:
        from longshort.study.comparison.dependency import DependencyContest

        return DependencyContest(config.task, lag or config.lag or recipe.lag, recipe)
    from longshort.study.comparison.images import ImageContest

    return ImageContest(config.task, recipe)


def _kept(
    found: Callable[[Path, Progress], FoundT],
    render: Callable[[FoundT], str],
    described: Mapping[str, Any],
    run: str | Path | None,
    resume: bool,
    overwrite: bool,
    progress: Progress | None,
) -> FoundT:
    """The study, in a run directory if there is to be one."""
    progress = progress or default_progress()
    if run is None:
        with tempfile.TemporaryDirectory(prefix="longshort-") as folder:
            return found(Path(folder), progress)
    config = {"study": "compare", **described, "versions": versions()}
    directory = RunDirectory.create(run, config=config, resume=resume, overwrite=overwrite)
    study = found(directory.checkpoints, progress)
    directory.write_json(RESULTS, study.to_json())
    directory.write("report.html", render(study).encode())
    directory.finish()
    return study
