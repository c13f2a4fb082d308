"""What a comparison can be told."""

from __future__ import annotations

from dataclasses import dataclass

from longshort.settings import Settings, is_number, is_whole

SAME = ("weights", "units")
CELLS = ("lstm", "gru", "rnn")
LAGS = (10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class CompareConfig(Settings):
    """What all comparisons have in common.

    Attributes:
        cells: what is compared; the others are made as large as the first one.
        seeds: trainings of each cell.
        same: what all cells have as many of: "weights" or "units".
        learning_rates: candidates that are tried for each cell on the validation split with the first seed; () leaves
            all cells with the one of the settings.
        seed: the first one; the others follow.
    """

    cells: tuple[str, ...] = CELLS
    seeds: int = 3
    same: str = "weights"
    learning_rates: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("same", SAME)
        self._whole("seeds", least=1)
        self._whole("seed", least=0)
        cells, rates = self.cells, self.learning_rates
        self._need(isinstance(cells, tuple) and bool(cells), f"cells must be a list of cells, not {cells!r}")
        self._need(
            len(set(cells)) == len(cells), f"cells must differ from each other, not {', '.join(map(str, cells))}"
        )
        right = isinstance(rates, tuple) and all(is_number(rate) and rate > 0 for rate in rates)
        self._need(right, f"learning_rates must be a list of numbers above 0, not {rates!r}")

    def check_cells(self, known: tuple[str, ...]) -> None:
        """Raise InputError where one of the cells is not among the known ones."""
        for cell in self.cells:
            self._need(cell in known, f"there is no cell {cell!r} to compare: known are {', '.join(known)}")

    @property
    def all_seeds(self) -> range:
        """The seed of each training of a cell."""
        return range(self.seed, self.seed + self.seeds)


@dataclass(frozen=True)
class TaskConfig(CompareConfig):
    """Settings of a comparison on one of the built-in tasks; what is None is as the task's recipe has it.

    Attributes:
        task: adding, copy, order, recall, mnist or permuted-mnist.
        lag: steps over which something must be remembered; not for the images.
        hidden_size: units of the first cell.
        steps: optimiser steps of each training.
        batch_size: sequences of a step.
        learning_rate: of all cells, at the beginning of a cosine to 0.
        precision, accelerator: Lightning's: 32-true, bf16-mixed, …; cpu, gpu, auto.
    """

    cells: tuple[str, ...] = ("lstm", "gru", "rnn", "rnn-relu")
    task: str = "adding"
    lag: int | None = None
    hidden_size: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    precision: str | None = None
    accelerator: str | None = None

    def __post_init__(self) -> None:
        from longshort.study.comparison.recipes import RECIPES
        from longshort.study.network import CELLS

        super().__post_init__()
        self._one_of("task", tuple(RECIPES))
        self.check_cells(tuple(CELLS))
        self._whole("hidden_size", "steps", "batch_size", least=1, optional=True)
        self._number("learning_rate", positive=True, optional=True)
        least = RECIPES[self.task].least
        self._need(bool(least) or self.lag is None, f"the task {self.task!r} has no lag to choose: leave it out")
        self._whole("lag", least=least or 1, optional=True)


@dataclass(frozen=True)
class LagsConfig(TaskConfig):
    """Settings of success against the lag; what is None is as the task's recipe has it.

    Attributes:
        lags: at each of them all cells are trained anew, ascending.
    """

    task: str = "recall"
    lags: tuple[int, ...] = LAGS

    def __post_init__(self) -> None:
        from longshort.study.comparison.recipes import RECIPES

        super().__post_init__()
        self._need(self.lag is None, "success against the lag has several of them: give lags instead of lag")
        least, lags = RECIPES[self.task].least, self.lags
        self._need(bool(least), f"the task {self.task!r} has no lag to choose: compare it at its one length")
        right = isinstance(lags, tuple) and bool(lags) and all(is_whole(lag) and lag >= least for lag in lags)
        self._need(right, f"lags must be whole numbers from {least}, not {lags!r}")
        object.__setattr__(self, "lags", tuple(sorted(set(lags))))
