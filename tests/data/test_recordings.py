"""Which recordings there are and what is said in them; and features from files, never from a pickle."""

import numpy as np
import polars as pl
import pytest
import soundfile

from longshort.data.feature_file import FeatureFile
from longshort.data.recordings import Columns, read_recordings
from longshort.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "sub/b.flac"):
        soundfile.write(tmp_path / name, np.zeros(80), 8000)
    return tmp_path


def table(folder, text):
    (folder / "all.csv").write_text(text)
    return folder / "all.csv"


def test_a_table(folder):
    found = read_recordings(table(folder, "path,transcript,speaker,split\na.wav,one,x,train\nsub/b.flac,two,y,test\n"))
    assert found.names == ("a.wav", "sub/b.flac")
    assert found.paths == (folder / "a.wav", folder / "sub/b.flac")
    assert found.transcripts == ("one", "two")
    assert found.speakers == ("x", "y")
    assert found.parts == ("training", "test")


def test_columns_by_name_and_parts_that_are_none(folder):
    path = table(folder, "clip,said,split\na.wav,one,red\nsub/b.flac,two,blue\n")
    found = read_recordings(path, Columns(path="clip", transcript="said"))
    assert found.transcripts == ("one", "two")
    assert found.parts == ()
    with pytest.raises(InputError, match="cannot tell the paths among the columns 'clip', 'said', 'split'"):
        read_recordings(path)
    with pytest.raises(InputError, match="there is no column 'x' for speaker="):
        read_recordings(path, Columns(speaker="x"))


def test_a_folder(folder):
    (folder / "a.txt").write_text("\ufeffHello.\n")
    found = read_recordings(folder)
    assert (found.names, found.transcripts) == (("a.wav",), ("\ufeffHello.\n".removeprefix("\ufeff"),))
    assert "1 recordings without a text file" in found.notes[0]
    assert len(read_recordings(folder, need_transcripts=False)) == 2


def test_faults_are_named(folder):
    for text, message in (
        ("path,transcript\nc.wav,one\nd.wav,two\n", r"line 2: there is no file .*c\.wav \(and 1 more\)"),
        ("path,transcript\n,one\n", "line 2: the path is empty"),
    ):
        with pytest.raises(InputError, match=message):
            read_recordings(table(folder, text))
    with pytest.raises(InputError, match="but no text files of the same names"):
        read_recordings(folder)
    (folder / "none").mkdir()
    with pytest.raises(InputError, match="no audio in this folder"):
        read_recordings(folder / "none")
    with pytest.raises(InputError, match="has no transcripts: give a table"):
        read_recordings(folder / "a.wav")


def test_features(tmp_path):
    np.savez(tmp_path / "f.npz", a=np.ones((4, 2)), b=np.zeros((3, 2), np.int16))
    frame = pl.DataFrame({"id": ["a", "b"], "transcript": ["one", "two"]})
    found = read_recordings(frame, features=tmp_path / "f.npz")
    assert found.features["b"].dtype == np.float32
    assert found.features["a"].tolist() == [[1.0, 1.0]] * 4
    with pytest.raises(InputError, match=r"row 2: .*f\.npz holds no array 'c'"):
        read_recordings(pl.DataFrame({"id": ["a", "c"], "transcript": ["one", "two"]}), features=tmp_path / "f.npz")
    assert read_recordings(tmp_path / "f.npz", need_transcripts=False).names == ("a", "b")


class Trap:
    """Whoever unpickles this runs code."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code was run')",)


def test_objects_are_refused_and_never_unpickled(tmp_path):
    np.savez(tmp_path / "f.npz", a=np.array([Trap()], dtype=object))
    with pytest.raises(InputError, match="'a' is not read, it holds objects, which would have to be unpickled"):
        FeatureFile(tmp_path / "f.npz")["a"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), r"has shape \(3,\) of float64; give numbers, \(frames, channels\)"),
        (np.array([["a"]]), "give numbers"),
        (np.array([[np.inf]]), "values that are not finite"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.savez(tmp_path / "f.npz", a=array)
    with pytest.raises(InputError, match=message):
        FeatureFile(tmp_path / "f.npz")["a"]


def test_what_is_no_npz(tmp_path):
    (tmp_path / "f.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"not a whole \.npz file"):
        FeatureFile(tmp_path / "f.npz")
