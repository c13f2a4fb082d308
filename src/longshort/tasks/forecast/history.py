"""Series and held-out forecasts as a run keeps them, so that a loaded forecaster goes on from where its data ended."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from longshort.data import Columns, Frequency, Panel, Series
from longshort.data.flat import Flat

if TYPE_CHECKING:
    import polars as pl

Arrays = dict[str, NDArray[np.generic]]


def pack(panel: Panel) -> tuple[Arrays, dict[str, Any]]:
    """A panel as arrays (all series one after the other) and as JSON (what is not a number)."""
    flat = Flat.of(panel.series)
    arrays: Arrays = {
        "start": flat.start,
        "length": flat.length,
        "known_length": flat.known_length,
        "y": flat.y,
        "past": flat.past,
        "known": flat.known,
        "static": np.stack([s.static_numeric for s in panel]),
    }
    columns = panel.columns
    names = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(columns).items()}
    described = {
        "frequency": panel.frequency.to_dict(),
        "columns": names,
        "ids": [s.id for s in panel],
        "categories": [list(s.static_categories) for s in panel],
        "notes": list(panel.notes),
    }
    return {key: value for key, value in arrays.items() if value.size}, described


def unpack(arrays: Arrays, described: dict[str, Any]) -> Panel:
    """The inverse of `pack`."""
    names: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in described["columns"].items()}
    columns = Columns(**names)
    lengths, known_lengths = arrays["length"].astype(int), arrays["known_length"].astype(int)
    count = len(lengths)

    def split(name: str, width: int, steps: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        flat = arrays.get(name, np.zeros((int(steps.sum()), width))).astype(np.float64)
        return np.split(flat, np.cumsum(steps)[:-1])

    past = split("past", len(columns.past), lengths)
    known = split("known", len(columns.known), known_lengths)
    static = arrays.get("static", np.zeros((count, len(columns.static_numeric)))).astype(np.float64)
    series = tuple(
        Series(
            id=described["ids"][k],
            start=int(arrays["start"][k]),
            y=y,
            past=past[k],
            known=known[k],
            static_numeric=static[k],
            static_categories=tuple(described["categories"][k]),
        )
        for k, y in enumerate(split("y", 0, lengths))
    )
    return Panel(series, Frequency.from_dict(described["frequency"]), columns, tuple(described["notes"]))


def dated(forecasts: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    """Forecasts of held-out windows with times in place of steps.

    Args:
        forecasts: as `Fitted` has them: `cutoff` is the number of steps before the window, `step` is 0 to H - 1.
        panel: its series.

    Returns:
        Columns `unique_id`, `cutoff` (the last time that was known), `ds`, and all others.
    """
    import polars as pl

    first = _starts(forecasts, panel) + forecasts["cutoff"].to_numpy()
    cutoff = panel.frequency.times(first - 1)
    times = panel.frequency.times(first + forecasts["step"].to_numpy())
    with_times = forecasts.with_columns(pl.Series("cutoff", cutoff), pl.Series("ds", times))
    return with_times.select("unique_id", "cutoff", "ds", pl.exclude("unique_id", "cutoff", "ds", "step"))


def undated(forecasts: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    """The inverse of `dated`; `cutoff` is negative where the panel begins after the window."""
    import polars as pl

    first = panel.frequency.positions(forecasts["cutoff"].to_numpy()) + 1
    steps = panel.frequency.positions(forecasts["ds"].to_numpy()) - first
    counted = forecasts.drop("ds").with_columns(
        pl.Series("cutoff", first - _starts(forecasts, panel)), pl.Series("step", steps)
    )
    return counted.select("unique_id", "cutoff", "step", pl.exclude("unique_id", "cutoff", "step"))


def _starts(forecasts: pl.DataFrame, panel: Panel) -> NDArray[np.int64]:
    """Position of the first step of every row's series."""
    import polars as pl

    start = {s.id: s.start for s in panel}
    return forecasts["unique_id"].replace_strict(start, return_dtype=pl.Int64).to_numpy()


def fingerprint(panel: Panel) -> str:
    """A checksum of a panel's content, by which a resumed run knows its data again."""
    arrays, described = pack(panel)
    digest = hashlib.sha256(json.dumps({**described, "notes": []}, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).data.cast("B"))
    return digest.hexdigest()
