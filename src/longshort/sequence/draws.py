"""Random numbers as PyTorch draws them from the same seed, without it: the Mersenne Twister, by its rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Draws:
    """Draws of one seed, one after the other.

    Args:
        seed: as `torch.Generator.manual_seed` takes it; None for other draws every time.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = np.random.RandomState(None if seed is None else seed & 0xFFFFFFFF)

    def even(self, *shape: int) -> NDArray[np.float64]:
        """Even draws from 0 to 1, as `torch.rand` gives them in float64: of 64 random bits the last 53."""
        bits = self._random.randint(2**32, size=(*shape, 2), dtype=np.uint32).astype(np.uint64)
        whole = (bits[..., 0] << np.uint64(32)) | bits[..., 1]
        drawn: NDArray[np.float64] = (whole & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
        return drawn

    def even_single(self, *shape: int) -> NDArray[np.float32]:
        """The same in float32: of 32 random bits the last 24."""
        bits = self._random.randint(2**32, size=shape, dtype=np.uint32)
        drawn: NDArray[np.float32] = (bits & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)
        return drawn

    def below(self, limit: int, count: int) -> NDArray[np.int64]:
        """Whole numbers from 0 to below a limit of at most 2²⁷, (count,), as `torch.randint` gives them."""
        bits = self._random.randint(2**32, size=count, dtype=np.uint32)
        drawn: NDArray[np.int64] = bits.astype(np.int64) % limit
        return drawn
