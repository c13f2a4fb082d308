"""Which windows of a series are forecast to see how good the forecasts are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Backtest:
    """Windows at the end of every series, evaluated with a rolling origin.

    Attributes:
        horizon: steps of one window.
        windows: how many windows.
        step_size: steps from one origin to the next.
    """

    horizon: int
    windows: int = 1
    step_size: int = 1

    @property
    def test_size(self) -> int:
        """Steps at the end of a series that lie in some window."""
        return self.horizon + (self.windows - 1) * self.step_size

    def origins(self, length: int) -> NDArray[np.int64]:
        """Steps that come before each window of a series of `length` steps, shape (windows,)."""
        return length - self.test_size + self.step_size * np.arange(self.windows, dtype=np.int64)
