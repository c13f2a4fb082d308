"""Which series and which held-out windows the report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from longshort.data import Series

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster

SHOWN_SERIES = 12
# Steps of held-out windows drawn of one series.
SHOWN_STEPS = 1000


def choose_series(forecaster: Forecaster) -> tuple[dict[str, Series], str]:
    """The series that the report shows, by the label they are shown under, and the rule in words."""
    panel, scores, name = forecaster.fitted.panel, forecaster.fitted.scores, forecaster.fitted.model.name
    by_id = {s.id: s for s in panel}
    ranked: list[tuple[str, float]] = []
    if scores:
        mase = scores.per_series.filter(pl.col("metric") == "MASE").drop_nulls(name).sort(name, maintain_order=True)
        ranked = [(i, m) for i, m in mase.select("unique_id", name).iter_rows() if i in by_id]
    if len(panel) <= SHOWN_SERIES or not ranked:
        known = dict(ranked)
        some = [panel.series[k] for k in _spread(len(panel))]
        labels = [f"{s.id} (MASE {known[s.id]:.2f})" if s.id in known else s.id for s in some]
        rule = f"Shown are {len(some)} of {len(panel)} series, at even distances." if len(some) < len(panel) else ""
        return dict(zip(labels, some, strict=True)), rule
    last = len(ranked) - 1
    places = {last // 2: "typical", 0: "best", last: "worst"}
    for k in _spread(len(ranked)):
        if len(places) < SHOWN_SERIES:
            places.setdefault(k, f"rank {k + 1}")
    shown = {f"{ranked[k][0]} – {what} (MASE {ranked[k][1]:.2f})": by_id[ranked[k][0]] for k, what in places.items()}
    rule = (
        f"Shown are {len(shown)} of {len(panel)} series, chosen by the MASE of {name} alone: the typical one (the "
        "median), the best, the worst, and others at even distances in the ranking."
    )
    return shown, rule


def _spread(count: int) -> list[int]:
    """At most `SHOWN_SERIES` places at even distances, the first and the last among them."""
    return [int(k) for k in np.unique(np.linspace(0, count - 1, min(count, SHOWN_SERIES)).round())]


def shown_windows(forecaster: Forecaster, series: Series) -> list[tuple[int, pl.DataFrame]]:
    """Held-out windows of one series that do not overlap, the last ones, each with its cutoff."""
    forecasts, horizon = forecaster.fitted.forecasts, forecaster.config.horizon
    if forecasts is None:
        return []
    own = forecasts.filter(pl.col("unique_id") == series.id).sort("cutoff", "step")
    kept: list[int] = []
    for cutoff in sorted(own["cutoff"].unique().to_list(), reverse=True):
        if (not kept or cutoff <= kept[-1] - horizon) and len(kept) < max(SHOWN_STEPS // horizon, 1):
            kept.append(cutoff)
    return [(cutoff, own.filter(pl.col("cutoff") == cutoff)) for cutoff in reversed(kept)]
