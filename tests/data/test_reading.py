import gzip

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshort.data import Frequency, read_future, read_panel, read_table
from longshort.errors import InputError

DS = np.datetime64("2024-01-01T00", "us") + np.arange(6) * np.timedelta64(1, "h")


def long_table():
    return pl.DataFrame(
        {
            "unique_id": ["b"] * 6 + ["a"] * 4,
            "ds": np.concatenate([DS, DS[2:]]),
            "y": [1.0, 2, None, 4, 5, 6, 10, 20, 30, 40],
            "load": [0.5] * 10,
            "promo": [False, True] * 5,
            "shop": ["x"] * 6 + ["z"] * 4,
            "size": [3] * 6 + [None] * 4,
        }
    )


ROLES = {"past": ["load"], "known": ["promo"], "static": ["shop", "size"]}


def same(one, two):
    assert one.frequency == two.frequency
    assert [series.id for series in one] == [series.id for series in two]
    for left, right in zip(one, two, strict=True):
        assert (left.start, left.static_categories) == (right.start, right.static_categories)
        for name in ("y", "past", "known", "static_numeric"):
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def test_long_table():
    panel = read_panel(long_table(), **ROLES)
    a, b = panel
    assert (a.id, b.id) == ("a", "b")
    assert a.start == b.start + 2
    np.testing.assert_array_equal(b.y, [1, 2, np.nan, 4, 5, 6])
    assert b.past.shape == (6, 1)
    np.testing.assert_array_equal(b.known[:, 0], [0, 1, 0, 1, 0, 1])
    assert b.static_categories == ("x",)
    assert b.static_numeric.tolist() == [3]
    assert np.isnan(a.static_numeric).all()
    assert panel.times(a).tolist() == DS[2:].tolist()
    assert panel.notes == (
        "long table: series in 'unique_id', values in 'y'",
        "hourly, found from column 'ds': 2024-01-01 to 2024-01-01 05:00:00",
        "2 series of 4 to 6 steps, median 6",
        "1 step (10 %) have no value; they are masked, not filled in",
    )


def test_every_source_gives_the_same_panel(tmp_path):
    table = long_table()
    pandas = pd.DataFrame(table.to_dict(as_series=False))
    table.write_csv(tmp_path / "a.csv")
    table.write_csv(tmp_path / "a.tsv", separator="\t")
    table.write_csv(tmp_path / "semicolon.csv", separator=";", quote_style="always", line_terminator="\r\n")
    table.write_csv(tmp_path / "bar.txt", separator="|", null_value="NA")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    table.write_parquet(tmp_path / "a.parquet")
    expected = read_panel(table, **ROLES)
    sources = [
        *sorted(tmp_path.iterdir()),
        str(tmp_path / "a.csv"),
        table.lazy(),
        pandas,
        pandas.astype({"unique_id": "category", "y": "Float64", "size": "Int64"}),
        pandas.set_index("ds"),
        pandas.set_index(["unique_id", "ds"]),
        table.to_arrow(),
    ]
    for source in sources:
        same(read_panel(source, **ROLES), expected)


def test_pandas_series_with_times_as_index():
    index = pd.period_range("2020-01", periods=4, freq="M")
    panel = read_panel(pd.Series([1.0, 2, 3, 4], index=index))
    assert panel.frequency.name == "monthly"
    assert panel.series[0].id == "y"
    named = read_panel(pd.Series([1, 2], index=pd.date_range("2020-01-01", periods=2), name="sales"))
    assert (named.series[0].id, named.frequency.name) == ("sales", "daily")


def test_pandas_index_left_from_a_selection_is_dropped():
    table = pd.DataFrame({"ds": DS, "y": np.arange(6.0)})
    same(read_panel(table[table.y > 1]), read_panel(table.iloc[2:].reset_index(drop=True)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.permutations(range(10)))
def test_shuffled_rows_give_the_same_panel(order):
    same(read_panel(long_table()[list(order)], **ROLES), read_panel(long_table(), **ROLES))


def test_shuffled_rows_are_noted():
    assert "the rows were not in order of time and were sorted" in read_panel(long_table().reverse()).notes[1]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=60, unique=True),
    st.data(),
)
def test_every_value_lies_at_its_time(cells, data):
    values = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=len(cells), max_size=len(cells)))
    times = np.datetime64("2024-03-29", "D") + np.array([step for _, step in cells])
    table = pl.DataFrame({"unique_id": [f"s{key}" for key, _ in cells], "ds": times, "y": values})
    panel = read_panel(table, freq="1d")
    found = {
        (series.id, time): value
        for series in panel
        for time, value in zip(panel.times(series).tolist(), series.y, strict=True)
        if not np.isnan(value)
    }
    assert found == {(key, time): value for key, time, value in table.rows()}
    same(read_panel(panel.frame(), freq="1d"), panel)


def test_single_series():
    panel = read_panel(pl.DataFrame({"Month": ["1949-01", "1949-02", "1949-03"], "Passengers": [112, 118, 132]}))
    assert panel.series[0].id == "Passengers"
    assert panel.frequency.name == "monthly"
    assert panel.times(panel.series[0]).astype(str).tolist() == ["1949-01-01", "1949-02-01", "1949-03-01"]
    assert panel.columns.id is None


def test_wide_table():
    table = pl.DataFrame({"date": DS[:3], "north": [1.0, 2, 3], "south": [None, 5.0, 6], "comment": ["a", "b", "c"]})
    panel = read_panel(table)
    assert [series.id for series in panel] == ["north", "south"]
    assert panel.series[1].start == panel.series[0].start + 1
    assert "columns not used: 'comment' (name them with --past, --known or --static to give them to the model)" in (
        panel.notes
    )
    assert [series.id for series in read_panel(table, target=["south"])] == ["south"]


def test_row_per_series():
    table = pl.DataFrame({"V1": ["H1", "H2"], "V2": [1, 5], "V3": [2, 6], "V4": [3, None]})
    panel = read_panel(table)
    assert [(series.id, series.y.tolist()) for series in panel] == [("H1", [1, 2, 3]), ("H2", [5, 6])]
    assert panel.frequency == Frequency("step")


def test_no_time_column_counts_rows():
    panel = read_panel(pl.DataFrame({"series": ["a", "b", "a"], "y": [1.0, 2, 3]}))
    assert [series.y.tolist() for series in panel] == [[1, 3], [2]]
    assert "no time column, so the rows are counted as steps 0, 1, 2, …" in panel.notes


def test_years_are_integer_steps():
    panel = read_panel(pl.DataFrame({"year": [1990, 1991, 1993], "y": [1.0, 2, 3]}))
    assert panel.frequency.name == "integer steps"
    assert panel.times(panel.series[0]).tolist() == [1990, 1991, 1992, 1993]


def test_text_that_tells_series_apart_is_the_id():
    table = pl.DataFrame({"date": np.tile(DS, 2), "city": ["x"] * 6 + ["z"] * 6, "sales": range(12)})
    panel = read_panel(table)
    assert [series.id for series in panel] == ["x", "z"]
    assert "several rows share a time, so column 'city' is taken as the name of the series" in panel.notes


def test_a_column_that_numbers_the_rows_is_no_id():
    panel = read_panel(pl.DataFrame({"id": range(6), "date": DS, "value": range(6)}))
    assert len(panel) == 1


def test_ds_wins_over_other_dates():
    assert read_panel(pl.DataFrame({"entered": DS, "ds": DS, "y": range(6)})).columns.time == "ds"


def test_ids_keep_leading_zeros_and_order_by_size(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,ds,y\n007,2024-01-01,1\n010,2024-01-01,2\n")
    assert [series.id for series in read_panel(path, id="id")] == ["007", "010"]
    table = pl.DataFrame({"item_id": [10, 9, 10, 9], "ds": [1, 1, 2, 2], "y": [1, 2, 3, 4]})
    assert [series.id for series in read_panel(table)] == ["9", "10"]


def test_gaps_and_missing_words_are_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ds,y\n2024-01-01,1\n2024-01-02,NA\n2024-01-03,-\n2024-01-05,5\n2024-01-06,nan\n2024-01-07,7\n")
    panel = read_panel(path)
    np.testing.assert_array_equal(panel.series[0].y, [1, np.nan, np.nan, np.nan, 5, np.nan, 7])
    assert panel.notes[-1] == "4 steps (57 %) have no value; they are masked, not filled in"


def test_missing_values_around_a_series_are_trimmed_and_known_ones_kept():
    table = pl.DataFrame({"ds": DS, "y": [None, 1.0, 2, 3, None, None], "k": [0, 1, 2, 3, 4, None], "p": range(6)})
    series = read_panel(table, known=["k"], past=["p"]).series[0]
    assert series.start == Frequency("hour").positions(DS[1:2])[0]
    assert series.y.tolist() == [1, 2, 3]
    assert series.past[:, 0].tolist() == [1, 2, 3]
    assert series.known[:, 0].tolist() == [1, 2, 3, 4]


def test_empty_series_are_left_out_and_constant_ones_noted():
    table = pl.DataFrame(
        {"ds": DS[:3], "a": [1.0, 1, 1], "b": [None] * 3, "c": [1.0, 2, 3]}, schema_overrides={"b": pl.Float64}
    )
    panel = read_panel(table)
    assert [series.id for series in panel] == ["a", "c"]
    assert "left out because all their values are missing: 'b'" in panel.notes
    assert "constant, so there is nothing to learn in: 'a'" in panel.notes


def test_one_row():
    panel = read_panel(pl.DataFrame({"ds": ["2024-01-01"], "y": [5.0]}))
    assert len(panel.series[0]) == 1
    assert panel.frequency.name == "daily"


@pytest.mark.parametrize(
    ("texts", "first", "second"),
    [
        (["2024-01-02", "2024-01-03"], "2024-01-02", "2024-01-03"),
        (["2024-01-31 00:00", "2024-01-31 01:00:00"], "2024-01-31", "2024-01-31T01"),
        (["2024-01-31", "2024-01-31T06:00:00.000"], "2024-01-31", "2024-01-31T06"),
        (["2024/01/02", "2024/01/03"], "2024-01-02", "2024-01-03"),
        (["20240102", "20240103"], "2024-01-02", "2024-01-03"),
        (["1949-01", "1949-02"], "1949-01-01", "1949-02-01"),
        (["01/1949", "02/1949"], "1949-01-01", "1949-02-01"),
        (["Jan 1949", "Feb 1949"], "1949-01-01", "1949-02-01"),
        (["1949Q1", "1949-Q2"], "1949-01-01", "1949-04-01"),
        (["2024-W01", "2024-W02"], "2024-01-01", "2024-01-08"),
        (["1/2/2024", "1/13/2024"], "2024-01-02", "2024-01-13"),
        (["1/2/2024", "13/2/2024"], "2024-02-01", "2024-02-13"),
        (["1/2/2024", "1/3/2024"], "2024-01-02", "2024-01-03"),
        (["1/2/24", "1/3/24"], "2024-01-02", "2024-01-03"),
        (["01.02.2024", "02.02.2024"], "2024-02-01", "2024-02-02"),
        (["Jan 3, 2024", "January 4, 2024"], "2024-01-03", "2024-01-04"),
        (["3 Jan 2024", "4 Jan 2024"], "2024-01-03", "2024-01-04"),
        (["1/2/2024 3:05 PM", "1/2/2024 4:05 PM"], "2024-01-02T15:05", "2024-01-02T16:05"),
        (["2024-01-02T03:00Z", "2024-01-02T04:00Z"], "2024-01-02T03:00", "2024-01-02T04:00"),
        (["2024-01-02T03:00+01:00", "2024-01-02T04:00+01:00"], "2024-01-02T02:00", "2024-01-02T03:00"),
        (["2024-01-02T03:00-0530", "2024-01-02T04:00-0530"], "2024-01-02T08:30", "2024-01-02T09:30"),
        (["2024-01-02T00:00+01:00", "2024-01-03T00:00+01:00"], "2024-01-02", "2024-01-03"),
    ],
)
def test_spellings_of_times(tmp_path, texts, first, second):
    path = tmp_path / "a.csv"
    path.write_text("when,y\n" + "".join(f'"{text}",{k}\n' for k, text in enumerate(texts)))
    panel = read_panel(path, time="when")
    times = panel.times(panel.series[0])
    assert times[0] == np.datetime64(first)
    assert times[-1] == np.datetime64(second)


def test_doubtful_dates_are_noted(tmp_path):
    doubtful = read_panel(pl.DataFrame({"ds": ["1/2/2024", "1/3/2024"], "y": [1, 2]}))
    assert (
        "column 'ds': dates such as '1/2/2024' are read month first, which the data does not decide; "
        "write 2015-01-31 to be sure" in doubtful.notes
    )


def test_time_zones_of_tables():
    times = pd.date_range("2024-01-01", periods=3, freq="D", tz="Europe/Berlin")
    daily = read_panel(pd.DataFrame({"ds": times, "y": [1.0, 2, 3]}))
    assert daily.times(daily.series[0])[0] == np.datetime64("2024-01-01")
    assert "times are taken as local dates of time zone Europe/Berlin" in daily.notes
    times = pd.date_range("2024-03-31", periods=4, freq="h", tz="Europe/Berlin")  # the clock jumps in between
    hourly = read_panel(pd.DataFrame({"ds": times, "y": [1.0, 2, 3, 4]}))
    assert hourly.times(hourly.series[0])[0] == np.datetime64("2024-03-30T23")
    assert len(hourly.series[0]) == 4
    assert "times were converted from Europe/Berlin to UTC" in hourly.notes


def test_given_frequency_and_names():
    table = pl.DataFrame({"when": DS, "a": range(6), "b": range(6), "c": ["k"] * 6})
    panel = read_panel(table, time="when", target="b", id="c", freq="30m")
    assert panel.frequency.name == "every 30 minutes"
    assert len(panel.series[0]) == 11
    same(read_panel(table, time="when", target="b", id="c", freq=panel.frequency), panel)


def test_read_table_types(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('\n"a b", c,d\n 1,2.5,"x, ""y"""\n-,NaN,\n')
    table = read_table(path)
    assert table.columns == ["a b", "c", "d"]
    assert table.rows() == [(1, 2.5, 'x, "y"'), (None, None, None)]


def test_index_column_written_by_pandas(tmp_path):
    pd.DataFrame({"y": [1.0, 2]}, index=pd.date_range("2024-01-01", periods=2)).to_csv(tmp_path / "a.csv")
    assert read_panel(tmp_path / "a.csv").columns.time == "index"


def test_future_known_values_extend_a_panel():
    panel = read_panel(long_table(), **ROLES)
    future = DS[-1] + np.arange(1, 4) * np.timedelta64(1, "h")
    table = pl.DataFrame({"unique_id": ["a"] * 3 + ["b"] * 3, "ds": np.tile(future, 2), "promo": [1, 0, 1, 1, 1, 1]})
    a, b = panel.extended(read_future(table, panel.columns, panel.frequency))
    assert a.known[:, 0].tolist() == [0, 1, 0, 1, 1, 0, 1]
    assert len(a) == 4
    assert len(b.known) == 9
    with pytest.raises(InputError, match="the table: future values need the columns"):
        read_future(table.drop("promo"), panel.columns, panel.frequency)


def test_extended_history():
    panel = read_panel(pl.DataFrame({"ds": DS[:3], "y": [1.0, 2, 3]}))
    newer = read_panel(pl.DataFrame({"ds": DS[[2, 4, 5]], "y": [30.0, 5, 6]}), freq=panel.frequency)
    np.testing.assert_array_equal(panel.extended(newer).series[0].y, [1, 2, 30, np.nan, 5, 6])
    daily = read_panel(pl.DataFrame({"ds": ["2024-01-01"], "y": [1.0]}))
    with pytest.raises(InputError, match="the new rows are daily and the old ones hourly"):
        panel.extended(daily)


def test_splitting_keeps_positions_and_known_values():
    panel = read_panel(long_table(), **ROLES)
    history, rest = panel.split_last(4)
    assert [series.id for series in history] == ["b"]  # the other has no step left over
    assert history.series[0].y.tolist() == [1, 2]
    assert len(history.series[0].known) == 6
    np.testing.assert_array_equal(rest.series[0].y, [np.nan, 4, 5, 6])
    assert rest.series[0].start == history.series[0].end
    assert len(rest.series[0].known) == 4
    assert [len(series) for series in panel.head(-1)] == [3, 5]
    with pytest.raises(InputError, match="no series is long enough"):
        panel.split_last(6)


def test_frame_has_the_whole_grid():
    frame = read_panel(long_table()).frame()
    assert frame.columns == ["unique_id", "ds", "y"]
    assert frame.height == 10
    assert frame["y"].null_count() == 1
    assert frame.filter(unique_id="b")["ds"].to_list() == DS.tolist()


def test_python_objects_in_a_table():
    table = pl.DataFrame({"ds": DS[:2], "y": pl.Series([1, "closed"], dtype=pl.Object)})
    with pytest.raises(InputError, match="the table, row 2, column 'y': 'closed' is not a number"):
        read_panel(table, target="y")


def test_known_values_of_a_wide_table_belong_to_every_series():
    table = pl.DataFrame({"ds": DS, "north": range(6), "south": [1, 2, 3, 4, None, None], "warm": range(6)})
    north, south = read_panel(table, target=["north", "south"], known="warm")
    assert north.known[:, 0].tolist() == south.known[:, 0].tolist() == list(range(6))
    assert len(south) == 4


def test_known_values_from_before_a_series_are_left_out():
    panel = read_panel(pl.DataFrame({"ds": DS[2:4], "y": [1.0, 2], "k": [1, 1]}), known=["k"])
    future = read_future(pl.DataFrame({"ds": DS, "k": range(6)}), panel.columns, panel.frequency)
    series = panel.extended(future).series[0]
    assert (series.start, len(series)) == (panel.series[0].start, 2)
    assert series.known[:, 0].tolist() == [2, 3, 4, 5]
