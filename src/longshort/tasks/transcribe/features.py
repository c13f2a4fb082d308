"""Log-mel features: what the ear would tell of a sound, a hundred times a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Seconds of a frame, and from one to the next.
WINDOW, HOP = 0.025, 0.010
# The lowest frequency that is looked at, in Hz: below are hum and steps.
LOWEST = 50.0
# Energy that counts as silence: a tenth of a step of 16 bits, summed over a frame.
FLOOR = 1e-8
# Frames that are computed at once.
FRAMES = 4096


def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch as it is heard: mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987; as in HTK)."""
    found: NDArray[np.float64] = 2595.0 * np.log10(1.0 + hertz / 700.0)
    return found


def mel_filters(rate: int, size: int, mels: int, lowest: float = LOWEST) -> NDArray[np.float64]:
    """Triangles, evenly spaced in mel, each from its neighbours' middles with height 1, (mels, size // 2 + 1).

    Args:
        rate: samples a second.
        size: of the Fourier transform.
        mels: how many.
        lowest: where the first one begins, in Hz; the last one ends at half the rate.
    """
    low, high = mel(np.array([lowest, rate / 2])).tolist()
    edges = np.linspace(low, high, mels + 2)
    bins = mel(np.arange(size // 2 + 1) * rate / size)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    found: NDArray[np.float64] = np.maximum(0.0, np.minimum(up, down))
    return found


class LogMel:
    """Natural logarithms of the energy in mel bands, of frames of 25 ms, every 10 ms.

    A frame is there as soon as its last sample is: nothing is padded, so that a stream gives the same frames.

    Args:
        rate: samples a second.
        mels: bands.
    """

    def __init__(self, rate: int, mels: int) -> None:
        self.rate, self.mels = rate, mels
        self.window, self.hop = round(WINDOW * rate), round(HOP * rate)
        self.size = 1 << (self.window - 1).bit_length()
        self._taper = np.hanning(self.window + 1)[:-1].astype(np.float32)
        self._filters = np.ascontiguousarray(mel_filters(rate, self.size, mels).T, np.float32)

    def count(self, samples: int) -> int:
        """Frames of so many samples."""
        return max(0, (samples - self.window) // self.hop + 1)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Of samples (N,) all frames that lie in them, (count(N), mels)."""
        frames = self.count(len(samples))
        found = np.empty((frames, self.mels), np.float32)
        sound = np.asarray(samples, np.float32)
        for begin in range(0, frames, FRAMES):
            end = min(begin + FRAMES, frames)
            part = sound[begin * self.hop : (end - 1) * self.hop + self.window]
            found[begin:end] = self._frames(part)
        return found

    def _frames(self, sound: FloatArray) -> FloatArray:
        windows = np.lib.stride_tricks.sliding_window_view(sound, self.window)[:: self.hop]
        spectrum = np.fft.rfft(windows * self._taper, n=self.size)
        energy = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32)
        found: FloatArray = np.log(np.maximum(energy @ self._filters, np.float32(FLOOR)))
        return found


class FeatureStream:
    """The frames of a sound that comes in chunks: those of `LogMel` on all of it."""

    def __init__(self, features: LogMel) -> None:
        self.features = features
        self._kept = np.zeros(0, np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """The frames that these samples complete, (T, mels)."""
        self._kept = np.concatenate((self._kept, samples))
        found = self.features(self._kept)
        self._kept = self._kept[len(found) * self.features.hop :]
        return found
