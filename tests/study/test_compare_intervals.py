"""Intervals against published t quantiles and SciPy's own; the search for a size against trying all."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from longshort.study.comparison.intervals import difference, interval
from longshort.study.comparison.matching import matching


def test_three_numbers_by_hand():
    """Mean 2, standard deviation 1, t of 2 degrees of freedom at 97.5 %: 4.303 (any table)."""
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2, 3)
    assert found.half == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_intervals_are_scipys(values):
    found = interval(values)
    if np.std(values) > 1e-9:
        low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_one_number_says_nothing_of_its_error():
    found = interval([5.0])
    assert (found.mean, found.half, found.clear) == (5, math.inf, False)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=6), st.integers(0, 99))
def test_differences_are_those_of_the_paired_test(ones, seed):
    others = np.random.default_rng(seed).normal(size=len(ones)).tolist()
    low, high = stats.ttest_rel(ones, others).confidence_interval(0.95)
    found = difference(ones, others)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)
    assert found.clear == (stats.ttest_rel(ones, others).pvalue < 0.05)


def test_intervals_hold_what_they_promise():
    """Of 95 % intervals of three normal numbers, 95 % hold the true mean."""
    rng = np.random.default_rng(0)
    held = [interval(rng.normal(3, 2, 3).tolist()) for _ in range(2_000)]
    share = np.mean([found.low <= 3 <= found.high for found in held])
    assert share == pytest.approx(0.95, abs=0.015)


@given(gates=st.integers(1, 4), inputs=st.integers(1, 40), wanted=st.integers(1, 60_000), begin=st.integers(1, 200))
def test_the_closest_size_is_found(gates, inputs, wanted, begin):
    def count(units):
        return gates * units * (units + inputs + 2) + units + 1

    best = min(range(1, 260), key=lambda units: abs(count(units) - wanted))
    units, weights = matching(count, wanted, begin)
    assert weights == count(units)
    assert abs(weights - wanted) == abs(count(best) - wanted)


def test_few_sizes_are_tried():
    """Each try reads the data once."""
    tried = []

    def count(units):
        tried.append(units)
        return 3 * units * (units + 66) + 3 * units

    assert matching(count, 73_000, 128)[0] == 126
    assert len(tried) < 12
