"""Sound from files: what comes out is what went in, whatever its rate, channels and length; faults by name."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.data.audio import Resampler, audio_blocks, audio_format, is_clipped, is_silent, mixed, read_audio
from longshort.errors import InputError


def tone(rate, seconds=0.5, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_what_was_written_is_read(tmp_path, ending):
    sound = tone(8000)
    soundfile.write(tmp_path / f"a.{ending}", sound, 8000)
    found = read_audio(tmp_path / f"a.{ending}", 8000)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sound, atol=2**-15)
    assert audio_format(tmp_path / f"a.{ending}").seconds == 0.5


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_what_a_file_holds_is_read_as_the_file(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, tone(22_050), 22_050)
    held = path.read_bytes()
    np.testing.assert_array_equal(read_audio(held, 8000), read_audio(path, 8000))
    assert audio_format(held) == audio_format(path)
    for wrong, what in ((b"", "is empty"), (b"RIFF0000" + held, "cannot be read"), (b"\x00" * 99, "cannot be read")):
        with pytest.raises(InputError, match=f"the sound.*{what}"):
            read_audio(wrong, 8000)
    if ending == "wav":
        with pytest.raises(InputError, match="the sound: cut off"):
            audio_format(held[:-9])


def test_ogg_is_read_too(tmp_path):
    soundfile.write(tmp_path / "a.ogg", tone(16_000), 16_000)
    assert np.corrcoef(read_audio(tmp_path / "a.ogg", 16_000), tone(16_000))[0, 1] > 0.99


@pytest.mark.parametrize(("source", "target"), [(44_100, 16_000), (8_000, 16_000), (48_000, 8_000), (11_025, 8_000)])
def test_another_rate_is_the_same_tone(tmp_path, source, target):
    soundfile.write(tmp_path / "a.wav", tone(source, 1.0), source)
    found = read_audio(tmp_path / "a.wav", target)
    assert len(found) == pytest.approx(target, abs=2)
    middle = slice(target // 4, 3 * target // 4)
    np.testing.assert_allclose(found[middle], tone(target, 1.0)[middle], atol=2e-3)


def test_channels_are_mixed_down(tmp_path):
    sound = np.stack([tone(8000), np.zeros(4000), tone(8000, hertz=900)], 1)
    soundfile.write(tmp_path / "a.wav", sound, 8000)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000), sound.mean(1), atol=2**-14)


def test_blocks_are_the_whole_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(44_100, 1.3), 44_100)
    blocks = list(audio_blocks(tmp_path / "a.wav", 16_000, 0.1))
    assert max(map(len, blocks)) <= 0.2 * 16_000
    np.testing.assert_allclose(np.concatenate(blocks), read_audio(tmp_path / "a.wav", 16_000), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_a_resampler_does_not_mind_chunks(cuts):
    sound = np.random.default_rng(0).standard_normal(3000).astype(np.float32)
    whole = Resampler(8000, 16_000)(sound, last=True)
    chunks = Resampler(8000, 16_000)
    parts = [chunks(part) for part in np.split(sound, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate([*parts, chunks(sound[:0], last=True)]), whole, atol=1e-6)


def test_samples_of_any_type_become_one_channel():
    assert mixed(np.array([-(2**15), 0, 2**14], np.int16)).tolist() == [-1.0, 0.0, 0.5]
    assert mixed(np.array([0, 128, 192], np.uint8)).tolist() == [-1.0, 0.0, 0.5]
    assert mixed(np.array([[0.0, 1.0], [0.5, 0.5]])).tolist() == [0.5, 0.5]
    for wrong in (np.zeros((2, 2, 2)), np.array(["a"]), np.array([np.nan])):
        with pytest.raises(InputError, match="sound"):
            mixed(wrong)


def test_silent_and_clipped():
    assert is_silent(np.zeros(100, np.float32))
    assert is_silent(np.zeros(0, np.float32))
    quiet = tone(8000).astype(np.float32)
    assert not is_silent(quiet)
    assert not is_clipped(quiet)
    assert is_clipped(np.clip(4 * quiet, -1, 1))


def faulty(folder):
    soundfile.write(folder / "whole.wav", tone(8000), 8000)
    data = (folder / "whole.wav").read_bytes()
    (folder / "cut.wav").write_bytes(data[: len(data) // 2])
    (folder / "text.wav").write_text("I am no sound.")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "whole.flac", tone(8000, 3.0), 8000)
    data = (folder / "whole.flac").read_bytes()
    (folder / "cut.flac").write_bytes(data[: len(data) // 2])
    (folder / "folder.wav").mkdir()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut.wav", "cut off, 4,022 of 8,044 bytes are there: fetch it again"),
        ("cut.flac", "fetch it again"),
        ("text.wav", "cannot be read as audio"),
        ("empty.wav", "the file is empty"),
        ("folder.wav", "is a folder"),
        ("none.wav", "there is no such file"),
    ],
)
def test_faults_are_named(tmp_path, name, message):
    faulty(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        read_audio(tmp_path / name, 8000)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_format_under_the_name_of_wav_is_read(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(8000), 8000)
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000), tone(8000), atol=2**-15)
