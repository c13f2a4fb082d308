"""MIDI files, whole and broken: files are made byte by byte, and what is read is compared with what was written."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.data.midi import first_tune, notes_of, read_tunes, score_of, tempo_of, tune_in
from longshort.errors import InputError

pytest.importorskip("symusic")

END = b"\x00\xff\x2f\x00"


def number(value):
    """A number as MIDI writes it: seven bits a byte."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.insert(0, (value & 0x7F) | 0x80)
    return bytes(out)


def note(pitch, ticks=480):
    return b"\x00" + bytes([0x90, pitch, 64]) + number(ticks) + bytes([0x80, pitch, 0])


def midi(*tracks, ticks=480):
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), ticks)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


WHOLE = midi(note(60) + note(64, 240) + END)


def folder_of(tmp_path, **files):
    for name, content in files.items():
        (tmp_path / f"{name}.mid").write_bytes(content)
    return tmp_path


def test_what_is_written_is_read(tmp_path):
    (tune,) = read_tunes(folder_of(tmp_path, tune=WHOLE)).parts["training"]
    assert tune.name == "tune.mid"
    np.testing.assert_array_equal(notes_of(tune.score), [[0, 1, 60, 0], [1, 0.5, 64, 0]])
    assert tempo_of(tune.score) == 120


def test_what_a_file_holds_is_read_as_the_file(tmp_path):
    held = tune_in(WHOLE, "mine")
    assert held.name == "mine"
    file = first_tune(folder_of(tmp_path, tune=WHOLE))
    np.testing.assert_array_equal(notes_of(held.score), notes_of(file.score))
    for wrong, what in ((b"", "empty"), (b"la la la", "not a MIDI file"), (midi(END), "no notes")):
        with pytest.raises(InputError, match=rf"the MIDI file cannot be read \({what}\): give one with notes"):
            tune_in(wrong)


BROKEN = {
    "empty": (b"", "empty"),
    "text": (b"la la la\n" * 9, "not a MIDI file"),
    "cut": (midi(note(60) * 50 + END)[:90], "Invalid chunk length"),
    "silent": (midi(END), "no notes"),
    "crowd": (midi(*[note(60) + END] * 1001), "1,001 tracks, at most 1,000 are read"),
    "unended": (midi(b"\x00\x90\x3c\x40" + END), "no notes"),
    "timeless": (midi(note(60) + END, ticks=0), "a quarter note of 0 ticks"),
    "endless": (midi(number(0x0FFFFFFF) + note(60)[1:] + END), "longer than 40,000 quarter notes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named_and_left_out(name, tmp_path):
    content, why = BROKEN[name]
    found = read_tunes(folder_of(tmp_path, whole=WHOLE, **{name: content}))
    assert [tune.name for tune in found.parts["training"]] == ["whole.mid"]
    (line,) = found.notes
    assert line.startswith(f"{tmp_path}: 1 file left out: {name}.mid ({why}")
    assert "\n" not in line


def test_only_broken_files(tmp_path):
    folder = folder_of(tmp_path, **{name: content for name, (content, _) in BROKEN.items()})
    with pytest.raises(InputError, match=r"there is no tune in it that can be read: .*give MIDI files with notes"):
        read_tunes(folder)
    with pytest.raises(InputError, match="there is no such file"):
        read_tunes(tmp_path / "nowhere")
    with pytest.raises(InputError, match="give at least one path"):
        read_tunes([])


def test_many_broken_files_are_counted(tmp_path):
    folder = folder_of(tmp_path, whole=WHOLE, **{f"bad{k}": b"" for k in range(8)})
    (line,) = read_tunes(folder).notes
    assert "8 files left out" in line
    assert line.endswith(" and 3 more")


def test_a_tempo_of_zero_and_a_metre_of_zero_are_passed_over(tmp_path):
    faults = b"\x00\xff\x51\x03\x00\x00\x00" + b"\x00\xff\x58\x04\x00\x00\x18\x08"
    tune = first_tune(folder_of(tmp_path, tune=midi(faults + note(60) + END)))
    assert tempo_of(tune.score) == 120
    assert not len(tune.score.time_signatures)


def test_folders_are_parts(tmp_path):
    for name in ("train", "valid", "Test", "more"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mid").write_bytes(WHOLE)
    (tmp_path / "train" / ".hidden.mid").write_bytes(b"")
    parts = read_tunes(tmp_path).parts
    names = {part: [tune.name for tune in tunes] for part, tunes in parts.items()}
    assert names == {"training": ["more/a.mid", "train/a.mid"], "validation": ["valid/a.mid"], "test": ["Test/a.mid"]}
    for name in ("train", "more"):
        (tmp_path / name / "a.mid").unlink()
    with pytest.raises(InputError, match="there are only tunes for test and validation"):
        read_tunes(tmp_path)


NOTES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 20), st.integers(0, 127), st.sampled_from([-1, 0, 40, 127])),
    min_size=1,
    max_size=30,
    unique_by=lambda note: (note[2], note[3]),  # a pitch that begins again while it sounds is another matter
)


@settings(max_examples=40, deadline=None)
@given(NOTES, st.integers(20, 300))
def test_notes_there_and_back(rows, tempo):
    notes = np.array([(start / 8, long / 8, pitch, program) for start, long, pitch, program in rows])
    score = score_of(notes, float(tempo))
    again = notes_of(type(score).from_midi(score.dumps_midi()))
    assert sorted(map(tuple, again.tolist())) == sorted(map(tuple, notes.tolist()))
    assert (np.diff(again[:, 0]) >= 0).all()
    assert tempo_of(score) == pytest.approx(tempo, rel=1e-4)
