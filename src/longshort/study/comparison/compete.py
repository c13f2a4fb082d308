"""The competition: sizes, learning rates, all trainings, one test each. Stopped, it goes on where it was."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from longshort.artifact import to_json, write_atomically
from longshort.errors import InputError, LongshortError
from longshort.study.comparison.config import CompareConfig
from longshort.study.comparison.contest import Contest, Entrant, Named, Outcome
from longshort.study.comparison.matching import matching
from longshort.study.comparison.result import Comparison, Contender
from longshort.training import Progress
from longshort.wording import listed


def compete(contest: Contest, config: CompareConfig, folder: Path, progress: Progress) -> Comparison:
    """Train all cells from all seeds, and test each once.

    Args:
        contest: the task.
        config: what is compared, and how.
        folder: for what a resumption needs: finished trainings in it are only read.
        progress: who is told.
    """
    entrants = sized(contest, config)
    for entrant in entrants:
        progress.note(f"{entrant.name}: {entrant.hidden_size} units, {entrant.weights:,} weights")
    tried: dict[str, dict[float, float | None]] = {entrant.cell: {} for entrant in entrants}
    if config.learning_rates:
        entrants = [_tuned(contest, config, entrant, tried[entrant.cell], folder, progress) for entrant in entrants]
    found: dict[str, list[Outcome]] = {entrant.cell: [] for entrant in entrants}
    for seed in config.all_seeds:
        for entrant in entrants:
            outcome = _entered(contest, entrant, seed, folder, progress, test=True)
            found[entrant.cell].append(outcome)
            progress.note(f"{entrant.name}, seed {seed}: {_said(contest, outcome)}")
    contenders = tuple(Contender(e, tuple(found[e.cell]), tried[e.cell]) for e in entrants)
    return Comparison(contest.title, contest.loss, contest.metrics, contenders)


def sized(contest: Contest, config: CompareConfig) -> list[Entrant]:
    """All cells, as large as the first one."""
    first = config.cells[0]
    size = contest.size(first, None)
    entrants = [Entrant(first, size.hidden_size, size.weights)]
    for cell in config.cells[1:]:
        units = size.hidden_size
        if config.same == "weights" and cell not in contest.fixed:
            units, _ = matching(lambda h, cell=cell: contest.size(cell, h).weights, size.weights, units)  # type: ignore[misc]
        entrants.append(Entrant(cell, units, contest.size(cell, units).weights))
    return entrants


def _tuned(
    contest: Contest,
    config: CompareConfig,
    entrant: Entrant,
    tried: dict[float, float | None],
    folder: Path,
    progress: Progress,
) -> Entrant:
    """The entrant with the learning rate that validates best with the first seed."""
    for rate in config.learning_rates:
        candidate = Entrant(entrant.cell, entrant.hidden_size, entrant.weights, rate)
        tried[rate] = _entered(contest, candidate, config.seed, folder, progress, test=False).validation
        progress.note(f"{entrant.name}, learning rate {rate:g}: validation loss {tried[rate]}")
    losses = {rate: loss for rate, loss in tried.items() if loss is not None}
    if not losses:
        raise InputError(f"the {entrant.name} diverges with all of these learning rates: give lower ones")
    return Entrant(entrant.cell, entrant.hidden_size, entrant.weights, min(losses, key=lambda rate: losses[rate]))


def _entered(contest: Contest, entrant: Entrant, seed: int, folder: Path, progress: Progress, *, test: bool) -> Outcome:
    """One training, or what an earlier try of the comparison found it to come to."""
    rate = "" if entrant.learning_rate is None else f"-{entrant.learning_rate:g}"
    name = f"{entrant.cell}-{seed}{rate}"
    validated, record = (folder / f"{name}-{done}.json" for done in ("validated", "tested" if test else "validated"))
    if not record.exists():
        folder.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        try:
            outcome = contest.enter(
                entrant, seed, folder / name, Named(progress, f"{entrant.name}, seed {seed}"), test=test
            )
        except InputError:
            raise
        except LongshortError:  # it diverged, which says something of its cell
            outcome = Outcome(seed, None, [], 0.0)
        busy = time.process_time() - began
        # Where learning rates were tried it is trained already.
        before = _read(validated) if validated.exists() else Outcome(seed, None, [], 0.0)
        outcome = replace(
            outcome,
            seconds=outcome.seconds + before.seconds,
            processor_seconds=busy + before.processor_seconds,
        )
        write_atomically(record, to_json(outcome.to_json()))
    return _read(record)


def _read(record: Path) -> Outcome:
    return Outcome.from_json(json.loads(record.read_bytes()))


def _said(contest: Contest, outcome: Outcome) -> str:
    if outcome.validation is None:
        return f"diverged, after {outcome.seconds:.0f} s"
    ours = next(iter(outcome.overall.values()))
    known = [(name, metric) for name, metric in contest.metrics.items() if ours.get(name) is not None]
    shown = [f"{name} {metric.show([ours[name]])[0]}" for name, metric in known[:2]]
    reached = "" if outcome.reached is None else f", lag {outcome.reached} reached"
    return f"{listed(shown)}{reached}, {outcome.seconds:.0f} s"
