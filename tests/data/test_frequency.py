import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.data import Frequency
from longshort.data.frequency import OffGridError
from longshort.errors import InputError


def days(*texts):
    return np.array(texts, "datetime64[us]")


def steps(start, count, step, unit):
    return np.datetime64(start, unit) + step * np.arange(count)


UNITS = ("millisecond", "second", "minute", "hour", "day", "business day", "week", "month", "quarter", "year", "step")


@st.composite
def frequencies(draw):
    unit = draw(st.sampled_from(UNITS))
    multiple = draw(st.integers(1, 1 if unit == "quarter" else 40))
    bare = Frequency(unit, multiple)
    phase = draw(st.integers(0, bare._step - 1))
    if unit in ("month", "quarter", "year"):
        return Frequency(unit, multiple, phase, draw(st.integers(1, 31)), draw(st.sampled_from((0, 57_600_000_000))))
    if unit == "business day":
        return Frequency(unit, multiple, phase, time_of_day=draw(st.sampled_from((0, 57_600_000_000))))
    return Frequency(unit, multiple, phase)


@given(frequencies(), st.lists(st.integers(-500, 1000), min_size=1, max_size=30))
def test_positions_invert_times_for_every_unit(frequency, positions):
    positions = np.array(positions)
    assert (frequency.positions(frequency.times(positions)) == positions).all()


@given(frequencies())
def test_json_round_trip(frequency):
    assert Frequency.from_dict(json.loads(json.dumps(frequency.to_dict()))) == frequency


@given(frequencies(), st.integers(-300, 300))
def test_a_spelling_is_read_back_as_the_same_step(frequency, first):
    times = frequency.times(first + np.arange(60))
    again = Frequency.parse(frequency.spelling).anchored(times)
    assert (np.diff(again.positions(times)) == 1).all()


# Every so many business days has no regular distance in days, so it is only had by spelling it.
inferable = frequencies().filter(lambda frequency: frequency.unit != "business day" or frequency.multiple == 1)


@given(inferable, st.integers(-300, 300), st.data())
def test_inference_finds_the_grid_again_in_spite_of_gaps(frequency, first, data):
    gaps = data.draw(st.sets(st.integers(10, 59), max_size=5))
    positions = first + np.array([k for k in range(60) if k not in gaps])
    found = Frequency.infer(frequency.times(positions))
    assert (found.times(found.positions(frequency.times(positions))) == frequency.times(positions)).all()
    assert (np.diff(found.positions(frequency.times(positions))) == np.diff(positions)).all()


@pytest.mark.parametrize(
    ("times", "name", "seasons"),
    [
        (steps("2020-01-01", 50, 1, "h"), "hourly", (24, 168)),
        (steps("2020-01-01T00:30", 50, 60, "m"), "hourly", (24, 168)),
        (steps("2020-01-01", 50, 15, "m"), "every 15 minutes", (96, 672)),
        (steps("2020-01-01", 50, 2, "h"), "every 2 hours", (12, 84)),
        (steps("2020-01-01", 50, 1, "s"), "every second", (3600, 86400, 604800)),
        (steps("2020-01-01", 50, 1, "D"), "daily", (7, 365)),
        (np.busday_offset("2020-01-01", np.arange(50)), "business-daily", (5, 261)),
        (steps("2020-01-01", 50, 7, "D"), "weekly", (52,)),
        (steps("2020-01-01", 50, 28, "D"), "every 4 weeks", (13,)),
        (steps("2020-01", 50, 1, "M").astype("datetime64[D]"), "monthly", (12,)),
        (steps("2020-02", 50, 1, "M").astype("datetime64[D]") - 1, "monthly", (12,)),
        (steps("2020-01", 50, 1, "M").astype("datetime64[D]") + 14, "monthly", (12,)),
        (steps("2020-02", 50, 3, "M").astype("datetime64[D]"), "quarterly", (4,)),
        (steps("2020-01", 50, 6, "M").astype("datetime64[D]"), "every 6 months", (2,)),
        (steps("1970", 50, 1, "Y").astype("datetime64[D]"), "yearly", ()),
        (np.arange(1990, 2020), "integer steps", ()),
        (np.arange(0, 100, 5), "integer steps of 5", ()),
    ],
)
def test_names_and_seasons(times, name, seasons):
    found = Frequency.infer(times)
    assert found.name == name
    assert found.seasons() == seasons
    assert (found.times(found.positions(times)) == times).all()


def test_business_days_with_holidays_leave_missing_steps():
    times = np.busday_offset("2024-01-01", np.delete(np.arange(30), [0, 10, 11]))
    found = Frequency.infer(times)
    assert found.name == "business-daily"
    assert np.diff(found.positions(times)).max() == 3


def test_daily_times_of_one_working_week_are_daily():
    assert Frequency.infer(days("2024-01-01", "2024-01-02", "2024-01-03")).name == "daily"


def test_month_ends_stay_month_ends():
    found = Frequency.infer(days("2023-01-31", "2023-02-28", "2023-03-31"))
    assert found.times(found.positions(days("2023-03-31")) + 11).astype(str).tolist() == ["2024-02-29"]


def test_day_thirty_takes_the_last_day_of_february():
    found = Frequency.infer(days("2023-01-30", "2023-02-28", "2023-03-30", "2023-04-30", "2023-05-30"))
    assert found.day == 30


def test_whole_days_are_dates_and_others_have_a_clock():
    assert Frequency("day").times(np.arange(2)).dtype == "datetime64[D]"
    assert Frequency("day", phase=3_600_000_000).times(np.arange(2)).dtype == "datetime64[us]"
    assert Frequency("step").times(np.arange(2)).dtype == np.int64


def test_differences_count_within_series_only():
    times = np.concatenate([steps("2020-01-01", 5, 1, "D"), steps("2020-01-03", 5, 1, "D")])
    assert Frequency.infer(times, np.repeat([0, 1], 5)).name == "daily"


def test_irregular_spacing_names_the_first_offender():
    with pytest.raises(OffGridError) as caught:
        Frequency.infer(days("2020-01-01", "2020-01-01T02", "2020-01-01T04", "2020-01-01T05", "2020-01-01T07"))
    assert caught.value.index == 3
    assert str(caught.value) == (
        "irregular spacing: 2020-01-01 05:00:00 comes 1 hour after 2020-01-01 04:00:00, where steps are mostly 2 "
        "hours; give the frequency (--freq, for instance 1d) or resample the table to regular steps"
    )


def test_a_time_off_the_grid_is_named():
    with pytest.raises(OffGridError, match=r"2020-01-04 lies off the weekly \(Wednesdays\) grid"):
        Frequency.parse("1w").anchored(days("2020-01-01")).positions(days("2020-01-08", "2020-01-04"))


@pytest.mark.parametrize(
    ("text", "unit", "multiple"),
    [
        ("1h", "hour", 1),
        ("15m", "minute", 15),
        ("15min", "minute", 15),
        ("60m", "hour", 1),
        ("1d", "day", 1),
        ("7d", "week", 1),
        ("b", "business day", 1),
        ("1w", "week", 1),
        ("1mo", "month", 1),
        ("M", "month", 1),
        ("3mo", "quarter", 1),
        ("q", "quarter", 1),
        ("12mo", "year", 1),
        ("1y", "year", 1),
        ("2", "step", 2),
        ("daily", "day", 1),
        ("every 15 minutes", "minute", 15),
    ],
)
def test_parse(text, unit, multiple):
    assert Frequency.parse(text) == Frequency(unit, multiple)


@pytest.mark.parametrize("text", ["", "0h", "fortnight", "h1", "-1d", "1.5h"])
def test_a_misspelled_frequency_is_named(text):
    with pytest.raises(InputError, match="is not understood; write for instance 15m, 1h") as caught:
        Frequency.parse(text)
    assert repr(text) in str(caught.value)


def test_integers_and_dates_do_not_mix():
    with pytest.raises(InputError, match=r"the times are integers, which a frequency of hourly does not fit"):
        Frequency.parse("1h").anchored(np.arange(3))
    with pytest.raises(InputError, match=r"the times are dates, which a frequency of integer steps does not fit"):
        Frequency.parse("1").anchored(days("2020-01-01"))


@given(frequencies(), st.integers(-500, 500))
def test_calendar_is_named_and_bounded(frequency, first):
    features = frequency.calendar(first + np.arange(50))
    assert features.shape == (50, len(frequency.calendar_names))
    assert (np.abs(features) <= 1).all()
    assert len(set(frequency.calendar_names)) == features.shape[1]


def test_calendar_tells_the_hours_of_a_week_and_the_months_of_a_year_apart():
    hourly = Frequency("hour")
    daily_and_weekly = [not name.startswith("year") for name in hourly.calendar_names]
    hours = hourly.calendar(np.arange(168))[:, daily_and_weekly]
    assert len(np.unique(hours.round(9), axis=0)) == 168
    weekdays = Frequency("day").calendar(np.arange(7))[:, :6]
    assert np.linalg.matrix_rank(np.column_stack([np.ones(7), weekdays])) == 7  # any day can stand out from the others
    months = Frequency("month").calendar(np.arange(24))
    assert np.allclose(months[:12], months[12:])
    assert len(np.unique(months.round(9), axis=0)) == 12
    assert np.linalg.matrix_rank(Frequency("quarter").calendar(np.arange(4)) - 1e-3) == 3
    assert Frequency("step").calendar(np.arange(3)).shape == (3, 0)


def test_calendar_of_a_known_moment():
    noon = Frequency("hour").positions(days("2024-01-01T12"))  # a Monday
    features = dict(zip(Frequency("hour").calendar_names, Frequency("hour").calendar(noon)[0], strict=True))
    assert features["day cos"] == pytest.approx(-1)
    assert features["week sin"] == pytest.approx(np.sin(2 * np.pi * 0.5 / 7))
    assert features["year cos"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("fields", [{}, {"unit": "day"}, {**Frequency("day").to_dict(), "day": "1"}])
def test_a_tampered_description_is_refused(fields):
    with pytest.raises(InputError, match="not the description of a frequency"):
        Frequency.from_dict(fields)
