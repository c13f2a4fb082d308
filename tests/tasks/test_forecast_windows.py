"""Windows: standardised each on its own, masked where nothing was observed, and blind to what comes after."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.data import Frequency, Panel, Series
from longshort.tasks.forecast.windows import Scaler, WindowStore, error_scale, seasonal_naive_error

LOOKBACK, HORIZON, LAGS = 6, 3, (1, 2, 4)
INPUTS = ("y", "observed", "lagged", "lagged_observed", "past", "calendar", "future", "static", "categories")


def series(y, *, id="a", start=0, past=None, known=None, numeric=(), categories=()):
    y = np.asarray(y, dtype=float)
    none = np.zeros((len(y), 0))
    past, known = (none if v is None else np.asarray(v, dtype=float).reshape(len(v), -1) for v in (past, known))
    return Series(id, start, y, past, known, np.array(numeric, dtype=float), tuple(categories))


def store(*members, frequency="step", naive=None, **options):
    panel = Panel(members, Frequency(frequency))
    naive_error = np.full(len(members), 1.0) if naive is None else np.array(naive, dtype=float)
    scaler = options.pop("scaler", None) or Scaler.fit(members)
    sizes = {"lookback": LOOKBACK, "horizon": HORIZON, "lags": LAGS, "level": 2, **options}
    return WindowStore(panel, scaler=scaler, naive_error=naive_error, **sizes)


def cut(windows, series=0, origin=8):
    batch, units = windows.cut(np.array([series]), np.array([origin]))
    return type(batch)(*(part[0].numpy() for part in batch)), units


def unscaled(values, units):
    return units.location[0, 0] + units.scale[0, 0] * values.astype(float)


Y = np.array([3.0, -1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0])


def test_a_window_holds_the_steps_before_and_after_its_origin():
    batch, units = cut(store(series(Y)), origin=8)
    np.testing.assert_allclose(unscaled(batch.y, units), Y[2:8], atol=1e-5)
    np.testing.assert_allclose(unscaled(batch.target, units), Y[8:11], atol=1e-5)
    assert batch.observed.tolist() == [1] * 6
    assert batch.target_observed.tolist() == [1] * 3


def test_location_and_scale_are_the_windows_own():
    """The mean of the last `level` steps; the standard deviation of all, with a tenth of the naive error as a floor."""
    batch, units = cut(store(series(Y), naive=[2.0], level=3), origin=8)
    assert units.location[0, 0] == pytest.approx(np.mean(Y[5:8]))
    assert units.scale[0, 0] == pytest.approx(np.sqrt(np.std(Y[2:8]) ** 2 + 0.2**2))
    assert batch.weight[0] == pytest.approx(units.scale[0, 0] / 2.0)


def test_location_without_recent_values_is_the_mean_of_the_window():
    y = Y.copy()
    y[6:] = np.nan
    _, units = cut(store(series([*y, 1.0]), level=2), origin=8)
    assert units.location[0, 0] == pytest.approx(np.mean(Y[2:6]))


def test_copies_are_seasonal_naive_forecasts():
    """At step h, the copy with lag s is y[t + h - s * ceil((h + 1) / s)], the last seen value of that phase."""
    batch, units = cut(store(series(Y)), origin=9)
    expected = [[Y[9 + h - s * -(-(h + 1) // s)] for s in LAGS] for h in range(HORIZON)]
    np.testing.assert_allclose(unscaled(batch.lagged, units), expected, atol=1e-5)
    assert batch.lagged_observed.all()


def test_missing_values_are_masked():
    y = Y.copy()
    y[[3, 7, 9]] = np.nan
    batch, units = cut(store(series(y)), origin=8)
    assert batch.observed.tolist() == [1, 0, 1, 1, 1, 0]
    assert batch.target_observed.tolist() == [1, 0, 1]
    assert (batch.y[[1, 5]] == 0).all()
    assert batch.target[1] == 0
    assert batch.lagged_observed[0].tolist() == [0, 1, 1]  # lag 1 is the missing step 7
    assert units.scale[0, 0] == pytest.approx(np.sqrt(np.std([4.0, 5.0, 9.0, 2.0]) ** 2 + 0.1**2))
    assert units.location[0, 0] == 2.0


def test_before_the_series_nothing_is_observed():
    batch, _ = cut(store(series(Y)), origin=1)
    assert batch.observed.tolist() == [0, 0, 0, 0, 0, 1]
    assert batch.lagged_observed.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert all(np.isfinite(part).all() for part in batch)


def test_at_the_end_nothing_is_asked():
    batch, _ = cut(store(series(Y)), origin=len(Y))
    assert not batch.target_observed.any()
    assert batch.observed.all()


def test_a_window_without_any_value_is_finite():
    batch, units = cut(store(series([1.0, *[np.nan] * 20, 2.0])), origin=15)
    assert all(np.isfinite(part).all() for part in batch)
    assert np.isfinite(units.scale).all()
    assert (units.scale > 0).all()


def test_exogenous_columns_are_on_one_scale_with_flags():
    past = np.arange(12.0) * 10
    past[4] = np.nan
    known = np.arange(15.0) % 2
    batch, _ = cut(store(series(Y, past=past, known=known, numeric=[5.0])), origin=8)
    seen = past[np.isfinite(past)]
    expected = np.nan_to_num((past[2:8] - seen.mean()) / seen.std())
    np.testing.assert_allclose(batch.past[:, 0], expected, atol=1e-6)
    assert batch.past[:, 1].tolist() == [1, 1, 0, 1, 1, 1]
    np.testing.assert_allclose(batch.past[:, 2], (known[2:8] - known.mean()) / known.std(), atol=1e-6)
    np.testing.assert_allclose(batch.future[:, 0], (known[8:11] - known.mean()) / known.std(), atol=1e-6)
    assert batch.static.tolist() == [0, 1]  # the only value is the mean, and it is there


def test_known_values_that_end_early_are_missing():
    batch, _ = cut(store(series(Y, known=np.arange(13.0))), origin=12)
    assert batch.future[:, 1].tolist() == [1, 0, 0]


def test_categories_have_codes_and_zero_is_unknown():
    scaler = Scaler.fit([series(Y, categories=["red"]), series(Y, categories=["blue"]), series(Y, categories=[""])])
    assert scaler.categories == (("blue", "red"),)
    windows = store(*(series(Y, categories=[c]) for c in ("red", "blue", "", "green")), scaler=scaler)
    assert [int(cut(windows, k)[0].categories[0]) for k in range(4)] == [2, 1, 0, 0]


def test_the_calendar_follows_the_series_own_time():
    batch, _ = cut(store(series(Y, start=100), frequency="day"), origin=8)
    frequency = Frequency("day")
    np.testing.assert_allclose(batch.calendar, frequency.calendar(np.arange(102, 108)), atol=1e-6)
    np.testing.assert_allclose(batch.future, frequency.calendar(np.arange(108, 111)), atol=1e-6)


def test_integer_steps_have_their_phase_for_a_calendar():
    """The same values after a whole season, sine and cosine among them, and others before."""
    y, season = np.arange(20.0), 4
    windows = store(series(y, start=1), seasons=(season,))
    future = [cut(windows, origin=origin)[0].future for origin in range(8, 13)]
    np.testing.assert_allclose(future[0], future[season], atol=1e-5)
    assert all(not np.allclose(future[0], future[k]) for k in range(1, season))
    angle = 2 * np.pi * np.arange(9, 12) / season
    for wave in (np.sin(angle), np.cos(angle)):
        assert any(np.allclose(column, wave, atol=1e-5) for column in future[0].T)


values = st.floats(-1e6, 1e6) | st.just(np.nan)


@settings(max_examples=60)
@given(
    y=st.lists(values, min_size=14, max_size=14),
    after=st.lists(values, min_size=14, max_size=14),
    origin=st.integers(1, 14),
)
def test_nothing_at_or_after_the_origin_reaches_the_network(y, after, origin):
    y, after = np.array(y), np.array(after)
    changed = np.where(np.arange(14) < origin, y, after)
    scaler = Scaler(past=((0.0, 1.0),))
    one, ours = cut(store(series(y, past=y), scaler=scaler), origin=origin)
    two, theirs = cut(store(series(changed, past=changed), scaler=scaler), origin=origin)
    for name in (*INPUTS, "weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert (ours.location, ours.scale) == (theirs.location, theirs.scale)


@settings(max_examples=40)
@given(others=st.lists(st.lists(values, min_size=1, max_size=9), min_size=2, max_size=2), origin=st.integers(1, 12))
def test_neighbours_in_the_store_do_not_reach_each_other(others, origin):
    before, behind = others
    alone, ours = cut(store(series(Y)), origin=origin)
    amid, theirs = cut(store(series(before), series(Y), series(behind)), series=1, origin=origin)
    for name in alone._fields:
        np.testing.assert_array_equal(getattr(alone, name), getattr(amid, name), err_msg=name)
    assert (ours.location, ours.scale) == (theirs.location, theirs.scale)


def test_a_batch_is_its_windows_one_by_one():
    windows = store(series(Y), series(Y[::-1] * 3), naive=[1.0, 2.0])
    together, units = windows.cut(np.array([0, 1, 1]), np.array([4, 9, 12]))
    for k, (s, origin) in enumerate([(0, 4), (1, 9), (1, 12)]):
        alone, own = windows.cut(np.array([s]), np.array([origin]))
        for a, b in zip(together, alone, strict=True):
            assert torch.equal(a[k], b[0])
        assert units.scale[k] == own.scale[0]


@settings(max_examples=30)
@given(a=st.floats(1e-3, 1e3), b=st.floats(-1e3, 1e3))
def test_scale_and_offset_of_a_series_do_not_matter(a, b):
    one, ours = cut(store(series(Y), naive=[2.0]))
    two, theirs = cut(store(series(a * Y + b), naive=[2.0 * a]))
    for name in one._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=2e-5, err_msg=name)
    assert theirs.scale[0, 0] == pytest.approx(a * ours.scale[0, 0], rel=1e-6)
    assert theirs.location[0, 0] == pytest.approx(a * ours.location[0, 0] + b, rel=1e-6, abs=1e-6)


# -- the denominator of MASE -------------------------------------------------------------------------------------------


def test_seasonal_naive_error_by_hand():
    assert seasonal_naive_error(np.array([1.0, 5.0, 4.0, 2.0]), 2) == pytest.approx((3 + 3) / 2)
    assert seasonal_naive_error(np.array([1.0, np.nan, 4.0, 2.0]), 2) == 3.0
    assert np.isnan(seasonal_naive_error(np.array([1.0, 2.0]), 2))


def test_seasonal_naive_error_is_that_of_utilsforecast():
    import polars as pl
    from utilsforecast.losses import mase

    rng = np.random.default_rng(0)
    train, test = rng.normal(size=50), rng.normal(size=5)
    frame = pl.DataFrame({"unique_id": ["a"] * 5, "ds": range(5), "y": test, "m": np.zeros(5)})
    history = pl.DataFrame({"unique_id": ["a"] * 50, "ds": range(50), "y": train})
    theirs = mase(frame, ["m"], seasonality=7, train_df=history)["m"][0]
    assert np.abs(test).mean() / seasonal_naive_error(train, 7) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("y", "season", "expected"),
    [
        ([1.0, 2.0, 1.0, 2.0], 2, 1.0),  # a perfect season: one step's error
        ([1.0, np.nan, 3.0, np.nan], 1, 2.0),  # no neighbours: those left after the gaps are closed
        ([0.0], 7, 1e-12),
        ([5.0] * 9, 2, 5e-6),
    ],
)
def test_the_denominator_is_never_zero(y, season, expected):
    assert error_scale(np.array(y), season) == pytest.approx(expected)
