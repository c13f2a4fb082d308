"""Tokens of music: notes survive the way there and back, a transposition moves pitches alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.data.midi import notes_of, score_of
from longshort.data.music_tokens import MusicTokens
from longshort.errors import InputError

pytest.importorskip("miditok")

VOCABULARIES = {programs: MusicTokens(programs) for programs in (False, True)}


@pytest.fixture(scope="module")
def tokens():
    return VOCABULARIES[False]


def melody(count=24, seed=0, program=0):
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.choice([3, 4, 6, 12], count)) / 12  # triplets and sixteenths
    notes = np.stack([starts, rng.choice([4, 6, 12], count) / 12, rng.integers(40, 90, count), np.full(count, program)])
    return notes.T


def test_notes_there_and_back(tokens):
    notes = melody()
    np.testing.assert_allclose(tokens.notes(tokens.encode(score_of(notes, 120.0))), notes, atol=1e-9)
    assert tokens.count_notes(tokens.encode(score_of(notes, 120.0))) == len(notes)


def test_instruments_and_drums(tokens):
    notes = np.concatenate([melody(9, 1, 0), melody(9, 2, 40), melody(5, 3, -1)])
    notes = notes[np.lexsort((-notes[:, 2], notes[:, 0]))]
    several = VOCABULARIES[True]
    again = several.notes(several.encode(score_of(notes, 120.0)))
    assert sorted(map(tuple, again.round(6).tolist())) == sorted(map(tuple, notes.round(6).tolist()))
    merged = tokens.notes(tokens.encode(score_of(notes, 120.0)))
    assert len(merged) == 18
    assert not merged[:, 3].any()
    drums = notes[notes[:, 3] < 0]
    assert not len(tokens.encode(score_of(drums, 120.0)))


def test_bars_are_counted(tokens):
    score = score_of(np.array([[0, 1, 60, 0], [9.5, 0.5, 62, 0]]), 120.0)  # the third bar of four quarters
    names = [tokens.names[i] for i in tokens.encode(score)]
    assert names.count("Bar_None") == 3
    assert names[:4] == ["Bar_None", "TimeSig_4/4", "Position_0", "Pitch_60"]
    assert tokens.bar_length(tokens.names.index("TimeSig_6/8")) == 72


@pytest.mark.parametrize("interval", [-7, 1, 12])
def test_a_transposition_moves_pitches_alone(tokens, interval):
    ids = tokens.encode(score_of(melody(), 120.0))
    moved = tokens.notes(tokens.transposed(ids, interval))
    np.testing.assert_allclose(moved, melody() + np.array([0, 0, interval, 0]), atol=1e-9)


def test_room_is_what_the_keys_leave(tokens):
    ids = tokens.encode(score_of(np.array([[0, 1, 30, 0], [1, 1, 100, 0]]), 120.0))
    assert tokens.room(ids) == (21 - 30, 108 - 100)
    for interval, inside in ((-9, True), (8, True)):
        moved = tokens.notes(tokens.transposed(ids, interval))[:, 2]
        assert (moved.min() >= 21 and moved.max() <= 108) == inside
    assert tokens.room(ids[:0]) == (0, 0)


def test_pitches_outside_the_keys_are_left_out(tokens):
    assert not tokens.count_notes(tokens.encode(score_of(np.array([[0, 1, 120, 0]]), 120.0)))


def test_as_json(tokens):
    described = tokens.to_json()
    assert MusicTokens.from_json(described).names == tokens.names
    described["tokens"] = described["tokens"][::-1]
    with pytest.raises(InputError, match="another version of miditok"):
        MusicTokens.from_json(described).encode(score_of(melody(), 120.0))


@pytest.mark.parametrize("programs", [False, True])
def test_what_may_follow_is_what_miditok_says(programs):
    tokens = MusicTokens(programs)
    graph, usual = tokens._inner.tokens_types_graph, set(tokens.types) - {"BOS", "EOS", "PAD"}
    for kind in usual:
        assert tokens.followers(kind) == {which for which in graph[kind] if which in usual}, kind
    assert tokens.followers("BOS") == {"Bar"}


@given(programs=st.booleans(), seed=st.integers(0, 2**31), sense=st.booleans())
def test_notes_are_those_of_miditok(programs, seed, sense):
    """Of rows that make sense, in all metres, and of any tokens at all."""
    tokens, rng = VOCABULARIES[programs], np.random.default_rng(seed)
    ids, last = [], tokens.begin
    for _ in range(60):
        known = [k for k, kind in enumerate(tokens.types) if kind in tokens.followers(tokens.types[last])]
        last = int(rng.choice(known if sense else len(tokens)))
        ids.append(last)
    inner = [k for k in ids if k not in (tokens.begin, tokens.end)]
    theirs = notes_of(tokens._inner.decode(inner if programs else [inner]))
    np.testing.assert_array_equal(tokens.notes(np.array(ids)), theirs)
