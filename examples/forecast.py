"""Forecast monthly sales of two shops with intervals, compare with baselines, save, load and predict again."""

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from longshort import Forecaster

# Eight years of made-up sales: a trend, a season, and noise. Any CSV, Parquet file or pandas table works as well.
rng = np.random.default_rng(0)
months = pl.date_range(date(2016, 1, 1), date(2023, 12, 1), "1mo", eager=True)
t = np.arange(len(months))
shops = {"Lisbon": 200 + t + 40 * np.sin(t * np.pi / 6), "Porto": 120 + 0.5 * t + 25 * np.cos(t * np.pi / 6)}
table = pl.concat(
    pl.DataFrame({"unique_id": shop, "ds": months, "y": sales + rng.normal(0, 5, len(t))})
    for shop, sales in shops.items()
)

model = Forecaster(horizon=6, members=1, steps=100).fit(table)
print(model.evaluate().verdict)
print(model.predict(levels=(80,)).head(6))

with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "sales"
    model.save(run)
    again = Forecaster.load(run)
    assert again.predict().equals(model.predict())
