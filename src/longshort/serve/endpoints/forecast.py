"""A forecaster: quantiles of every step of the horizon, and a session that takes new values as they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, WebSocket
from pydantic import Field

from longshort.data import Panel, Series
from longshort.errors import InputError
from longshort.serve.endpoints.body import Body, Name, Number
from longshort.serve.house import House
from longshort.serve.limits import COLUMNS, NAME, SERIES, STEPS
from longshort.serve.runs import Run

Values = Annotated[list[Number | None], Field(max_length=STEPS)]
Columns = Annotated[dict[str, Values], Field(max_length=COLUMNS)]
Time = Annotated[str, Field(max_length=40)] | Annotated[int, Field(ge=-(10**12), le=10**12)]
# Names of series that a card holds.
LISTED = 500


class AskedSeries(Body):
    """A series to forecast: one that the run knows, newer values of it, or another one."""

    id: Name = Field(description="Of a series that the run knows, or any other name.")
    start: Time | None = Field(
        default=None,
        description="Time of the first value (ISO 8601, or a whole number where the run's steps are); left out: the "
        "step after the last one that is known.",
    )
    y: Values = Field(default=[], description="A value for every step, null where it is missing.")
    past: Columns = Field(default={}, description="Of every column known up to now, as many values.")
    known: Columns = Field(default={}, description="Of every column known in advance, values over the horizon too.")


class SeriesToForecast(Body):
    """What is to be forecast."""

    series: list[AskedSeries] | None = Field(
        default=None, min_length=1, max_length=SERIES, description="The first ones that the run knows, if left out."
    )
    history: int = Field(default=0, ge=0, le=STEPS, description="So many of the last known values are given too.")


class Forecast(Body):
    """The forecast of one series."""

    id: str
    times: list[str | int] = Field(description="Of the H steps of the horizon.")
    median: list[float]
    quantiles: dict[str, list[float]] = Field(description="Of each learnt level, such as 0.1, H values.")
    history_times: list[str | int] = Field(default=[], description="Of the last known values.")
    history: list[float | None] = Field(default=[])


class Forecasts(Body):
    """A forecast for each series, in their order."""

    answers: list[Forecast]


class News(Body):
    """A message of a session."""

    id: Annotated[str, Field(max_length=NAME)] | None = Field(
        None, description="The series; the same as before, or at first the first one, if left out."
    )
    restart: bool = Field(default=False, description="Whether to go back to what the run knows.")
    start: Time | None = Field(default=None, description="Time of the first new value; the next step if left out.")
    y: Values = Field(default=[], description="New values.")
    past: Columns = Field(default={})
    history: int = Field(default=0, ge=0, le=STEPS)


def add(router: APIRouter, run: Run, house: House) -> None:
    """POST predict, and a session."""
    known = run.model.fitted.panel
    places = {one.id: place for place, one in enumerate(known)}

    def compute(asks: list[list[Series]]) -> list[list[Forecast]]:
        found = iter(_forecast(run.model, [series for ask in asks for series in ask]))
        return [[next(found) for _ in ask] for ask in asks]

    together = house.together(run, "predict", compute, size=len, capacity=8 * SERIES)

    def newest(asked: AskedSeries, kept: Series | None = None) -> Series:
        before = kept or (known.series[places[asked.id]] if asked.id in places else None)
        return _ready(run.model, _continued(known, before, asked))

    @router.post("/predict", summary="Forecast series")
    async def predict(asked: SeriesToForecast) -> Forecasts:
        wanted = asked.series
        if wanted is None:
            wanted = [AskedSeries(id=one.id) for one in known.series[:SERIES]]
        series = [newest(one) for one in wanted]
        answers = await together(series)
        for one, answer in zip(series, answers, strict=True):
            _add_history(answer, known, one, asked.history)
        return Forecasts(answers=answers)

    @router.websocket("/session")
    async def session(socket: WebSocket) -> None:
        kept: Series | None = None

        async def heard(message: News) -> Forecast:
            nonlocal kept
            name = message.id or (kept.id if kept else known.series[0].id)
            asked = AskedSeries(id=name, start=message.start, y=message.y, past=message.past)
            same = kept if kept is not None and kept.id == name and not message.restart else None
            series = newest(asked, same)
            (answer,) = await together.patiently([series])
            kept = series.tail(STEPS)
            _add_history(answer, known, series, message.history)
            return answer

        await house.sessions.serve(socket, run.name, News, heard)


def card(run: Run) -> dict[str, Any]:
    """What a page must know."""
    model, panel = run.model, run.model.fitted.panel
    names = [one.id for one in panel.series[:LISTED]]
    return {
        "horizon": model.config.horizon,
        "frequency": panel.frequency.name,
        "whole_numbers": panel.frequency.unit == "step",
        "quantiles": list(model.config.quantiles),
        "series": names,
        "series_count": len(panel),
        "past": list(panel.columns.past),
        "known": list(panel.columns.known),
    }


def _continued(known: Panel, before: Series | None, asked: AskedSeries) -> Series:
    """What is known of a series, and behind it what was sent."""
    columns, frequency = known.columns, known.frequency
    if before is None and not any(value is not None for value in asked.y):
        raise InputError(f"series {asked.id!r} is not known, and there are no values to go on from: send some in y")
    if asked.start is not None:
        start = int(frequency.positions(_time(asked.start, frequency.unit == "step"))[0])
    else:
        start = before.end if before is not None else known.series[0].end
    apart = abs(start - (before.end if before is not None else known.series[0].end))
    if apart > STEPS and before is not None:
        raise InputError(
            f"series {asked.id!r}: start lies {apart:,} steps from its last value, at most {STEPS:,} may be"
        )
    for given, names in ((asked.past, columns.past), (asked.known, columns.known)):
        for name in given:
            if name not in names:
                raise InputError(f"there is no column {name!r}: {', '.join(names) or 'none'} may be sent there")
    steps = len(asked.y)
    ahead = max((len(values) for values in asked.known.values()), default=steps)
    newer = Series(
        id=asked.id,
        start=start,
        y=_numbers(asked.y),
        past=_table(asked.past, columns.past, steps),
        known=_table(asked.known, columns.known, ahead),
        static_numeric=np.full(len(columns.static_numeric), np.nan),
        static_categories=("",) * len(columns.static_categories),
    )
    return newer if before is None else before.extended(newer)


def _ready(model: Any, series: Series) -> Series:
    """The series, if its columns known in advance reach far enough."""
    horizon, names = model.config.horizon, model.fitted.panel.columns.known
    ahead = len(series.known) - len(series)
    if names and ahead < horizon:
        raise InputError(
            f"series {series.id!r}: the columns known in advance ({', '.join(names)}) reach {max(ahead, 0)} steps "
            f"beyond the last value, the horizon is {horizon}: send them in known"
        )
    return series


def _forecast(model: Any, series: list[Series]) -> list[Forecast]:
    """Of all series at once."""
    own, levels = model.fitted.model, model.config.quantiles
    # Two callers may have series of the same name, and each has a scale of its own.
    named = [one if one.id in own.naive_error else replace(one, id=f"\0{k}") for k, one in enumerate(series)]
    panel = replace(model.fitted.panel, series=named)
    with np.errstate(all="ignore"):  # what comes of numbers at the edge is looked at below
        store = own.store(panel)
        found = own.quantiles(store, np.arange(len(panel)), store.lengths)
    if not np.isfinite(found).all():
        raise InputError("the values are too large or too small to forecast from: send them in another unit")
    middle = levels.index(0.5)
    return [
        Forecast(
            id=one.id,
            times=_spelled(panel.frequency.times(one.end + np.arange(model.config.horizon))),
            median=answer[:, middle].tolist(),
            quantiles={f"{level:g}": answer[:, k].tolist() for k, level in enumerate(levels)},
        )
        for one, answer in zip(series, found, strict=True)
    ]


def _add_history(answer: Forecast, panel: Panel, series: Series, steps: int) -> None:
    if steps:
        last = series.tail(steps)
        answer.history = [None if np.isnan(value) else float(value) for value in last.y]
        answer.history_times = _spelled(panel.times(last))


def _time(value: str | int, whole: bool) -> Any:
    if isinstance(value, int) != whole:
        raise InputError(f"start must be {'a whole number' if whole else 'a time such as 2025-01-31'}, not {value!r}")
    if isinstance(value, int):
        return np.array([value])
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise InputError(f"start is {value!r}: write it like 2025-01-31 or 2025-01-31T18:00") from None
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc).replace(tzinfo=None)
    return np.array([np.datetime64(time, "us")])


def _spelled(times: Any) -> list[str | int]:
    if times.dtype.kind in "iu":
        return list(times.tolist())
    if times.dtype == "datetime64[D]":
        return list(np.datetime_as_string(times).tolist())
    return list(np.datetime_as_string(times, unit="auto").tolist())


def _numbers(values: list[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _table(given: dict[str, list[float | None]], names: tuple[str, ...], steps: int) -> Any:
    """Columns side by side, (steps, columns); those that were not sent are missing."""
    table = np.full((steps, len(names)), np.nan)
    for name, values in given.items():
        if len(values) != steps:
            raise InputError(f"column {name!r} has {len(values)} values, {steps} belong there")
        table[:, names.index(name)] = _numbers(values)
    return table
