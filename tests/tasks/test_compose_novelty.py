"""Novelty, keys and statistics against brute force and known tunes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.errors import InputError
from longshort.tasks.compose.keys import Key, find_key
from longshort.tasks.compose.novelty import Passages, intervals, melody
from longshort.tasks.compose.statistics import Counts, pitch_classes

TUNE = st.lists(st.integers(-2, 2), max_size=25)


def line(pitches, start=0.0, long=1.0):
    return np.array([(start + k * long, long, pitch, 0) for k, pitch in enumerate(pitches)], dtype=np.float64)


def by_trying(known, tune):
    """The longest passage of a tune that is in one of others, in intervals."""
    lengths = [
        end - begin
        for begin in range(len(tune))
        for end in range(begin + 1, len(tune) + 1)
        if any(tune[begin:end] == other[k : k + end - begin] for other in known for k in range(len(other)))
    ]
    return max(lengths, default=0)


@settings(max_examples=200, deadline=None)
@given(st.lists(TUNE, max_size=4), TUNE)
def test_the_longest_passage_is_that_of_trying_all(known, tune):
    found = Passages(known).longest(tune)
    best = by_trying(known, tune)
    assert found.notes == (best + 1 if best else 0)
    if best:
        passage = tune[found.begin : found.begin + best]
        other = known[found.tune]
        assert any(other[k : k + best] == passage for k in range(len(other)))
    else:
        assert found == (0, 0, -1)


def test_a_copy_in_another_key_and_rhythm_is_a_copy():
    rng = np.random.default_rng(0)
    known = [rng.integers(50, 80, 40) for _ in range(5)]
    passages = Passages(intervals(line(pitches)) for pitches in known)
    tune = line([*rng.integers(50, 80, 7), *(known[3][10:30] + 5), *rng.integers(50, 80, 4)], long=0.5)
    assert passages.longest(intervals(tune)) == (20, 7, 3)


def test_a_passage_does_not_go_on_into_the_next_tune():
    assert Passages([[1, 2], [3, 4]]).longest([1, 2, 3, 4]).notes == 3


def test_the_melody_is_the_highest_note_of_every_onset():
    chords = np.array([[0, 1, 60, 0], [0, 1, 67, 0], [0, 1, 50, -1], [1, 1, 64, 0], [1, 2, 55, 0]], dtype=np.float64)
    assert melody(chords)[:, 2].tolist() == [67, 64]
    assert intervals(chords).tolist() == [-3]


SCALES = {"major": [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0], "minor": [0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0]}


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("tonic", range(12))
def test_keys_of_scales(mode, tonic):
    key = find_key(line([60 + tonic + step for step in SCALES[mode]]))
    assert (key.tonic, key.mode) == (tonic, mode)
    assert key.holds[[(tonic + step) % 12 for step in SCALES[mode]]].all()
    assert Key.parse(str(key)) == key


def test_names_of_keys():
    assert Key.parse("Bbm") == Key(10, "minor")
    assert Key.parse("f# Minor") == Key(6, "minor")
    assert Key.parse("D") == Key(2, "major")
    for wrong in ("H", "", "D sharp", "minor"):
        with pytest.raises(InputError, match="is no key: give one such as"):
            Key.parse(wrong)


def test_statistics_of_a_known_tune():
    tune = line([60, 62, 64, 60, 84])
    counts = Counts.of([tune])
    assert counts.density == 1
    assert pitch_classes(tune).tolist() == [3, 0, 1, 0, 1, *[0] * 7]
    steps = {k - 12: share for k, share in enumerate(counts.intervals) if share}
    assert steps == {2: 0.5, -4: 0.25, 12: 0.25}  # two octaves count with the widest
    other = Counts.of([tune + np.array([0, 0, 5, 0])])
    assert counts.distance(other) == {"pitch classes": 0, "intervals": 0, "density": 0}
    far = Counts.of([line([60] * 5, long=0.5)])
    assert counts.distance(far) == pytest.approx({"pitch classes": 0.4, "intervals": 1, "density": 1})
    assert Counts.of([]).density == 0
