"""`tune`: which settings serve a task best on these data, by trials of which each trains a network."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from longshort.artifact import RunDirectory, versions
from longshort.errors import InputError, LongshortError
from longshort.estimator import Trial
from longshort.settings import is_number, is_whole
from longshort.space import Range, Ranges, parse
from longshort.study.tuning.jobs import Here, Job, Look, LostError, StoppedError, Worker, estimator
from longshort.study.tuning.processes import Process
from longshort.study.tuning.results import Again, Tuning, to_json
from longshort.study.tuning.search import FAILED, STOPPED, Search, Tried
from longshort.training import Hardware, Progress, default_progress
from longshort.wording import number

RESULTS = "results.json"
JOURNAL = "trials.jsonl"
ENGINES = ("processes", "ray")
TRIALS = 30
# Seeds from which the best and the default settings are trained again.
AGAIN = 3
# A worker that dies is replaced, and its job done again; one that kills this many is at fault itself.
DEATHS = 3


@dataclass(frozen=True)
class Budget:
    """How long to search, and by whom.

    Attributes:
        trials: how many, the default settings among them; TRIALS if neither they nor the minutes are given.
        minutes: after which no trial begins.
        again: seeds from which the best and the default settings are trained again at the end; 0 for none.
        prune: whether a trial that is worse than the median of the others is stopped early.
        workers: trials side by side.
        engine: where they are: "processes" of this machine, or a "ray" cluster.
    """

    trials: int | None = None
    minutes: float | None = None
    again: int = AGAIN
    prune: bool = True
    workers: int = 1
    engine: str = "processes"

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("again", 0), ("workers", 1)):
            value = getattr(self, name)
            if not (is_whole(value) and value >= least) and not (value is None and name == "trials"):
                raise InputError(f"{name} must be a whole number from {least}, not {value!r}")
        if self.minutes is not None and not (is_number(self.minutes) and self.minutes > 0):
            raise InputError(f"minutes must be a number above 0, not {self.minutes!r}")
        if self.engine not in ENGINES:
            raise InputError(f"engine must be one of {', '.join(ENGINES)}, not {self.engine!r}")

    @property
    def most(self) -> int | None:
        """Trials at most."""
        return TRIALS if self.trials is None and self.minutes is None else self.trials


def tune(
    task: str,
    data: Any,
    settings: Mapping[str, Any] | None = None,
    *,
    search: Sequence[str] = (),
    budget: Budget | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    fit: str | Path | None = None,
    hardware: Hardware | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Tuning:
    """Search for the settings with the lowest validation loss; the test split is not looked at.

    A trial trains one network (of those that average several, `members=1`, unless that is given).

    Args:
        task: as in `longshort fit TASK`.
        data, options: as the task's estimator takes them. Several workers need paths.
        settings: of the estimator; those given are not searched over.
        search: further or other ranges, as texts: "hidden_size=32..512", "cell=lstm,gru".
        budget: how long, and by how many workers.
        run: a folder for results.json and report.html; what is in it can be stopped and resumed.
        resume: go on with a search that was stopped in that folder.
        overwrite: replace the one that is there.
        fit: a folder to which the winner is then trained, with its test.
        hardware: where to train.
        progress: who is told.

    Raises:
        InputError: settings that do not fit, or data or a folder that cannot be used.
    """
    settings, budget = dict(settings or {}), budget or Budget()
    progress = progress or default_progress()
    options = {name: value for name, value in options.items() if value not in (None, (), [])}
    plain = estimator(task, settings)
    one = {"members": 1} if "members" in _names(plain) and "members" not in settings else {}
    space = estimator(task, {**settings, **one}).space(data, **options)
    ranges = _ranges(plain, space.ranges, space.values, settings, search)
    study = _Study(task, data, options, settings, {**settings, **one}, space.values, ranges, budget, hardware, progress)
    if run is None:
        with tempfile.TemporaryDirectory(prefix="longshort-") as folder:
            found = study.search(Path(folder))
    else:
        described = {
            "study": "tune",
            "task": task,
            "settings": settings,
            "space": {name: to_json(values) for name, values in ranges.items()},
            **space.described,
            "versions": versions(),
        }
        directory = RunDirectory.create(run, config=described, resume=resume, overwrite=overwrite)
        found = study.search(directory.checkpoints)
        from longshort.study.report.tune import render

        directory.write(JOURNAL, (directory.checkpoints / JOURNAL).read_bytes())
        directory.write_json(RESULTS, found.to_json())
        directory.write("report.html", render(found).encode())
        directory.finish()
    if fit is not None:
        progress.note(f"training the {'default settings' if found.winner.number == 0 else 'winner'} into {fit}")
        model = estimator(task, found.winning_settings)
        model.fit(data, run=fit, resume=resume, overwrite=overwrite, hardware=hardware, progress=progress, **options)
    return found


def _names(model: Any) -> list[str]:
    return [f.name for f in fields(model.config)]


def _ranges(
    model: Any, known: Ranges, values: Mapping[str, Any], settings: Mapping[str, Any], search: Sequence[str]
) -> Ranges:
    """The task's ranges without those of settings that were given, and with those that were asked for."""
    asked = parse(search, known, values)
    for name in asked:
        if name not in _names(model):
            raise InputError(f"unknown setting {name!r}: known are {', '.join(_names(model))}")
        if name in model.measures:
            raise InputError(f"{name} cannot be searched over: validation losses would not mean the same; use --set")
        if name in settings:
            raise InputError(f"{name} is given and searched over: leave one of them out")
    ranges = {**{name: r for name, r in known.items() if name not in settings}, **asked}
    if not ranges:
        raise InputError("there is nothing to search over: give ranges, such as --search hidden_size=32..256")
    for name, values_ in ranges.items():  # what a setting refuses is said before anything is trained
        for value in (values_.low, values_.high) if isinstance(values_, Range) else values_.values:
            replace(model.config, **{name: value})
    return ranges


@dataclass(frozen=True)
class _Study:
    task: str
    data: Any
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    given: Mapping[str, Any]
    values: Mapping[str, Any]
    ranges: Ranges
    budget: Budget
    hardware: Hardware | None
    progress: Progress

    def search(self, folder: Path) -> Tuning:
        """Search, with all that a resumption needs in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        search = Search(
            folder / JOURNAL,
            self.ranges,
            self.values,
            seed=self.values.get("seed", 0),
            trials=self.budget.most,
            minutes=self.budget.minutes,
            prune=self.budget.prune,
        )
        for name, values in self.ranges.items():
            self.progress.note(f"{name}: {values}; by default {_shown(self.values.get(name))}")
        if search.tried:
            self.progress.note(f"{len(search.tried)} trials are done already")
        workers = self._workers()
        try:
            _in_threads([partial(self._work, search, worker, folder) for worker in workers])
            if search.best is None:
                raise LongshortError(f"no trial could be trained to its end: {search.tried[0].reason}")
            again = self._again(search, workers, folder)
        finally:
            for worker in workers:
                worker.close()
        return Tuning(
            task=self.task,
            settings=self.settings,
            data=self.data,
            options=self.options,
            values=self.values,
            ranges=self.ranges,
            tried=search.tried,
            importances=search.importances(),
            again=again,
            workers=len(workers),
        )

    def _workers(self) -> list[Worker]:
        count = self.budget.workers
        if self.budget.engine == "ray":
            from longshort.study.tuning.cluster import connect

            return [*connect(count)]
        if count == 1:
            return [Here(self.progress)]
        return [Process(max(1, (os.cpu_count() or 1) // count)) for _ in range(count)]

    def _work(self, search: Search, worker: Worker, folder: Path) -> None:
        """What a worker does: trials, until the budget is spent."""
        while (asked := search.ask()) is not None:
            number, settings = asked
            job = self._job(f"trial {number}{_of(self.budget.most)}", settings, folder / f"trial-{number}")
            try:
                trial = self._do(worker, job, partial(search.look, number))
            except StoppedError as stopped:
                told = search.tell(number, state=STOPPED, reason=str(stopped))
            except LongshortError as error:
                # Nothing else can be better than what cannot be trained as it is given.
                if number == 0 and isinstance(error, InputError):
                    raise
                told = search.tell(number, state=FAILED, reason=str(error))
            else:
                told = search.tell(number, trial)
            self._clean(search, folder)
            self.progress.note(_line(told, search.best))

    def _do(self, worker: Worker, job: Job, look: Look, deaths: int = 0) -> Trial:
        """A job, again if the worker dies of it."""
        try:
            return worker.train(job, look)
        except LostError as lost:
            if deaths + 1 == DEATHS:
                raise
            self.progress.note(f"{job.name}: {lost}; it goes on from its last checkpoint")
        return self._do(worker, job, look, deaths + 1)

    def _job(self, name: str, settings: Mapping[str, Any], folder: Path) -> Job:
        hardware = self.hardware or Hardware(precision="auto")
        options = dict(self.options)
        return Job(name, self.task, {**self.given, **settings}, self.data, options, str(folder), hardware)

    def _clean(self, search: Search, folder: Path) -> None:
        """Remove the networks of trials that are not going to be trained again: only the default and the best are."""
        best = search.best
        for tried in search.tried.values():
            if tried.number not in (0, best.number if best else 0):
                shutil.rmtree(folder / f"trial-{tried.number}", ignore_errors=True)

    def _again(self, search: Search, workers: Sequence[Worker], folder: Path) -> Again | None:
        """The best and the default settings from other seeds."""
        count, best = self.budget.again, search.best
        if not count or best is None or best.number == 0 or search.tried[0].validation is None:
            return None
        self.progress.note(f"training trial {best.number} and the default settings again from other seeds: {count}")
        chosen: dict[int, dict[str, Any]] = {0: {}, best.number: dict(best.settings)}
        jobs = {
            (number, k): job
            for number, settings in chosen.items()
            for k, job in enumerate(self._from_other_seeds(number, settings, count, folder))
        }
        done: dict[tuple[int, int], Trial] = {}
        left = list(jobs)

        def work(worker: Worker) -> None:
            while left:
                key = left.pop(0)
                done[key] = self._do(worker, jobs[key], lambda *_: True)

        _in_threads([partial(work, worker) for worker in workers])
        losses = {
            number: tuple(loss for key in sorted(done) if key[0] == number for loss in _losses(done[key])[-count:])
            for number in chosen
        }
        return Again(losses[0], losses[best.number])

    def _from_other_seeds(self, number: int, settings: Mapping[str, Any], count: int, folder: Path) -> list[Job]:
        """The trainings of some settings from other seeds: more members where there are some, which share one split."""
        name = "the default settings again" if number == 0 else f"trial {number} again"
        if "members" in self.given:
            more = {**settings, "members": self.given["members"] + count}
            return [self._job(name, more, folder / f"trial-{number}")]
        seed = self.values.get("seed", 0)
        return [
            self._job(f"{name}, seed {s}", {**settings, "seed": s}, folder / f"trial-{number}-seed-{s}")
            for s in range(seed + 1, seed + 1 + count)
        ]


def _losses(trial: Trial) -> list[float]:
    """The lowest validation loss of every network."""
    return [min(c.validation for c in looks if c.validation is not None) for looks in trial.checks]


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    """Run functions side by side; a single one in this thread, where Ctrl-C meets it."""
    if len(works) == 1:
        works[0]()
        return
    pool = ThreadPoolExecutor(len(works))
    try:
        left = {pool.submit(work) for work in works}
        while left:
            # Only a thread that wakes up now and then hears of Ctrl-C.
            done, left = wait(left, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _of(trials: int | None) -> str:
    return "" if trials is None else f" of {trials - 1}"


def _line(told: Tried, best: Tried | None) -> str:
    """What came of a trial, and the best so far."""
    settings = ", ".join(f"{name}={_shown(value)}" for name, value in told.settings.items())
    loss = number(told.validation) if told.validation is not None else f"{told.state}, {told.reason}"
    said = f"; best so far {number(best.validation)}, trial {best.number}" if best else ""
    return f"trial {told.number}: {loss}{said} ({'default settings' if told.number == 0 else settings})"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
