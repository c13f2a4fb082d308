"""The core's kernels in PyTorch: autograd, and operators that torch.compile, torch.export and torch.func know.

`longshort::recurrence` runs a layer in one direction, `longshort::recurrence_backward` gives its gradients; a result
that there is not is empty. `tape` is what the core keeps for backward, bytes to everybody else. In plain eager mode
`Recurrence` does the same without the dispatcher, which takes longer than a small layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from longshort import _core
from longshort.ops import kernels, reference
from longshort.ops.kernels import Inputs
from longshort.ops.lengths import Lengths

Eight: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
Pullback: TypeAlias = tuple[tuple[Tensor, ...], Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]]


class Recurrence(torch.autograd.Function):
    """Arguments: cell, the eight of `Inputs`, lengths, reverse. Gives y, h_n and, where the cell has one, c_n."""

    @staticmethod
    def forward(ctx: Any, cell: str, *arguments: Any) -> tuple[Tensor, ...]:
        """Run the layer and keep its tape."""
        *tensors, lengths, reverse = arguments
        inputs = Inputs(*tensors)
        ctx.tape = _core.Tape(kernels.tape_bytes(cell, inputs))
        y, hn, cn = kernels.forward(cell, inputs, lengths, reverse, ctx.tape.address)
        ctx.layer = cell, lengths, reverse
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, y)
        return (y, hn) if cn is None else (y, hn, cn)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        """Gradients by the core, or where second derivatives may follow, by the reference."""
        *tensors, y = ctx.saved_tensors
        cell, lengths, reverse = ctx.layer
        upstream = (*upstream, None)[:3]
        if torch.is_grad_enabled():
            found: Sequence[Tensor | None] = _by_reference(upstream, cell, tensors, lengths, reverse)
        else:
            ask = ctx.needs_input_grad[1:4]
            found = kernels.backward(upstream, cell, Inputs(*tensors), lengths, reverse, y, ctx.tape.address, ask)
        return None, *found, None, None


def _by_reference(
    upstream: Sequence[Tensor | None],
    cell: str,
    tensors: Sequence[Tensor | None],
    lengths: Tensor | None,
    reverse: bool,
) -> list[Tensor | None]:
    """The same gradients, which themselves can be differentiated any number of times."""

    def outputs(*given: Tensor) -> tuple[Tensor, ...]:
        by_tensor = iter(given)
        x, h0, c0, *weights = cast(list[Tensor], [None if t is None else next(by_tensor) for t in tensors])
        state = None if h0 is None else (h0,) if c0 is None else (h0, c0)
        known = None if lengths is None else Lengths(lengths, steps=x.size(0), batch=x.size(1), device=x.device)
        y, final = reference.recurrence(cell, x, state, reference.Weights(*weights), lengths=known, reverse=reverse)
        return y, *final

    results, pull_back = cast(Pullback, torch.func.vjp(outputs, *(t for t in tensors if t is not None)))
    pairs = zip(results, upstream, strict=False)
    by_tensor = iter(pull_back(tuple(torch.zeros_like(r) if d is None else d for r, d in pairs)))
    return [None if t is None else next(by_tensor) for t in tensors]


# -- operators ---------------------------------------------------------------------------------------------------------


@torch.library.custom_op("longshort::recurrence", mutates_args=(), device_types="cpu")
def recurrence(
    cell: str,
    x: Tensor,
    h0: Tensor | None,
    c0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None,
    lengths: Tensor | None,
    reverse: bool,
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run a layer in one direction: y, h_n, c_n, and the tape (empty unless `train`)."""
    inputs = Inputs(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    tape = _tape(cell, inputs, train)
    y, hn, cn = kernels.forward(cell, inputs, lengths, reverse, tape.data_ptr() if train else 0)
    return y, hn, x.new_empty(0) if cn is None else cn, tape


@recurrence.register_fake
def _(cell: str, *arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *tensors, _lengths, _reverse, train = arguments
    inputs = Inputs(*tensors)
    x, output = inputs.x, inputs.w_hh.size(1)
    cn = x.new_empty(x.size(1), inputs.hidden) if cell in kernels.MEMORY else x.new_empty(0)
    return x.new_empty(x.size(0), x.size(1), output), x.new_empty(x.size(1), output), cn, _tape(cell, inputs, train)


def _tape(cell: str, inputs: Inputs, train: bool) -> Tensor:
    return torch.empty(kernels.tape_bytes(cell, inputs) if train else 0, dtype=torch.uint8)


@torch.library.custom_op("longshort::recurrence_backward", mutates_args=(), device_types="cpu")
def recurrence_backward(
    dy: Tensor | None,
    dhn: Tensor | None,
    dcn: Tensor | None,
    cell: str,
    x: Tensor,
    h0: Tensor | None,
    c0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None,
    lengths: Tensor | None,
    reverse: bool,
    y: Tensor,
    tape: Tensor,
    ask: Sequence[bool],
) -> Eight:
    """Gradients of the eight tensors of `Inputs` from those of y, h_n and c_n; `ask` as in `kernels.backward`."""
    inputs = Inputs(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    wish = (ask[0], ask[1], ask[2])
    found = kernels.backward((dy, dhn, dcn), cell, inputs, lengths, reverse, y, tape.data_ptr(), wish)
    return _filled(found, x)


@recurrence_backward.register_fake
def _(*arguments: Any) -> Eight:
    inputs, ask = Inputs(*arguments[4:12]), arguments[-1]
    wanted = zip(inputs, [*ask, True, True, True, True, True], strict=True)
    return _filled([kernels._like(t) if want else None for t, want in wanted], inputs.x)


def _filled(tensors: Sequence[Tensor | None], x: Tensor) -> Eight:
    """An operator gives tensors: an empty one stands for none."""
    return cast(Eight, tuple(x.new_empty(0) if t is None else t for t in tensors))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    cell, *tensors, lengths, reverse, _ = inputs
    y, _, _, tape = output
    ctx.cell, ctx.reverse = cell, reverse
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors, lengths, y, tape)


def _differentiate(
    ctx: Any, dy: Tensor | None, dhn: Tensor | None, dcn: Tensor | None, _: Any, by: Callable[..., Any] | None = None
) -> tuple[Any, ...]:
    *tensors, lengths, y, tape = ctx.saved_tensors
    ask = [t is not None and need for t, need in zip(tensors[:3], ctx.needs_input_grad[1:4], strict=True)]
    found = (by or recurrence_backward)(
        dy, dhn, dcn if ctx.cell in kernels.MEMORY else None, ctx.cell, *tensors, lengths, ctx.reverse, y, tape, ask
    )
    given = [*ask, *(t is not None for t in tensors[3:])]
    return None, *(d if there else None for d, there in zip(found, given, strict=True)), None, None, None


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    dy, dhn, dcn, cell, *tensors, lengths, reverse, _, _, _ = inputs
    ctx.cell, ctx.reverse = cell, reverse
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(dy, dhn, dcn, *tensors, lengths)


def _differentiate_backward(ctx: Any, *outer: Tensor | None) -> tuple[Any, ...]:
    """Second derivatives, by the reference."""
    *saved, lengths = ctx.saved_tensors

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        by_tensor = iter(given)
        tensors = [None if t is None else next(by_tensor) for t in saved]
        found = _by_reference(tensors[:3], ctx.cell, tensors[3:], lengths, ctx.reverse)
        return tuple(g for g in found if g is not None)

    gradients, pull_back = cast(Pullback, torch.func.vjp(first, *(t for t in saved if t is not None)))
    given = [d for d, t in zip(outer, saved[3:], strict=True) if t is not None]
    # What nobody asked for is empty in the operator's result: no gradient comes back through it.
    pairs = zip(gradients, given, strict=True)
    by_tensor = iter(pull_back(tuple(torch.zeros_like(g) if d is None or d.shape != g.shape else d for g, d in pairs)))
    found = [None if t is None else next(by_tensor) for t in saved]
    return *found[:3], None, *found[3:], None, None, None, None, None


recurrence.register_autograd(_differentiate, setup_context=_keep)
recurrence_backward.register_autograd(_differentiate_backward, setup_context=_keep_backward)


# -- torch.func --------------------------------------------------------------------------------------------------------


class Functional(torch.autograd.Function):
    """`recurrence` for the transforms of torch.func, which want autograd in this form."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        """Run the operator."""
        result: tuple[Tensor, ...] = recurrence(*arguments)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what backward needs."""
        _keep(ctx, inputs, output)
        ctx.mark_non_differentiable(output[3])

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> tuple[Any, ...]:
        """Differentiate by an operator that can be transformed again."""
        dy, dhn, dcn, _ = upstream
        return _differentiate(ctx, dy, dhn, dcn, None, by=FunctionalBackward.apply)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """A call per entry of the mapped dimension: the weights may differ."""
        return _mapped(Functional.apply, info.batch_size, in_dims, arguments)


class FunctionalBackward(torch.autograd.Function):
    """`recurrence_backward` likewise."""

    @staticmethod
    def forward(*arguments: Any) -> Eight:
        """Run the operator."""
        result: Eight = recurrence_backward(*arguments)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what backward needs."""
        _keep_backward(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> tuple[Any, ...]:
        """Second derivatives, by the reference."""
        return _differentiate_backward(ctx, *outer)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """A call per entry of the mapped dimension: the weights' gradients do differ."""
        return _mapped(FunctionalBackward.apply, info.batch_size, in_dims, arguments)


def _mapped(
    function: Callable[..., Any], entries: int, in_dims: tuple[int | None, ...], arguments: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    pairs = list(zip(arguments, in_dims, strict=True))
    results = [function(*(a.select(dim, k) if isinstance(dim, int) else a for a, dim in pairs)) for k in range(entries)]
    stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)
