"""The course of a search, kept by Optuna in a journal: what to try next, when to stop a trial, what came of it."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from longshort.errors import InputError
from longshort.estimator import Trial
from longshort.space import Range, Ranges

if TYPE_CHECKING:
    import optuna

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
# Trials that are never stopped early, lest the median be that of two; and the percent of a training before which none
# is: while the learning rate is high, loss says little of where it ends.
UNSTOPPED = 5
WARMUP = 25
# Fewer finished trials than this say nothing of importance.
ENOUGH = 8


@dataclass(frozen=True)
class Tried:
    """One trial.

    Attributes:
        number: from 0, which has the default settings.
        state: FINISHED, STOPPED (the search ended it early) or FAILED.
        settings: those that were searched over.
        validation: the lowest validation loss, None if it did not finish.
        step: optimiser steps to it.
        weights: trained numbers.
        seconds: that it took, tries that were interrupted included.
        looks: percent of the training, and validation loss.
        reason: why it did not finish.
    """

    number: int
    state: str
    settings: Mapping[str, Any]
    validation: float | None
    step: int | None
    weights: int | None
    seconds: float
    looks: tuple[tuple[int, float], ...]
    reason: str = ""


class Search:
    """A search that can be interrupted at any moment, and goes on where it was. Several threads may use it at once.

    What a trial tries depends on the seed, its number and the trials that are known when it begins, on nothing else.

    Args:
        journal: file that Optuna writes; a search that is in it goes on.
        ranges: what to search over.
        defaults: values of the default settings, which are trial 0.
        seed: of what is tried.
        trials: how many trials, those of earlier sessions included.
        minutes: after which no trial begins in this session.
        prune: whether to stop trials early.

    Raises:
        InputError: Optuna is not installed.
    """

    def __init__(
        self,
        journal: Path,
        ranges: Ranges,
        defaults: Mapping[str, Any],
        *,
        seed: int,
        trials: int | None,
        minutes: float | None,
        prune: bool,
    ) -> None:
        optuna = _optuna()
        self.ranges, self.seed, self.trials = ranges, seed, trials
        self.defaults = {name: defaults.get(name) for name in ranges}
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self._lock = threading.RLock()
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
        self._study = optuna.create_study(
            storage=storage,
            study_name="tune",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNSTOPPED, n_warmup_steps=WARMUP)
            if prune
            else optuna.pruners.NopPruner(),
        )
        if not self._study.trials:
            self._study.enqueue_trial({n: v for n, v in self.defaults.items() if v in ranges[n]})
        self._interrupted = [t for t in self._study.trials if t.state == optuna.trial.TrialState.RUNNING]
        self._running: dict[int, Any] = {}
        self._began: dict[int, tuple[float, float]] = {}

    def ask(self) -> tuple[int, dict[str, Any]] | None:
        """Number and settings of the next trial, those interrupted first; None when the budget is spent."""
        optuna = _optuna()
        with self._lock:
            known = self._study.get_trials(deepcopy=False)
            if self._interrupted:
                frozen = self._interrupted.pop(0)
                self._sample_for(frozen.number)
                trial = optuna.trial.Trial(self._study, frozen._trial_id)
            else:
                number = sum(t.state != optuna.trial.TrialState.WAITING for t in known)
                late = self.deadline is not None and time.monotonic() >= self.deadline
                if number and (late or (self.trials is not None and number >= self.trials)):
                    return None
                self._sample_for(number)
                trial = self._study.ask()
            settings = self._suggested(trial)
            self._running[trial.number] = trial
            self._began[trial.number] = trial.user_attrs.get("seconds", 0.0), time.monotonic()
        # Trial 0 is the default, whatever was made of it for the sampler.
        return trial.number, {} if trial.number == 0 else settings

    def look(self, number: int, percent: int, loss: float) -> bool:
        """Keep a look of a trial; gives whether the trial goes on. The default settings always do."""
        with self._lock:
            trial = self._running[number]
            if percent not in trial.storage.get_trial(trial._trial_id).intermediate_values:
                trial.report(loss, percent)
            trial.set_user_attr("seconds", self._seconds(number))
            return number == 0 or not trial.should_prune()

    def tell(self, number: int, trial: Trial | None = None, *, state: str = FINISHED, reason: str = "") -> Tried:
        """Keep what came of a trial."""
        states = _optuna().trial.TrialState
        with self._lock:
            running = self._running.pop(number)
            running.set_user_attr("seconds", self._seconds(number))
            running.set_user_attr("reason", reason)
            if trial:
                running.set_user_attr("step", trial.step)
                running.set_user_attr("weights", trial.weights)
            # To the sampler one that diverged is as bad as one that was stopped.
            ended = {FINISHED: states.COMPLETE, STOPPED: states.PRUNED, FAILED: states.FAIL}[state]
            self._study.tell(running, trial.validation if trial else None, ended)
            return self.tried[number]

    @property
    def tried(self) -> dict[int, Tried]:
        """All trials that have ended, by number."""
        states = _optuna().trial.TrialState
        names = {states.COMPLETE: FINISHED, states.PRUNED: STOPPED, states.FAIL: FAILED}
        with self._lock:
            ended = [t for t in self._study.get_trials(deepcopy=False) if t.state in names]
        return {
            t.number: Tried(
                number=t.number,
                state=names[t.state],
                settings=self.defaults if t.number == 0 else {name: _short(v) for name, v in t.params.items()},
                validation=t.value if names[t.state] == FINISHED else None,
                step=t.user_attrs.get("step"),
                weights=t.user_attrs.get("weights"),
                seconds=t.user_attrs.get("seconds", 0.0),
                looks=tuple(sorted(t.intermediate_values.items())),
                reason=t.user_attrs.get("reason", ""),
            )
            for t in ended
        }

    @property
    def best(self) -> Tried | None:
        """The finished trial with the lowest validation loss."""
        finished = [t for t in self.tried.values() if t.validation is not None]
        return min(finished, key=lambda t: (t.validation, t.number), default=None)

    def importances(self) -> dict[str, float]:
        """Share of each setting in what the finished trials differ by, the largest first; {} where they are too few.

        By fANOVA (Hutter, Hoos & Leyton-Brown 2014): the variance of a random forest that was fitted to the trials.
        """
        optuna = _optuna()
        states = optuna.trial.TrialState
        trials = self._study.get_trials(deepcopy=False, states=(states.COMPLETE,))
        whole = [t for t in trials if t.params.keys() == self.ranges.keys()]
        losses = {t.value for t in whole}
        if len(whole) < ENOUGH or len(losses) < 2:
            return {}
        study = optuna.create_study()
        study.add_trials(whole)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}

    def _seconds(self, number: int) -> float:
        before, began = self._began[number]
        return round(before + time.monotonic() - began, 3)

    def _sample_for(self, number: int) -> None:
        """A sampler that knows nothing but the trial's number: a search that was interrupted draws the same again."""
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of what the sampler does is still called experimental
            self._study.sampler = _optuna().samplers.TPESampler(seed=seed, warn_independent_sampling=False)

    def _suggested(self, trial: optuna.trial.Trial) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, values in self.ranges.items():
            if trial.number == 0 and self.defaults[name] not in values:
                continue
            if not isinstance(values, Range):
                result[name] = trial.suggest_categorical(name, values.values)
            elif values.whole:
                step = 1 if values.log else values.step
                result[name] = trial.suggest_int(name, int(values.low), int(values.high), step=step, log=values.log)
            else:
                result[name] = trial.suggest_float(name, values.low, values.high, log=values.log)
        return {name: _short(value) for name, value in result.items()}


def _short(value: Any) -> Any:
    """A number as somebody would write it: three digits say all that there is to say of a learning rate."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError("a search over settings needs Optuna: pip install 'longshort[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
