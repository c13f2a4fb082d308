"""Sound from files: any sample rate, any number of channels, in bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.errors import InputError

FloatArray = NDArray[np.float32]

# A file by its path, or all that is in one.
Source = str | Path | bytes

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
# Seconds of sound that are held at once.
BLOCK = 10.0
# A sample above this is at the edge of what the file can hold.
FULL = 0.999


@dataclass(frozen=True)
class AudioFormat:
    """What a file says of itself.

    Attributes:
        rate: samples a second of each channel.
        channels: how many.
        frames: samples of each channel.
    """

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.rate


def audio_format(source: Source) -> AudioFormat:
    """Rate, channels and length of an audio file.

    Raises:
        InputError: there is no such file, it is no audio, or it is cut off.
    """
    with _opened(source) as file:
        return AudioFormat(file.samplerate, file.channels, file.frames)


def read_audio(source: Source, rate: int) -> FloatArray:
    """A whole file as one channel, the mean of all, at a sample rate: −1 to 1, (samples,).

    Raises:
        InputError: there is no such file, it is no audio, or it is damaged.
    """
    return np.concatenate([*audio_blocks(source, rate), np.zeros(0, np.float32)])


def audio_blocks(source: Source, rate: int, seconds: float = BLOCK) -> Iterator[FloatArray]:
    """The same, some seconds of it at a time.

    Args:
        source: the file.
        rate: samples a second to give.
        seconds: of a block, roughly.

    Raises:
        InputError: as `read_audio`.
    """
    name = _name(source)
    with _opened(source) as file:
        resampler = Resampler(file.samplerate, rate)
        left = file.frames
        try:
            while left > 0:
                block = file.read(min(left, max(1, int(seconds * file.samplerate))), dtype="float32", always_2d=True)
                if not len(block):
                    raise InputError(
                        f"{name}: the sound ends {left / file.samplerate:.2f} s before the file says: fetch it again"
                    )
                left -= len(block)
                if not np.isfinite(block).all():
                    raise InputError(f"{name}: it holds samples that are no numbers; write the file again")
                yield resampler(block.mean(1), last=left <= 0)
        except RuntimeError as error:  # libsndfile's
            raise InputError(f"{name}: damaged, or not whole ({_reason(error)}): fetch it again") from None


class Resampler:
    """Brings the sample rate of one channel to another, chunk by chunk; the chunks make no difference.

    Args:
        source, target: samples a second.
    """

    def __init__(self, source: int, target: int) -> None:
        self._stream: Any = None
        if source != target:
            try:
                import soxr
            except ImportError:
                raise InputError("another sample rate needs soxr: pip install 'longshort[speech]'") from None

            self._stream = soxr.ResampleStream(source, target, 1, dtype="float32")

    def __call__(self, samples: FloatArray, last: bool = False) -> FloatArray:
        """What comes out after these samples; after the last ones all of the rest."""
        if self._stream is None:
            return samples
        found: FloatArray = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return found


def mixed(samples: Any) -> FloatArray:
    """Samples from an array, one channel: (N,), or (N, channels), floats from −1 to 1 or integers of their full range.

    Raises:
        InputError: it is of another shape or type, or holds something that is no number.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise InputError(
            f"sound is an array of numbers of shape (samples,) or (samples, channels), not {array.dtype} {array.shape}"
        )
    if array.dtype.kind in "iu":
        span = np.iinfo(array.dtype)
        array = (array.astype(np.float64) - (span.max + span.min + 1) / 2) / ((float(span.max) - span.min + 1) / 2)
    if not np.isfinite(array).all():
        raise InputError("the sound holds samples that are no numbers")
    array = array.astype(np.float32)
    return array if array.ndim == 1 else array.mean(1)


def is_silent(samples: FloatArray) -> bool:
    """Whether nothing is to be heard at all."""
    return not len(samples) or float(np.abs(samples).max()) < 1e-5


def is_clipped(samples: FloatArray) -> bool:
    """Whether one sample in a hundred or more is at the edge of what can be recorded."""
    return bool(len(samples)) and float((np.abs(samples) >= FULL).mean()) >= 0.01


def _name(source: Source) -> str:
    return "the sound" if isinstance(source, bytes) else str(source)


def _opened(source: Source) -> Any:
    soundfile, name = check_soundfile(), _name(source)
    if not isinstance(source, bytes):
        path = Path(source)
        if not path.exists():
            raise InputError(f"{path}: there is no such file; check the path")
        if path.is_dir():
            raise InputError(f"{path} is a folder; give an audio file")
        size, head = path.stat().st_size, _head(path)
    else:
        size, head = len(source), source[:12]
    if size == 0:
        raise InputError(f"{name}: the file is empty; fetch it again")
    _check_whole(name, head, size)
    try:
        return soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (RuntimeError, TypeError, OSError) as error:
        raise InputError(
            f"{name} cannot be read as audio ({_reason(error)}): give WAV, FLAC or OGG, whole and by its right name"
        ) from None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(12)


def check_soundfile() -> Any:
    """The library that reads audio; InputError where it is missing."""
    try:
        import soundfile
        import soxr  # noqa: F401
    except (ImportError, OSError):
        raise InputError("audio needs soundfile and soxr: pip install 'longshort[speech]'") from None
    return soundfile


def _check_whole(name: str, head: bytes, there: int) -> None:
    """Refuse a WAV file that is shorter than its header says: libsndfile reads it without a word."""
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        told = int.from_bytes(head[4:8], "little") + 8
        # What was written to a pipe has no length in its header.
        if there + 1 < told < 0xFFFFFFFF:
            raise InputError(
                f"{name}: cut off, {there:,} of {told:,} bytes are there: fetch it again, or save what is left anew"
            )


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "error_string", error))
    return " ".join(text.rpartition(": ")[2].split()).rstrip(".")
