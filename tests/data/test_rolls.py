"""Piano rolls from both kinds of files, and the notes in them."""

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from longshort.data.rolls import notes_of_roll, read_rolls, roll_of_notes
from longshort.errors import InputError


def rolls(count, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.random((5 + k, 88)) < 0.05).astype(np.uint8) for k in range(count)]


def cells(items):
    out = np.empty((1, len(items)), dtype=object)
    out[0] = [*items, None][:-1]
    return out


def test_a_mat_file_of_the_literature(tmp_path):
    parts = {"traindata": rolls(3), "validdata": rolls(2, 1), "testdata": rolls(1, 2)}
    path = tmp_path / "rolls.mat"
    scipy.io.savemat(path, {name: cells(items) for name, items in parts.items()})
    found = read_rolls(path)
    for name, part in (("traindata", "training"), ("validdata", "validation"), ("testdata", "test")):
        for roll, written in zip(found.parts[part], parts[name], strict=True):
            np.testing.assert_array_equal(roll, written)
    assert found.names["training"] == ("traindata 1", "traindata 2", "traindata 3")


def test_an_npz_file(tmp_path):
    path = tmp_path / "rolls.npz"
    wide = np.zeros((6, 128))
    wide[2, 60] = 0.7  # a velocity
    np.savez(path, train0=rolls(1)[0], song=wide, test0=rolls(1, 1)[0], short=np.zeros((1, 88)))
    found = read_rolls(path)
    assert found.names == {"training": ("train0", "song"), "test": ("test0",)}
    assert np.argwhere(found.parts["training"][1]).tolist() == [[2, 60 - 21]]
    assert found.notes == (f"{path}: rolls of fewer than two frames left out: 1",)


def bad(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else np.savez(path, **content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", {"train": np.array([{}, 1], dtype=object)}, "it holds objects, which only running code could read"),
        ("a.npz", {"train": np.zeros((4, 87))}, r"train: it is float64 of shape \(4, 87\); a roll has a row for each"),
        ("a.npz", {"train": np.full((4, 88), np.nan)}, "train: it holds values that are not numbers"),
        ("a.npz", {"train": np.ones((4, 128))}, "train: notes outside the keys of a piano"),
        ("a.npz", {"train": np.array(["a"])}, "a roll has a row for each frame"),
        ("a.npz", {"test": np.ones((4, 88))}, "there is no roll to learn from"),
        ("a.npz", b"PK\x03\x04 nothing more", "it is no .npz file, or a damaged one"),
        ("a.mat", b"MATLAB 5.0 or not", "it is no .mat file, or a damaged one"),
    ],
)
def test_what_is_refused(tmp_path, name, content, said):
    path = bad(tmp_path, name, content)
    with pytest.raises(InputError, match=said) as caught:
        read_rolls(path)
    assert str(caught.value).startswith(str(path))
    with pytest.raises(InputError, match="there is no such file"):
        read_rolls(tmp_path / "nowhere.npz")


@settings(max_examples=50, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.just(88)), elements=st.integers(0, 1)))
def test_notes_are_runs_of_frames(roll):
    """There and back; and as many sounding frames as the notes are long."""
    notes = notes_of_roll(roll, 0.25)
    assert notes[:, 1].sum() / 0.25 == roll.sum()
    again = roll_of_notes(notes, 0.25)
    last = int(np.flatnonzero(roll.any(1)).max(initial=-1)) + 1
    np.testing.assert_array_equal(again, roll[:last])


def test_known_notes():
    roll = np.zeros((4, 88), np.uint8)
    roll[0:2, 60 - 21] = roll[3, 60 - 21] = roll[1, 67 - 21] = 1
    np.testing.assert_array_equal(notes_of_roll(roll, 0.5), [[0, 1, 60, 0], [0.5, 0.5, 67, 0], [1.5, 0.5, 60, 0]])
