"""`Forecaster`: from a table to a forecast that can be trusted, and back again from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort.artifact import RunDirectory
from longshort.data import Panel, is_large, read_panel, stream_panel
from longshort.errors import InputError
from longshort.estimator import Checks, Estimator
from longshort.explainable import Explainable, chosen
from longshort.exportable import Exportable
from longshort.space import Ranges
from longshort.tasks.forecast import history
from longshort.tasks.forecast.backtest import Backtest
from longshort.tasks.forecast.config import ForecastConfig, Plan, make_plan, ranges
from longshort.tasks.forecast.evaluation import ForecastScores, score
from longshort.tasks.forecast.model import ForecastModel
from longshort.tasks.forecast.network import ForecastNetwork
from longshort.tasks.forecast.rows import continued, need_future, wanted
from longshort.training import Hardware, Progress

BASELINES = ("Naive", "SeasonalNaive", "AutoETS")
# Steps of every series that a run keeps: what the baselines of a later evaluation look back on.
KEPT = 2000
# Series that are tested, where there are more: the baselines are fitted to each of them anew.
TESTED = 5_000
FORECASTS = "forecasts.parquet"


@dataclass(frozen=True)
class Material:
    """What a forecaster learns from: the series, and what was made of them."""

    panel: Panel
    plan: Plan


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        model: the networks and their scales.
        panel: the series; in a loaded run, their last steps.
        checks: for each member its looks at the validation split.
        scores: of the held-out windows, or None.
        forecasts: every model's forecasts of the held-out windows, or None.
    """

    model: ForecastModel
    panel: Panel
    checks: Checks
    scores: ForecastScores | None = None
    forecasts: pl.DataFrame | None = None

    @property
    def networks(self) -> tuple[ForecastNetwork, ...]:
        """All members, in evaluation."""
        return self.model.networks


class Forecaster(Estimator[ForecastConfig, Material, Fitted]):
    """Probabilistic forecasts of one or many series by a small ensemble of LSTM networks.

    >>> model = Forecaster(horizon=30).fit("sales.csv")     # doctest: +SKIP
    >>> model.predict()                                      # doctest: +SKIP

    It learns from a `Panel`, or whatever `longshort.data.read_panel` takes, with that function's options, such as
    `target="sales"`. Its settings are those of `ForecastConfig`, `horizon` among them.
    """

    task = "forecast"
    settings_type = ForecastConfig
    scores_type = ForecastScores
    measures = ("horizon", "quantiles", "members", "validation_size", "refit", "test_windows", "step_size", "seed")
    next_steps = {"Forecast": "longshort predict {run}"}  # noqa: RUF012 - as the base class says

    def __init__(self, config: ForecastConfig | None = None, /, **settings: Any) -> None:
        if config is None and "horizon" not in settings:
            raise InputError("a forecaster needs a horizon: Forecaster(horizon=30)")
        super().__init__(config, **settings)

    def predict(
        self, data: Any = None, *, levels: Sequence[float] = (80,), quantiles: Sequence[float] = ()
    ) -> pl.DataFrame:
        """Forecast the steps after the last known value of every series.

        Args:
            data: newer rows of the series, or other series, as `fit` takes them; those of the training if None.
                Columns known in advance must reach over the horizon.
            levels: central intervals to give, in percent: 80 gives columns `lo-80` and `hi-80`.
            quantiles: further quantiles to give: 0.9 gives a column `q0.9`.

        Returns:
            Columns `unique_id`, `ds`, `forecast` (the median) and what `levels` and `quantiles` ask for. Quantiles
            between the learnt ones are interpolated.

        Raises:
            InputError: the data cannot be used, or a level lies outside of the learnt ones.
        """
        model = self.fitted.model
        asked = wanted(levels, quantiles, model.config.quantiles)
        panel = self.fitted.panel if data is None else self._continued(data)
        need_future(panel, model.config.horizon)
        store = model.store(panel)
        answers = model.quantiles(store, np.arange(len(panel)), store.lengths)
        learnt = np.array(model.config.quantiles)
        tables = []
        for s, answer in zip(panel, answers, strict=True):
            times = panel.frequency.times(s.start + len(s) + np.arange(model.config.horizon))
            columns = {name: [float(np.interp(q, learnt, row)) for row in answer] for name, q in asked.items()}
            tables.append(pl.DataFrame({"unique_id": [s.id] * len(times), "ds": times, **columns}))
        return pl.concat(tables)

    def evaluate(self, data: Any = None) -> ForecastScores:
        """Score the forecasts beside the baselines.

        Args:
            data: rows that follow the training data, or other series (their last window is tested), as `fit` takes
                them. None gives the scores of the windows that `fit` held out.

        Raises:
            InputError: the data cannot be used, or nothing was held out and no data is given.
        """
        fitted = self.fitted
        if data is None:
            if fitted.scores is None:
                raise InputError("no test windows were held out: give the rows that came after the training data")
            return fitted.scores
        panel = self._continued(data)
        backtest = self._windows(panel)
        rivals = baselines(fitted.model.plan)
        forecasts = self._compare(panel, backtest, rivals)
        naive_error = fitted.model.naive_errors(panel, backtest.test_size)
        return score(forecasts, [fitted.model.name, *rivals], self.config.quantiles, naive_error)

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The first network and the last window of a series, opened up for `longshort.study.explain`.

        Args:
            data: as for `predict`.
            which: name of the series, or its number from 1; the first one if None.
            steps: not for forecasts, whose networks look back as far as they were made to.
        """
        from longshort.tasks.forecast.explaining import explainable

        panel = self.fitted.panel if data is None else self._continued(data)
        if steps is not None:
            raise InputError(f"a forecaster looks back as far as it was made to, {self.fitted.model.plan.reach} steps")
        need_future(panel, self.config.horizon)
        return explainable(self, panel, chosen(which, [s.id for s in panel], "series"))

    def exportable(self) -> Exportable:
        """The networks and what stands around them, for `longshort export`."""
        from longshort.tasks.forecast.exporting import exportable

        return exportable(self)

    def cross_validation(
        self, data: Any, *, windows: int, step_size: int | None = None, refit: bool = False, **columns: Any
    ) -> pl.DataFrame:
        """Forecast the last windows of every series from origins that roll forward.

        Args:
            data: as `fit` takes it.
            windows: how many origins.
            step_size: steps from one origin to the next; the horizon if None.
            refit: train anew at every origin, rather than once before the first.
            columns: options of `longshort.data.read_panel`.

        Returns:
            Columns `unique_id`, `cutoff` (the last time that was known), `ds`, `y`, and for this model and the
            baselines the median and the quantiles.
        """
        panel = data if isinstance(data, Panel) else read_panel(data, **columns)
        step = step_size or self.config.horizon
        if not refit:
            model = Forecaster(self.config, test_windows=windows, step_size=step).fit(panel)
            return model.held_out_forecasts()
        tables = []
        for behind in range((windows - 1) * step, -1, -step):
            shown = panel.head(-behind) if behind else panel
            tables.append(Forecaster(self.config, test_windows=1).fit(shown).held_out_forecasts())
        return pl.concat(tables).sort("unique_id", "cutoff", "ds", maintain_order=True)

    def held_out_forecasts(self) -> pl.DataFrame:
        """Every model's forecasts of the windows that `fit` held out, as `cross_validation` gives them."""
        forecasts, panel = self.fitted.forecasts, self.fitted.panel
        if forecasts is None:
            raise InputError("there are no held-out forecasts: fit with test_windows above 0")
        return history.dated(forecasts, panel)

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _read(self, data: Any, **columns: Any) -> Material:
        if isinstance(data, Panel):
            panel = data
        else:
            panel = stream_panel(data, **columns) if is_large(data) else read_panel(data, **columns)
        return Material(panel, make_plan(panel, self.config))

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": history.fingerprint(material.panel)}

    def _untrained(self, material: Material) -> list[ForecastNetwork]:
        from longshort.tasks.forecast.training import untrained

        return untrained(material.panel, material.plan, self.config)

    def _ranges(self, material: Material) -> Ranges:
        return ranges(material.plan)

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        from longshort.tasks.forecast.training import train_model

        panel, plan = material.panel, material.plan
        for note in (*panel.notes, plan.describe(self.config.horizon)):
            progress.note(note)
        model, checks = train_model(panel, plan, self.config, checkpoints, hardware, progress)
        return Fitted(model, panel, checks)

    def _test(self, material: Material, progress: Progress) -> None:
        fitted, panel, plan = self.fitted, material.panel, material.plan
        if plan.test:
            rivals = baselines(plan)
            some = panel.some(TESTED)
            of = f" of {len(some):,} of {len(panel):,} series" if len(some) < len(panel) else " a series"
            progress.note(f"evaluating on {plan.test.windows} held-out windows{of}, beside {', '.join(rivals)}")
            tested = replace(panel, series=[s for s in some if len(s) > plan.held_out + self.config.horizon])
            forecasts = self._compare(tested, plan.test, rivals)
            models = [fitted.model.name, *rivals]
            scores = score(forecasts, models, self.config.quantiles, fitted.model.naive_error)
            self._fitted = replace(fitted, scores=scores, forecasts=forecasts)

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        run.write_tensors("model.safetensors", fitted.model.weights())
        run.write_json("model.json", fitted.model.describe())
        arrays, described = history.pack(_tail(fitted.panel, max(KEPT, fitted.model.plan.reach)))
        run.write_tensors("history.safetensors", arrays)
        run.write_json("history.json", described)
        if fitted.forecasts is not None:
            run.write_table(FORECASTS, self.held_out_forecasts())

    def _restore(self, run: RunDirectory, checks: Checks, scores: ForecastScores | None) -> Fitted:
        model = ForecastModel.restore(self.config, run.read_json("model.json"), run.read_tensors("model.safetensors"))
        panel = history.unpack(run.read_tensors("history.safetensors"), run.read_json("history.json"))
        return Fitted(
            model=model,
            panel=panel,
            checks=checks,
            scores=scores,
            forecasts=history.undated(run.read_table(FORECASTS), panel) if run.has(FORECASTS) else None,
        )

    def _report(self) -> str:
        from longshort.tasks.forecast.report import render

        return render(self)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _compare(self, panel: Panel, backtest: Backtest, rivals: Sequence[str]) -> pl.DataFrame:
        """Our forecasts and the baselines' over the same windows, in one table."""
        from longshort.tasks.forecast.baselines import forecast_baselines

        model = self.fitted.model
        ours = model.backtest(panel, backtest)
        theirs = forecast_baselines(
            panel, backtest, season=model.plan.metric_season, quantiles=self.config.quantiles, models=rivals
        )
        return ours.join(theirs, on=["unique_id", "cutoff", "step"], maintain_order="left")

    def _continued(self, data: Any) -> Panel:
        return continued(self.fitted.panel, data)

    def _windows(self, panel: Panel) -> Backtest:
        """Windows over the steps that the training did not see; the last one for series it never saw."""
        seen = {s.id: s.start + len(s) for s in self.fitted.panel}
        new = min(s.start + len(s) - seen.get(s.id, s.start + len(s) - self.config.horizon) for s in panel)
        horizon = self.config.horizon
        short = next((s for s in panel if len(s) <= horizon), None)
        if short:
            raise InputError(f"series {short.id!r} has {len(short)} steps, too few to test a horizon of {horizon}")
        if new < horizon:
            raise InputError(
                f"evaluation needs at least {horizon} steps after the training data in every series, there are {new}"
            )
        step = self.config.step_size or horizon
        return Backtest(horizon, (new - horizon) // step + 1, step)


def baselines(plan: Plan) -> tuple[str, ...]:
    """The baselines that make sense: without a season, the seasonal naive one is the naive one."""
    return BASELINES if plan.metric_season > 1 else tuple(name for name in BASELINES if name != "SeasonalNaive")


def _tail(panel: Panel, steps: int) -> Panel:
    if max(map(len, panel)) <= steps:
        return panel
    return replace(panel, series=[s.tail(steps) for s in panel])
