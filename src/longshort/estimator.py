"""The life cycle that all tasks share: fit, evaluate, predict, save, load, and the run directory around it."""

from __future__ import annotations

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from typing_extensions import Self

from longshort.artifact import CHECKPOINTS, CONFIG, RunDirectory, versions
from longshort.errors import InputError, LongshortError
from longshort.scores import Scores
from longshort.settings import Settings
from longshort.space import Ranges, Space
from longshort.training import Check, Hardware, Progress, default_progress
from longshort.training.processes import is_main

if TYPE_CHECKING:
    from torch import nn

    from longshort.explainable import Explainable
    from longshort.exportable import Exportable

METRICS = "metrics.json"

SettingsT = TypeVar("SettingsT", bound=Settings)
DataT = TypeVar("DataT")
Checks = list[list[Check]]


class Learnt(Protocol):
    """What every task's `fitted` has."""

    @property
    def checks(self) -> Checks:
        """For every training its looks at the validation split."""

    @property
    def scores(self) -> Scores | None:
        """Scores of the held-out test split beside the baselines; None where none was held out."""

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """All members, in evaluation."""


FittedT = TypeVar("FittedT", bound=Learnt)


@dataclass(frozen=True)
class Trial:
    """What one training came to, for comparisons of settings.

    Attributes:
        validation: the lowest validation loss, its mean over the members.
        step: optimiser steps to it, of the member that took the most.
        weights: trained numbers of all members.
        checks: of every member, its looks at the validation split.
        seconds: that this training took here, what an earlier try of it did left out.
        scores: of the test split beside the baselines, where it was asked for and there is one.
    """

    validation: float
    step: int
    weights: int
    checks: Checks
    seconds: float
    scores: Scores | None = None


@dataclass(frozen=True)
class Size:
    """How large the networks are that `fit` would train.

    Attributes:
        hidden_size: units of a recurrent layer.
        weights: trained numbers of all members.
    """

    hidden_size: int
    weights: int


class Estimator(ABC, Generic[SettingsT, DataT, FittedT]):
    """A task: what goes in, what is learnt, what comes out. Its own class fills in the methods with an underscore.

    Args:
        config: all settings as one object; or
        settings: its fields by name.
    """

    task: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    scores_type: ClassVar[type[Scores]]
    # What somebody does with a fresh run: in a word, and as a command in which {run} stands for the folder.
    next_steps: ClassVar[dict[str, str]]
    # Settings on which it depends what the validation loss says: not to be searched over.
    measures: ClassVar[tuple[str, ...]] = ("seed",)
    # Whether training in bfloat16 is as good, so that it is done where the machine is faster with it.
    half: ClassVar[bool] = False

    def __init__(self, config: SettingsT | None = None, /, **settings: Any) -> None:
        self.config: SettingsT = (
            replace(config, **settings) if config else self.settings_type.from_dict(settings)  # type: ignore[assignment]
        )
        self._fitted: FittedT | None = None
        self._described: dict[str, Any] = {}

    @property
    def fitted(self) -> FittedT:
        """What was learnt; raises LongshortError before `fit`."""
        if self._fitted is None:
            raise LongshortError(
                f"this {type(self).__name__} is not fitted yet: call fit(data), or {type(self).__name__}.load(run)"
            )
        return self._fitted

    def fit(
        self,
        data: Any,
        *,
        run: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        hardware: Hardware | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> Self:
        """Train, stop by the validation split, and evaluate on the test split beside the baselines.

        Args:
            data: what the task learns from; see the class.
            run: folder to write the run to; the training can then be stopped and resumed.
            resume: go on with the unfinished run in that folder.
            overwrite: replace the run in that folder.
            hardware: where to train.
            progress: told of every step; by default a line in the terminal, where there is one.
            options: how to read the data; see the class.

        Raises:
            InputError: the data or the folder cannot be used.
        """
        material = self._read(data, **options)
        hardware, progress = (
            (hardware or Hardware(precision="auto")).resolved(self.half),
            progress or default_progress(),
        )
        described = self._describe(material)
        if run is None:
            with tempfile.TemporaryDirectory(prefix="longshort-") as folder:
                self._fitted = self._train(material, Path(folder), hardware, progress)
                self._described = described
                self._test(material, progress)
            return self
        from longshort.training.loop import check_hardware

        check_hardware(hardware)
        if not is_main():  # one of several processes: it only takes part in the training
            self._fitted = self._train(material, Path(run) / CHECKPOINTS, hardware, Progress())
            return self
        config = self._config(described)
        directory = RunDirectory.create(run, config=config, resume=resume, overwrite=overwrite)
        self._fitted = self._train(material, directory.checkpoints, hardware, progress)
        self._described = described
        self._test(material, progress)
        self._write_run(directory)
        return self

    def trial(
        self,
        data: Any,
        *,
        checkpoints: str | Path,
        hardware: Hardware | None = None,
        progress: Progress | None = None,
        scored: bool = False,
        **options: Any,
    ) -> Trial:
        """Train as `fit` does, but keep nothing of it: settings are compared so, and the test split is left alone.

        Args:
            data, hardware, progress, options: as `fit` takes them.
            checkpoints: folder for what a resumption needs; a training that is finished in it is only read.
            scored: score on the test split all the same: for the settings that were chosen.

        Raises:
            InputError: the data cannot be used, or there is no validation split.
        """
        began = time.perf_counter()
        material = self._read(data, **options)
        hardware = (hardware or Hardware(precision="auto")).resolved(self.half)
        progress = progress or Progress()
        learnt = self._train(material, Path(checkpoints), hardware, progress)
        seconds = time.perf_counter() - began
        best = [
            min(((c.validation, c.step) for c in looks if c.validation is not None), default=None)
            for looks in learnt.checks
        ]
        if not best or None in best:
            raise InputError("there is no validation split to compare settings by: hold one out")
        losses, steps = zip(*(b for b in best if b), strict=True)
        weights = sum(p.numel() for network in learnt.networks for p in network.parameters())
        scores = self._scored(learnt, material, progress) if scored else None
        return Trial(sum(losses) / len(losses), max(steps), weights, learnt.checks, seconds, scores)

    def _scored(self, learnt: FittedT, material: DataT, progress: Progress) -> Scores | None:
        """Scores of something learnt that is not kept."""
        before, self._fitted = self._fitted, learnt
        try:
            self._test(material, progress)
            return self.fitted.scores
        finally:
            self._fitted = before

    def size(self, data: Any, **options: Any) -> Size:
        """How large the networks are that `fit` would train on this data, without any training.

        Args:
            data, options: as `fit` takes them.

        Raises:
            InputError: the data cannot be used.
        """
        import torch

        material = self._read(data, **options)
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            weights = sum(p.numel() for network in self._untrained(material) for p in network.parameters())
        planned = {**self.config.to_dict(), **self._describe(material)["plan"]}
        return Size(planned["hidden_size"], weights)

    def space(self, data: Any, **options: Any) -> Space:
        """What a search over the settings may choose from, for this data.

        Args:
            data, options: as `fit` takes them.

        Raises:
            InputError: the data cannot be used.
        """
        material = self._read(data, **options)
        described = self._describe(material)
        given = {name: value for name, value in self.config.to_dict().items() if value is not None}
        return Space(self._ranges(material), {**described["plan"], **given}, described)

    @abstractmethod
    def evaluate(self, data: Any = None) -> Scores:
        """Score beside the baselines: on new data, or what `fit` held out if None."""

    @abstractmethod
    def predict(self, data: Any = None) -> Any:
        """The task's answer to new data."""

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The network and what it reads, opened up for `longshort.study.explain`. A task overrides it.

        Args:
            data: what is to be looked at, as `predict` takes it; None for something that the run keeps.
            which: of several series or examples the one to look at: its name, or its number from 1.
            steps: how many steps to look at, at most.

        Raises:
            InputError: the data cannot be used, or runs of this task cannot be explained.
        """
        raise InputError(f"runs of the task {self.task!r} cannot be explained yet: their report.html says what they do")

    def exportable(self) -> Exportable:
        """The networks as functions of tensors, for `longshort export`. A task overrides it.

        Raises:
            InputError: runs of this task cannot be exported.
        """
        raise InputError(f"runs of the task {self.task!r} cannot be exported yet")

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a finished run directory; see docs/run-directory.md.

        Raises:
            InputError: the folder cannot be written, or holds something else.
        """
        assert self.fitted is not None
        config = self._config(self._described)
        self._write_run(RunDirectory.create(path, config=config, resume=False, overwrite=overwrite))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a run directory.

        Raises:
            InputError: it is not a finished run of this task, or not as it was written.
        """
        try:
            run = RunDirectory.open(path)
            config = run.read_json(CONFIG)
            if config.get("task") != cls.task:
                raise InputError(f"{path} holds a run of the task {config.get('task')!r}, not {cls.task!r}")
            estimator = cls(cls.settings_type.from_dict(config["settings"]))  # type: ignore[arg-type]
            estimator._described = {key: config[key] for key in config if key not in estimator._config({})}
            metrics = run.read_json(METRICS)
            checks = [[Check(**check) for check in looks] for looks in metrics["training"]]
            scores = cls.scores_type.from_json(metrics["test"]) if metrics["test"] else None
            estimator._fitted = estimator._restore(run, checks, scores)
        except InputError:
            raise
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            what = " ".join(str(error).split())
            raise InputError(
                f"{path} is not as longshort wrote it ({type(error).__name__}: {what}): restore it, or fit again"
            ) from error
        return estimator

    @property
    def changed_settings(self) -> dict[str, Any]:
        """The settings that are not as they are by default; those without a default are left out."""
        defaults = {f.name: f.default for f in fields(self.config) if f.default is not MISSING}
        return {name: getattr(self.config, name) for name, v in defaults.items() if getattr(self.config, name) != v}

    @property
    def files_apart(self) -> tuple[str, ...]:
        """The parts of the data, "validation" or "test", that `fit` was given apart from what it learnt from."""
        data = self._described.get("data")
        return tuple(part for part in ("validation", "test") if isinstance(data, dict) and part in data)

    def _config(self, described: dict[str, Any]) -> dict[str, Any]:
        return {"task": self.task, "settings": self.config.to_dict(), **described, "versions": versions()}

    def _write_run(self, run: RunDirectory) -> None:
        fitted = self.fitted
        self._write(run)
        run.write_json(
            METRICS,
            {
                "training": [[vars(check) for check in looks] for looks in fitted.checks],
                "test": fitted.scores.to_json() if fitted.scores else None,
            },
        )
        run.write("report.html", self._report().encode())
        run.finish()

    # -- what a task fills in ------------------------------------------------------------------------------------------

    @abstractmethod
    def _read(self, data: Any, **options: Any) -> DataT:
        """Read and check what `fit` is given, and plan what to make of it."""

    @abstractmethod
    def _describe(self, material: DataT) -> dict[str, Any]:
        """What config.json says of the material, `plan` and `data` among it: a resumed run must have the same."""

    def _untrained(self, material: DataT) -> Sequence[nn.Module]:
        """The networks that `_train` would begin with. A task overrides it."""
        raise InputError(f"the task {self.task!r} cannot tell the size of its networks yet: fit them one by one")

    def _ranges(self, material: DataT) -> Ranges:
        """The settings that are worth a search, and in which bounds. A task overrides it."""
        return {}

    @abstractmethod
    def _train(self, material: DataT, checkpoints: Path, hardware: Hardware, progress: Progress) -> FittedT:
        """Learn, with whatever a resumption needs in the folder `checkpoints`."""

    @abstractmethod
    def _test(self, material: DataT, progress: Progress) -> None:
        """Score what was learnt on the held-out test split, if there is one, and keep the scores in `fitted`."""

    @abstractmethod
    def _write(self, run: RunDirectory) -> None:
        """Write what was learnt; config.json, metrics.json and report.html are written by this class."""

    @abstractmethod
    def _restore(self, run: RunDirectory, checks: Checks, scores: Any) -> FittedT:
        """The inverse of `_write`; `checks` and `scores` are read already."""

    @abstractmethod
    def _report(self) -> str:
        """The report of what was learnt: a whole HTML document."""
