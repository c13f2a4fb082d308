"""A table that is read in pieces is the table that is read at once."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.data import is_large, read_panel, stream_panel
from longshort.errors import InputError
from longshort.tasks.forecast import Forecaster
from longshort.tasks.forecast.history import fingerprint
from longshort.training import Progress


def table(lengths, seed=0, gaps=False):
    """Daily series with two exogenous columns and two static ones, in the order of their names."""
    rng = np.random.default_rng(seed)
    frames = []
    for k, length in enumerate(lengths):
        days = np.datetime64("2024-01-01") + rng.integers(0, 5) + np.arange(length)
        y = 10 + 3 * np.sin(2 * np.pi * np.arange(length) / 7) + rng.normal(size=length)
        frame = pl.DataFrame(
            {
                "unique_id": [f"s{k:03}"] * length,
                "ds": days,
                "y": y,
                "price": rng.normal(size=length),
                "holiday": rng.integers(0, 2, length),
                "kind": ["ab"[k % 2]] * length,
                "area": [float(k)] * length,
            }
        )
        frames.append(frame.filter(pl.int_range(pl.len()) % 11 != 5) if gaps else frame)
    return pl.concat(frames)


ROLES = {"past": "price", "known": "holiday", "static": ["kind", "area"]}


@given(lengths=st.lists(st.integers(8, 40), min_size=1, max_size=6), piece=st.integers(9, 120), gaps=st.booleans())
def test_in_pieces_and_at_once(tmp_path_factory, lengths, piece, gaps):
    path = tmp_path_factory.mktemp("data") / "sales.parquet"
    table(lengths, gaps=gaps).write_parquet(path, row_group_size=13)
    whole, pieces = read_panel(path, freq="1d", **ROLES), stream_panel(path, freq="1d", piece=piece, **ROLES)
    assert fingerprint(pieces) == fingerprint(whole)
    assert (pieces.frequency, pieces.columns) == (whole.frequency, whole.columns)
    for one, other in zip(pieces, whole, strict=True):
        assert (one.id, one.start, one.static_categories) == (other.id, other.start, other.static_categories)
        for name in ("y", "past", "known", "static_numeric"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [s.id for s in pieces.series[1:]] == [s.id for s in whole.series[1:]]
    assert pieces.series[-1].id == whole.series[-1].id


def test_a_folder_of_files_is_one_table(tmp_path):
    frame = table([20, 30, 25])
    frame[:33].write_parquet(tmp_path / "a.parquet")  # in the middle of the second series
    frame[33:].write_parquet(tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("no table")
    assert is_large(tmp_path)
    assert not is_large(tmp_path / "a.parquet")
    assert fingerprint(stream_panel(tmp_path, **ROLES)) == fingerprint(read_panel(frame, **ROLES))


def test_it_is_found_to_be_large(tmp_path, monkeypatch):
    import longshort.data.stream as module

    path = tmp_path / "sales.parquet"
    table([20]).write_parquet(path)
    monkeypatch.setattr(module, "LARGE", 19)
    assert is_large(str(path))
    monkeypatch.setattr(module, "LARGE", 20)
    assert not is_large(path)
    for other in (tmp_path, tmp_path / "no.parquet", table([20]), tmp_path / "sales.csv"):
        assert is_large(other) is (other is tmp_path)


def test_what_is_learnt_is_the_same(tmp_path):
    """From a file in pieces and from the table in memory: every look, every forecast, every score."""
    frame = table([90, 80, 100, 95])
    (tmp_path / "parts").mkdir()
    frame.write_parquet(tmp_path / "parts" / "sales.parquet")
    small = {"horizon": 3, "steps": 10, "hidden_size": 8, "members": 1, "batch_size": 16}
    models = [
        Forecaster(**small).fit(data, run=tmp_path / f"run-{k}", progress=Progress(), **ROLES)
        for k, data in enumerate((tmp_path / "parts", frame))
    ]
    one, other = models
    assert one.fitted.checks == other.fitted.checks
    assert one.evaluate().to_json() == other.evaluate().to_json()
    loaded = [Forecaster.load(tmp_path / f"run-{k}") for k in range(2)]
    future = frame.drop("y").group_by("unique_id", maintain_order=True).tail(3)
    ahead = future.with_columns(pl.col("ds").dt.offset_by("3d"))
    assert loaded[0].predict(ahead).equals(loaded[1].predict(ahead))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: pl.concat([t[:20], t[50:], t[20:50]])[[*range(5), *range(20, 75), *range(5, 20)]],
            "'s000' do not all",
        ),
        (lambda t: t.select("ds", "y"), "a row for each step and a column that names the series: name it with --id"),
        (
            lambda t: t.with_columns(y=pl.when(pl.int_range(pl.len()) == 60).then(np.inf).otherwise("y")),
            "row 61, column",
        ),
        (lambda t: pl.concat([t[:70], t[69:]]), "row 70 and row 71: both hold"),
        (lambda t: t[:0], "the table has no rows"),
    ],
)
def test_what_is_refused(tmp_path, change, message):
    path = tmp_path / "sales.parquet"
    change(table([20, 30, 25])).write_parquet(path)
    with pytest.raises(InputError) as error:
        stream_panel(path, piece=22)
    assert message in str(error.value)


def test_a_broken_file_is_named(tmp_path):
    table([20]).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-30])
    with pytest.raises(InputError, match=r"b\.parquet: not a whole Parquet file"):
        stream_panel(tmp_path)
