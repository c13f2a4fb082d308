"""Small series and small networks that the tests of the tasks share."""

import numpy as np
import polars as pl
import pytest

# Trains in a fraction of a second; refit=False spares the second training.
TINY = {"hidden_size": 8, "steps": 10, "members": 1, "batch_size": 16, "refit": False}


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture(scope="session")
def weekly():
    """120 days of a noisy week."""
    days = np.arange(120)
    y = 10 + 3 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(0).normal(size=120)
    return pl.DataFrame({"ds": np.datetime64("2024-01-01") + days, "y": y})
