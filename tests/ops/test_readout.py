"""A linear layer with packed weights, beside PyTorch's in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longshort import _core, ops

SIZES = st.integers(1, 70)


def exact(x, weight, bias):
    return torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())


@pytest.mark.parametrize("backend", ops.BACKENDS)
@given(batch=st.integers(1, 40), inputs=SIZES, outputs=SIZES, biased=st.booleans(), double=st.booleans())
def test_the_numbers_of_a_linear_layer(backend, batch, inputs, outputs, biased, double):
    dtype = torch.float64 if double else torch.float32
    torch.manual_seed(batch + 41 * inputs)
    x, weight = torch.randn(batch, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
    bias = torch.randn(outputs, dtype=dtype) if biased else None
    with ops.use_backend(backend):
        y = ops.readout(weight, bias)(x)
    assert y.dtype is dtype
    tolerance = 1e-13 if double else 1e-5
    torch.testing.assert_close(y.double(), exact(x, weight, bias), rtol=0, atol=tolerance * max(1, inputs**0.5))


def test_the_parameters_are_those_it_began_with_and_nothing_is_recorded():
    weight, bias = torch.randn(5, 3, requires_grad=True), torch.zeros(5, requires_grad=True)
    for backend in ops.BACKENDS:
        with ops.use_backend(backend):
            readout = ops.readout(weight, bias)
        x = torch.randn(2, 3)
        before = readout(x)
        with torch.no_grad():
            weight.mul_(2)
        assert torch.equal(readout(x), before)
        assert not before.requires_grad
    strided = torch.randn(6, 10)[::2, ::2]
    assert torch.equal(
        ops.readout(strided, None)(x.new_ones(1, 5)), ops.readout(strided.clone(), None)(x.new_ones(1, 5))
    )
    transposed = torch.randn(5, 4).t()
    torch.testing.assert_close(
        ops.readout(weight, bias)(transposed[:, :3]), torch.nn.functional.linear(transposed[:, :3], weight, bias)
    )


def test_under_autocast_both_sides_are_rounded_and_sums_are_not():
    torch.manual_seed(0)
    x, weight, bias = torch.randn(3, 257), torch.randn(100, 257), torch.randn(100)
    with torch.autocast("cpu", torch.bfloat16):
        readout = ops.readout(weight, bias)
    y = readout(x)
    assert y.dtype is torch.float32
    rounds = _core.instruction_set() == "avx512_bf16"
    wanted = exact(x.bfloat16(), weight.bfloat16(), bias) if rounds else exact(x, weight, bias)
    torch.testing.assert_close(y.double(), wanted, rtol=0, atol=1e-4)
    if rounds:
        assert (wanted - exact(x, weight, bias)).abs().max() > 1e-2
