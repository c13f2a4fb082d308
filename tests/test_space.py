"""Ranges of a search: what is in them, and how they are written on the command line."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.errors import InputError
from longshort.space import Choice, Range, parse

KNOWN = {"hidden_size": Range(16, 256, log=True), "dropout": Range(0.0, 0.5), "lookback": Range(7, 70, step=7)}
VALUES = {"hidden_size": 64, "dropout": 0.1, "lookback": 35, "weight_decay": 0.01, "batch_size": 32, "window": None}


@given(low=st.integers(1, 50), steps=st.integers(1, 20), step=st.integers(1, 9), value=st.integers(0, 300))
def test_what_is_in_a_range(low, steps, step, value):
    space = Range(low, low + steps * step, step=step)
    assert (value in space) == (value in range(low, low + steps * step + 1, step))
    assert float(value) + 0.5 not in space
    assert (value in Range(float(low), float(low + steps))) == (low <= value <= low + steps)
    assert "64" not in space
    assert None not in space
    assert True not in Range(0, 2)


@given(low=st.integers(1, 400), more=st.integers(1, 400))
def test_a_range_of_whole_numbers_keeps_what_the_task_says_of_it(low, more):
    text = f"hidden-size={low}..{low + more}"
    assert parse([text], KNOWN, VALUES) == {"hidden_size": Range(low, low + more, log=True)}


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("dropout=0..0.3", "dropout", Range(0.0, 0.3)),
        ("dropout=0..1", "dropout", Range(0.0, 1.0)),  # whole numbers for a setting that is none
        ("hidden_size=0..8", "hidden_size", Range(0, 8)),  # no logarithm of 0
        ("weight_decay=1e-4..0.1", "weight_decay", Range(1e-4, 0.1, log=True)),
        ("weight_decay=0.1..0.5", "weight_decay", Range(0.1, 0.5)),
        ("batch_size=16..256", "batch_size", Range(16, 256, log=True)),
        ("window=16..32", "window", Range(16, 32)),
        ("hidden_size=32,64,128", "hidden_size", Choice((32, 64, 128))),
        ("cell=lstm,gru", "cell", Choice(("lstm", "gru"))),
        ("tied=true,false", "tied", Choice((True, False))),
    ],
)
def test_what_is_asked_for(text, name, found):
    asked = parse([text], KNOWN, VALUES)
    assert asked == {name: found}
    assert [type(v) for v in vars(asked[name]).values()] == [type(v) for v in vars(found).values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden_size", "--search needs NAME=LOW..HIGH or NAME=A,B,C, not 'hidden_size'"),
        ("hidden_size=", "--search needs NAME=LOW..HIGH"),
        ("hidden_size=64..32", "a range goes from a number up to a larger one, such as hidden_size=1..4"),
        ("hidden_size=a..b", "a range goes from a number up to a larger one"),
        ("hidden_size=0.5..8", "hidden_size is a whole number"),
        ("dropout=0..inf", "a range goes from a number up to a larger one"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(InputError) as error:
        parse([text], KNOWN, VALUES)
    assert message in str(error.value)


@given(st.text(max_size=20))
def test_nothing_breaks_it(text):
    with contextlib.suppress(InputError):
        assert len(parse([text], KNOWN, VALUES)) == 1


def test_in_words():
    assert [str(space) for space in KNOWN.values()] == ["16 to 256, logarithmic", "0 to 0.5", "7 to 70 in steps of 7"]
    assert str(Choice(("lstm", 64))) == "lstm, 64"
