"""The loss of a large softmax: PyTorch's numbers and gradients, in every type, over several chunks of rows."""

import pytest
import torch
import torch.nn.functional as F

from longshort.errors import InputError
from longshort.nn import linear_cross_entropy
from longshort.nn._cross_entropy import ROWS


def problem(rows, classes=37, size=5, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    x, w, b = (torch.randn(shape, generator=g, dtype=dtype) for shape in ((rows, size), (classes, size), (classes,)))
    return [t.requires_grad_() for t in (x, w, b)], torch.randint(classes, (rows,), generator=g)


def with_gradients(loss, leaves):
    return [loss, *torch.autograd.grad(loss * 3, leaves)]


@pytest.mark.parametrize("rows", [1, ROWS, ROWS + 1, 3 * ROWS - 7])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_pytorchs_loss_and_gradients(rows, dtype, tolerance):
    (x, w, b), targets = problem(rows, dtype=dtype)
    ours = with_gradients(linear_cross_entropy(x, w, b, targets), (x, w, b))
    exact = [t.detach().double().requires_grad_() for t in (x, w, b)]
    theirs = with_gradients(F.cross_entropy(F.linear(*exact), targets), exact)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        assert (one - other).norm() <= tolerance * other.norm()


@pytest.mark.parametrize("rows", [1, ROWS + 3])
def test_smoothed_labels(rows):
    (x, w, b), targets = problem(rows)
    ours = with_gradients(linear_cross_entropy(x, w, b, targets, 0.1), (x, w, b))
    theirs = with_gradients(F.cross_entropy(F.linear(x, w, b), targets, label_smoothing=0.1), (x, w, b))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def test_gradcheck():
    leaves, targets = problem(6)
    assert torch.autograd.gradcheck(lambda *leaves: linear_cross_entropy(*leaves, targets), leaves)


def test_large_logits_do_not_overflow():
    (x, w, b), targets = problem(4, dtype=torch.float32)
    loss = linear_cross_entropy(x * 1e4, w, b, targets)
    torch.testing.assert_close(loss, F.cross_entropy(F.linear(x * 1e4, w, b), targets))


def test_under_autocast():
    (x, w, b), targets = problem(ROWS + 9, classes=500, size=64, dtype=torch.float32)
    x = x.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        ours = with_gradients(linear_cross_entropy(x, w / 8, b, targets), (x, w, b))
    exact = [x.detach().double().requires_grad_(), *(t.detach().double().requires_grad_() for t in (w, b))]
    theirs = with_gradients(F.cross_entropy(F.linear(exact[0], exact[1] / 8, exact[2]), targets), exact)
    assert [t.dtype for t in ours] == [torch.float32, torch.bfloat16, torch.float32, torch.float32]
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).norm() <= 1e-2 * other.norm()


def test_without_gradients_nothing_is_kept():
    (x, w, b), targets = problem(5)
    with torch.no_grad():
        loss = linear_cross_entropy(x, w, b, targets)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, F.cross_entropy(F.linear(x, w, b), targets))


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_shapes_that_do_not_fit(wrong):
    leaves, targets = problem(5)
    given = [*leaves, targets]
    given[wrong] = given[wrong][..., :-1]
    with pytest.raises(InputError, match=r"features \(N, E\), weight \(V, E\)"):
        linear_cross_entropy(*given)
