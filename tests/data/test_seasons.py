import os
from pathlib import Path

import numpy as np
import pytest

from longshort.data import Frequency, Panel, Series, find_seasons, read_panel

real = pytest.mark.skipif(
    not os.environ.get("LONGSHORT_DATA"), reason="LONGSHORT_DATA does not name a folder of real data"
)


def panel(unit, *values):
    none = np.zeros((len(values[0]), 0))
    return Panel([Series(str(k), 0, y, none, none, np.zeros(0)) for k, y in enumerate(values)], Frequency(unit))


def wave(steps, length):
    return np.sin(2 * np.pi * np.arange(steps) / length)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=2000)


@pytest.mark.parametrize(("unit", "season"), [("month", 12), ("hour", 24), ("day", 7), ("week", 52), ("day", 365)])
def test_a_season_under_trend_and_noise(noise, unit, season):
    steps = max(120, 5 * season)
    trend = np.arange(steps) / 20
    assert find_seasons(panel(unit, trend + wave(steps, season) + 0.4 * noise[:steps])) == (season,)


def test_hours_of_working_days(noise):
    steps = np.arange(1680)
    working = steps // 24 % 7 < 5
    values = 3 * wave(1680, 24) * (1 + working) + noise[:1680]
    assert find_seasons(panel("hour", values)) == (24, 168)
    assert find_seasons(panel("step", values)) == (24, 168)


def test_a_week_beside_a_year(noise):
    values = 2 * wave(2000, 7) + 2 * wave(2000, 365.25) + 0.5 * noise
    assert find_seasons(panel("day", values)) == (7, 365)


def test_no_season_in_noise_and_random_walks(noise):
    for values in (noise, np.cumsum(noise), np.zeros(2000), np.arange(2000.0), np.full(2000, 1e20)):
        for unit in ("hour", "day", "business day", "month", "step"):
            assert find_seasons(panel(unit, values)) == ()


def test_missing_values_do_not_hide_a_season(noise):
    values = wave(600, 24) + 0.3 * noise[:600]
    values[noise[:600] > 0.8] = np.nan
    assert find_seasons(panel("hour", values)) == (24,)


def test_two_full_seasons_are_needed():
    assert find_seasons(panel("month", wave(24, 12))) == (12,)
    assert find_seasons(panel("month", wave(23, 12))) == ()
    assert find_seasons(panel("month", np.array([1.0]))) == ()


def test_scale_and_offset_do_not_matter(noise):
    values = wave(200, 12) + 0.3 * noise[:200]
    for scale in (1e-12, 1e25):
        assert find_seasons(panel("month", scale * (values + 5))) == (12,)


def test_a_limit_on_the_lag():
    assert find_seasons(panel("hour", wave(500, 24)), max_lag=20) == ()


def test_series_of_different_lengths(noise):
    values = [wave(steps, 12) + 0.2 * noise[:steps] for steps in (5, 60, 200, 300)]
    assert find_seasons(panel("month", *values)) == (12,)
    assert find_seasons(panel("step", *values)) == (12,)


@real
@pytest.mark.parametrize(
    ("file", "target", "name", "seasons"),
    [
        ("airline-passengers.csv", None, "monthly", (12,)),
        ("daily-min-temperatures.csv", None, "daily", (365,)),
        ("monthly-sunspots.csv", None, "monthly", ()),
        ("stock-aapl-daily.csv", "AAPL.Close", "business-daily", ()),
        ("ETTh1.csv", None, "hourly", (24,)),
        ("m4-hourly-train.csv", None, "integer steps", (24, 168)),
    ],
)
def test_real_series(file, target, name, seasons):
    found = read_panel(Path(os.environ["LONGSHORT_DATA"]) / "series" / file, target=target)
    assert found.frequency.name == name
    assert find_seasons(found) == seasons
