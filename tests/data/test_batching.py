"""Batches by length: every example once an epoch, and little padding whatever the lengths are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.data.batching import SPREAD, batches_by_budget, batches_by_length

lengths = st.lists(st.integers(1, 400), min_size=1, max_size=300)


@given(lengths, st.integers(1, 40), st.integers(0, 9))
def test_every_example_once_and_little_padding(lengths, size, seed):
    batches = batches_by_length(lengths, size, seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert [len(batch) for batch in batches].count(size) >= len(lengths) // size
    assert max(map(len, batches)) <= size
    length = np.array(lengths)
    padded = sum(len(batch) * length[batch].max() for batch in batches)
    assert padded <= (1 + SPREAD) * (length.sum() + 2 * size * length.max()) + len(length) + 2 * size


def test_less_than_an_eighth_is_padding_where_a_random_order_has_half():
    length = np.random.default_rng(0).geometric(1 / 20, 5_000)
    padded = sum(len(batch) * length[batch].max() for batch in batches_by_length(length, 64, 0))
    shuffled = np.random.default_rng(1).permutation(5_000)
    random = sum(len(part) * length[part].max() for part in np.array_split(shuffled, 79))
    assert length.sum() / padded > 7 / 8
    assert length.sum() / random < 1 / 2


def test_seeds_decide_and_epochs_differ():
    length = np.random.default_rng(0).integers(1, 50, 200)

    def batches(seed):
        return [batch.tolist() for batch in batches_by_length(length, 16, seed)]

    assert batches([3, 0]) == batches([3, 0])
    one, two = batches([3, 0]), batches([3, 1])
    assert one != two
    assert {frozenset(batch) for batch in one} != {frozenset(batch) for batch in two}


def test_without_spread_only_ties_are_shuffled():
    for batch in batches_by_length([5, 1, 3, 2, 4, 6], 2, 0, spread=0):
        assert sorted(batch.tolist()) in ([1, 3], [2, 4], [0, 5])


@pytest.mark.parametrize("size", [1, 7])
def test_nothing_and_one(size):
    assert batches_by_length([], size, 0) == []
    assert [batch.tolist() for batch in batches_by_length([9], size, 0)] == [[0]]


@given(st.lists(st.integers(0, 60), max_size=80), st.integers(1, 100), st.integers(0, 3))
def test_a_budget_is_kept(lengths, budget, seed):
    batches = batches_by_budget(lengths, budget, seed)
    assert sorted(k for batch in batches for k in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[k] for k in batch) <= budget or len(batch) == 1
    again = batches_by_budget(lengths, budget, seed)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_batches_are_filled():
    batches = batches_by_budget([5] * 100, 50, 0)
    assert [len(batch) for batch in batches] == [10] * 10
