"""What a forecaster can be told, and the plan that it makes of that and the data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from longshort.data import Panel, find_seasons
from longshort.errors import InputError
from longshort.settings import Settings, is_number, is_whole
from longshort.space import Range, Ranges
from longshort.tasks.forecast.backtest import Backtest

CELLS = ("lstm", "gru", "rnn", "none")
# Longer seasons than this (a year of days) are left to the calendar features and single lags.
LONGEST_PATTERN = 200
PATCHES = (4, 48)
# Series that a plan is made of, where there are more.
PLANNED = 5_000
CYCLE_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "year": 365.25}


@dataclass(frozen=True)
class ForecastConfig(Settings):
    """Settings of a `Forecaster`.

    Attributes:
        horizon: steps to forecast.
        quantiles: levels to learn, ascending in (0, 1); 0.5 is added where it is missing.
        cell: recurrent layer: "lstm", "gru", "rnn", or "none" to see what is left without one.
        hidden_size: hidden units of the recurrent layer.
        num_layers: recurrent layers.
        dropout: probability, on the embedded patches and the recurrent state.
        members: networks trained from different seeds, whose quantiles are averaged.
        seasons: season lengths in steps; () for none.
        lookback: steps that the network sees.
        steps: optimiser steps at most.
        batch_size: windows in a step.
        learning_rate, weight_decay: of AdamW.
        validation_size: steps before the test windows that decide when to stop.
        refit: train the members on the validation steps too, for as many steps as a first network found good. Pays
            where the latest steps matter most. If not, each member is stopped by the validation windows and its best
            weights are kept.
        test_windows: windows at the end of every series held out for the honest evaluation; 0 to hold out none.
        step_size: steps between two test windows; the horizon if None.
        seed: of weights, batches and dropout.
    """

    horizon: int
    quantiles: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    cell: str = "lstm"
    hidden_size: int = 64
    num_layers: int = 1
    dropout: float = 0.1
    members: int = 3
    seasons: tuple[int, ...] | None = None
    lookback: int | None = None
    steps: int | None = None
    batch_size: int = 128
    learning_rate: float = 8e-3
    weight_decay: float = 0.01
    validation_size: int | None = None
    refit: bool = False
    test_windows: int | None = None
    step_size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("cell", CELLS)
        self._truth("refit")
        for name in ("quantiles", "seasons"):
            value = getattr(self, name)
            several = isinstance(value, (tuple, list)) and all(is_number(v) for v in value)
            self._need(
                several or (value is None and name == "seasons"), f"{name} must be a list of numbers, not {value!r}"
            )
        levels = tuple(sorted({*(float(q) for q in self.quantiles), 0.5}))
        self._need(all(0 < q < 1 for q in levels), f"quantiles must lie between 0 and 1, not {tuple(self.quantiles)}")
        object.__setattr__(self, "quantiles", levels)
        if self.seasons is not None:
            self._need(
                all(is_whole(s) and s >= 2 for s in self.seasons),
                f"seasons must be whole numbers from 2, not {self.seasons}",
            )
            object.__setattr__(self, "seasons", tuple(sorted(set(self.seasons))))
        self._whole("horizon", "hidden_size", "num_layers", "members", "batch_size", least=1)
        self._whole("lookback", "steps", "validation_size", "step_size", least=1, optional=True)
        self._whole("test_windows", least=0, optional=True)
        self._whole("seed", least=0)
        self._number("dropout", below=1)
        self._number("learning_rate", positive=True)
        self._number("weight_decay")


@dataclass(frozen=True)
class Plan:
    """What a config and a panel come to.

    Attributes:
        seasons: seasons that the network uses, shortest first.
        metric_season: season of MASE and of the baselines: the frequency's usual one, 1 where there is none.
        lookback: steps that the network sees, a multiple of `patch`.
        patch: steps that make one input of the recurrent layer: one season, where that is a fair size.
        linear: last steps that the linear path sees.
        level: last steps of a window whose mean is its location: one season, or the whole window where there is none.
        lags: lags of the copies, in steps.
        calendar: names of the calendar features that the network sees: those of cycles that were seen twice.
        steps: optimiser steps at most.
        validation: windows that decide when to stop.
        test: held-out windows, or None.
    """

    seasons: tuple[int, ...]
    metric_season: int
    lookback: int
    patch: int
    linear: int
    level: int
    lags: tuple[int, ...]
    calendar: tuple[str, ...]
    steps: int
    validation: Backtest
    test: Backtest | None

    @property
    def test_size(self) -> int:
        """Steps at the end of every series that lie in test windows."""
        return self.test.test_size if self.test else 0

    @property
    def held_out(self) -> int:
        """Steps at the end of every series that lie in validation or test windows."""
        return self.validation.test_size + self.test_size

    @property
    def reach(self) -> int:
        """Steps before an origin that the network looks at."""
        return max(self.lookback, *self.lags)

    def describe(self, horizon: int) -> str:
        """What was read from the data, in one line."""
        season = " and ".join(str(s) for s in self.seasons)
        return (
            f"{f'season of {season} steps' if season else 'no season'}; looks back {self.lookback} steps in patches of "
            f"{self.patch}, forecasts {horizon}; holds out {self.validation.test_size} steps to know when to stop"
            + (f" and {self.test.test_size} for the test" if self.test else "")
        )

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        test = values.pop("test")
        validation = Backtest(**values.pop("validation"))
        return cls(**values, validation=validation, test=Backtest(**test) if test else None)


def ranges(plan: Plan) -> Ranges:
    """What is worth a search: the look-back in whole patches, up to twice that of the plan."""
    return {
        "num_layers": Range(1, 3),
        "hidden_size": Range(16, 256, log=True),
        "learning_rate": Range(1e-3, 3e-2, log=True),
        "dropout": Range(0.0, 0.5),
        "lookback": Range(plan.patch, max(2, 2 * plan.lookback // plan.patch) * plan.patch, step=plan.patch),
    }


def make_plan(panel: Panel, config: ForecastConfig) -> Plan:
    """Season, look-back, patch, lags, splits and length of training, from the data.

    Raises:
        InputError: no series is long enough for its training, validation and test windows.
    """
    h = config.horizon
    lengths = np.array([len(s) for s in panel])
    typical = int(np.median(lengths))
    test = _test_windows(config, typical, len(panel))
    validation = _validation_windows(config, typical - (test.test_size if test else 0), len(panel))
    held_out = validation.test_size + (test.test_size if test else 0)
    needed = held_out + h + 2
    longest = panel.series[int(lengths.argmax())]
    if len(longest) < needed:
        raise InputError(
            f"series {longest.id!r}, the longest, has {len(longest)} steps; a horizon of {h} needs at least {needed} "
            "for its training, validation and test windows: shorten the horizon, or bring more rows"
        )
    # Many series tell the same as all of them.
    some = [s for s in panel.some(PLANNED) if len(s) >= needed] or [longest]
    training = replace(panel, series=[s.head(len(s) - held_out) for s in some])
    typical = int(np.median([len(s) for s in training]))
    seasons = config.seasons if config.seasons is not None else find_seasons(training)
    patterns = [s for s in seasons if s <= LONGEST_PATTERN]
    room = max(2, (typical - h) // 2)
    if patterns:
        season = patterns[0]
        patch = season * math.ceil(PATCHES[0] / season)
        while patch > PATCHES[1]:
            patch = math.ceil(patch / 2)
        wanted = max(21 * season if season <= PATCHES[1] else 4 * season, 3 * patterns[-1], 2 * h)
    else:
        wanted = min(max(4 * h, 32), 128)
        patch = max(1, min(wanted, room) // 16)
    lookback = config.lookback or min(wanted, room)
    patch = min(patch, lookback)
    lookback -= lookback % patch
    lags = {1}
    if patterns:
        lags |= {k * patterns[0] for k in range(1, 22) if k * patterns[0] <= max(typical - h, patterns[0])}
    lags |= {s for s in seasons if s <= typical - h}
    linear = min(lookback, max(7 * patterns[0], patterns[-1]) if patterns else lookback)
    points = int(sum(np.isfinite(s.y).sum() for s in training) * (lengths >= needed).sum() / len(training))
    usual = panel.frequency.seasons()
    return Plan(
        seasons=tuple(seasons),
        metric_season=usual[0] if usual else (seasons[0] if seasons else 1),
        lookback=lookback,
        patch=patch,
        linear=linear,
        level=min(patterns[0], lookback) if patterns else lookback,
        lags=tuple(sorted(lags)),
        calendar=_calendar(training),
        steps=config.steps or int(np.clip(points // 100, 500, 4000)),
        validation=validation,
        test=test,
    )


def _calendar(panel: Panel) -> tuple[str, ...]:
    """Calendar features of the cycles that the longest series goes through at least twice.

    A cycle seen once cannot be told from a trend: with a year of data, its months would be learnt by heart.
    """
    longest = max(panel, key=len)
    ends = panel.frequency.times(np.array([longest.start, longest.end]))
    if not np.issubdtype(ends.dtype, np.datetime64):
        return ()
    days = (ends[1] - ends[0]) / np.timedelta64(1, "D")
    return tuple(name for name in panel.frequency.calendar_names if days >= 2 * CYCLE_DAYS[name.split()[0]])


def _test_windows(config: ForecastConfig, typical: int, series: int) -> Backtest | None:
    """A tenth of the history, a window per horizon; a few series get many windows, many series get one each."""
    if config.test_windows == 0:
        return None
    step = config.step_size or config.horizon
    fair = min(typical // (10 * step), 60 // series)
    return Backtest(config.horizon, config.test_windows or max(1, fair), step)


def _validation_windows(config: ForecastConfig, typical: int, series: int) -> Backtest:
    """As many steps as a tenth of the history, at least one horizon; at most some 2000 windows in all."""
    h = config.horizon
    size = max(config.validation_size or (max(h, typical // 10) if series <= 60 else h), h)
    step = max(1, math.ceil((size - h + 1) * series / 2000))
    return Backtest(h, (size - h) // step + 1, step)
