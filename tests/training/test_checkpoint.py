"""Checkpoints as safetensors: whatever goes in comes out, and nothing is pickled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from longshort.errors import InputError
from longshort.training.checkpoint import SafetensorsIO

DTYPES = (torch.float32, torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.uint8)
tensors = st.builds(
    lambda dtype, shape, seed: torch.from_numpy(np.random.default_rng(seed).integers(0, 2, shape)).to(dtype),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(0, 9),
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | tensors
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one, two):
    """Equal in value and in kind, NaN equal to NaN, -0.0 different from 0.0."""
    assert type(one) is type(two)
    if isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype
        assert one.shape == two.shape
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            same(one[key], two[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            same(a, b)
    else:
        assert repr(one) == repr(two)


@given(tree=st.dictionaries(st.text(max_size=4), trees, max_size=4))
def test_what_goes_in_comes_out(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("checkpoint") / "deep" / "last.safetensors"
    SafetensorsIO().save_checkpoint(tree, path)
    same(SafetensorsIO().load_checkpoint(path), tree)
    with safe_open(path, framework="np") as file:  # a safetensors file for others too
        assert set(file.metadata()) == {"tree"}


def test_views_and_shared_tensors(tmp_path):
    base = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    tree = {"turned": base.T, "column": base[:, 1], "again": base}
    SafetensorsIO().save_checkpoint(tree, tmp_path / "a.safetensors")
    read = SafetensorsIO().load_checkpoint(tmp_path / "a.safetensors")
    for name, value in tree.items():
        assert torch.equal(read[name], value)
        assert not read[name].requires_grad


@pytest.mark.parametrize("value", [np.float32(1), object(), {1, 2}, b"bytes", 1j])
def test_what_cannot_be_read_back_is_refused(tmp_path, value):
    with pytest.raises(TypeError, match="a checkpoint cannot hold a"):
        SafetensorsIO().save_checkpoint({"value": [value]}, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "emptied", "foreign", "missing"])
def test_a_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "last.safetensors"
    SafetensorsIO().save_checkpoint({"weight": torch.zeros(9)}, path)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-5], "emptied": b"", "foreign": b"PK\x03\x04" * 20, "missing": b""}[damage])
    if damage == "missing":
        path.unlink()
    with pytest.raises(InputError, match="is damaged: start again with --overwrite") as caught:
        SafetensorsIO().load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_removal(tmp_path):
    path = tmp_path / "a.safetensors"
    SafetensorsIO().save_checkpoint({}, path)
    for _ in range(2):
        SafetensorsIO().remove_checkpoint(path)
    assert not path.exists()
