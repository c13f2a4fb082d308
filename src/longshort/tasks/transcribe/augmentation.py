"""The same recording as it might have been: faster, slower, from another throat, with parts of it hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# The widest mask of time, in frames and as a share of the recording; of bands as a share of them.
TIME, TIME_SHARE, BAND_SHARE = 20, 0.15, 0.2


@dataclass(frozen=True)
class Augmentation:
    """What is done to normalised features in training; see the settings of the same names.

    Attributes:
        least: frames that must be left of a recording.
    """

    stretch: float
    warp: float
    noise: float
    frequency_masks: int
    time_masks: int

    def __call__(self, features: FloatArray, least: int, rng: np.random.Generator) -> FloatArray:
        """A variant of features (T, C), of `least` frames or more."""
        x = features
        if self.stretch:
            x = stretched(x, max(least, round(len(x) * float(rng.uniform(1 - self.stretch, 1 + self.stretch)))))
        if self.warp:
            x = warped(x, float(rng.uniform(1 - self.warp, 1 + self.warp)))
        if self.noise:
            x = x + np.float32(self.noise) * rng.standard_normal(x.shape, np.float32)
        x = x.copy() if x is features else x
        frames, bands = x.shape
        for _ in range(self.frequency_masks):
            width = int(rng.integers(0, max(1, round(BAND_SHARE * bands)) + 1))
            begin = int(rng.integers(0, bands - width + 1))
            x[:, begin : begin + width] = 0  # the mean, as SpecAugment has it (Park et al. 2019, section 2)
        for _ in range(self.time_masks):
            width = int(rng.integers(0, min(TIME, int(TIME_SHARE * frames)) + 1))
            begin = int(rng.integers(0, frames - width + 1))
            x[begin : begin + width] = 0
        return x


def stretched(features: FloatArray, frames: int) -> FloatArray:
    """As many frames as asked for, between the given ones by straight lines."""
    count = len(features)
    if frames == count or not count:
        return features
    return _between(features, np.linspace(0, count - 1, frames), 0)


def warped(features: FloatArray, factor: float) -> FloatArray:
    """Bands moved up or down the mel scale by a factor, as with a shorter or longer vocal tract."""
    bands = features.shape[1]
    return _between(features, np.clip(np.arange(bands) * factor, 0, bands - 1), 1)


def _between(x: FloatArray, places: NDArray[np.float64], axis: int) -> FloatArray:
    low = np.minimum(places.astype(np.int64), x.shape[axis] - 1)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (places - low).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    found: FloatArray = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return found
