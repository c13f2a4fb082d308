"""New rows of a forecaster's series, and what may be asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from longshort.data import Columns, Panel, Series
from longshort.errors import InputError


def continued(known: Panel, data: Any) -> Panel:
    """New rows behind the history they continue; series never seen stand alone.

    Args:
        known: the history.
        data: newer rows of the series, or other series: a `Panel`, or a path or table, to read which needs Polars.

    Raises:
        InputError: the rows cannot be read, or do not fit the history.
    """
    columns = known.columns
    if isinstance(data, Panel):
        newer = data
    else:
        from longshort.data import read_future, read_panel, read_table

        present = read_table(data).columns
        missing = [name for name in columns.known if name not in present]
        if missing:
            raise InputError(f"{_name(data)}: column {missing[0]!r} is missing, which is known in advance: add it")
        if columns.known and not set(columns.targets) & set(present):
            newer = read_future(data, columns, known.frequency)
        else:
            newer = read_panel(data, freq=known.frequency, **_options(columns, present))
            newer = replace(newer, series=[_aligned(s, newer.columns, columns) for s in newer], columns=columns)
    asked = {s.id for s in newer}
    series = [s for s in known.extended(newer) if s.id in asked]
    if not series:
        raise InputError(f"{_name(data)}: none of its series was trained on, and there are no values to go on from")
    return replace(known, series=series)


def _options(columns: Columns, present: Sequence[str]) -> dict[str, Any]:
    """The options of `read_panel` that give a new table's columns the parts they had in training."""
    static = [*columns.static_numeric, *columns.static_categories]
    parts = {"target": columns.targets, "past": columns.past, "known": columns.known, "static": static}
    named: dict[str, Any] = {part: [name for name in names if name in present] for part, names in parts.items()}
    named |= {part: name for part, name in (("time", columns.time), ("id", columns.id)) if name in present}
    return {part: names for part, names in named.items() if names}


def _aligned(series: Series, own: Columns, wanted: Columns) -> Series:
    """A series with the columns of the training; those that its table does not have are missing."""
    past = [series.past[:, own.past.index(n)] if n in own.past else np.full(len(series), np.nan) for n in wanted.past]
    numbers = dict(zip(own.static_numeric, series.static_numeric, strict=True))
    texts = dict(zip(own.static_categories, series.static_categories, strict=True))
    return replace(
        series,
        past=np.stack(past, axis=1) if past else np.zeros((len(series), 0)),
        static_numeric=np.array([numbers.get(name, np.nan) for name in wanted.static_numeric]),
        static_categories=tuple(texts.get(name, "") for name in wanted.static_categories),
    )


def _name(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else "the table"


def wanted(levels: Sequence[float], quantiles: Sequence[float], learnt: Sequence[float]) -> dict[str, float]:
    """Columns of a prediction and the quantile of each."""
    columns = {"forecast": 0.5}
    for level in levels:
        if not 0 < level < 100:
            raise InputError(f"a level must lie between 0 and 100 percent, not {level}")
        columns[f"lo-{level:g}"], columns[f"hi-{level:g}"] = 0.5 - level / 200, 0.5 + level / 200
    columns.update({f"q{q:g}": q for q in quantiles})
    for q in columns.values():
        if not learnt[0] - 1e-9 <= q <= learnt[-1] + 1e-9:
            raise InputError(
                f"quantile {q:g} lies outside of the learnt ones, {learnt[0]:g} to {learnt[-1]:g}: "
                "fit with further quantiles"
            )
    return columns


def need_future(panel: Panel, horizon: int) -> None:
    """Refuse to forecast where a column known in advance does not reach over the horizon."""
    for s in panel:
        ahead = len(s.known) - len(s)
        if s.known.shape[1] and ahead < horizon:
            raise InputError(
                f"series {s.id!r}: columns known in advance ({', '.join(panel.columns.known)}) reach {ahead} steps "
                f"beyond the last value, the horizon is {horizon}: add rows with them and an empty target"
            )
