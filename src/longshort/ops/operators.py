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
from longshort.ops.kernels import DIFFERENTIABLE, Inputs, Layer
from longshort.ops.lengths import Lengths

Results: TypeAlias = tuple[Tensor, ...]
Pullback: TypeAlias = tuple[tuple[Tensor, ...], Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]]


class Recurrence(torch.autograd.Function):
    """Takes the fields of `Layer`, `Inputs` spread out. Gives y, h_n and, where the cell has one, c_n."""

    @staticmethod
    def forward(ctx: Any, cell: str, *arguments: Any) -> tuple[Tensor, ...]:
        """Run the layer and keep its tape."""
        layer = layer_of(cell, *arguments)
        ctx.tape = _core.Tape(kernels.tape_bytes(layer))
        y, hn, cn = kernels.forward(layer, ctx.tape.address)
        ctx.layer = cell, *arguments[len(layer.inputs) :]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*layer.inputs, y)
        return (y, hn) if cn is None else (y, hn, cn)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        """Gradients by the core, or where second derivatives may follow, by the reference."""
        *tensors, y = ctx.saved_tensors
        cell, *rest = ctx.layer
        layer = layer_of(cell, *tensors, *rest)
        upstream = (*upstream, None)[:3]
        if torch.is_grad_enabled():
            found = _by_reference(upstream, layer)
        else:
            found = kernels.backward(upstream, layer, y, ctx.tape.address, ctx.needs_input_grad[1:4])
        return None, *found, *[None] * (len(ctx.needs_input_grad) - 1 - len(found))


def layer_of(cell: str, *arguments: Any) -> Layer:
    """From the cell and the arguments that follow it in an operator's schema."""
    end = len(Inputs._fields)
    return Layer(cell, Inputs(*arguments[:end]), *arguments[end : end + 4])


def _by_reference(upstream: Sequence[Tensor | None], layer: Layer) -> list[Tensor | None]:
    """The same gradients, which themselves can be differentiated any number of times."""
    cell, inputs, lengths, reverse, _, _ = layer
    tensors, masks = inputs[:DIFFERENTIABLE], reference.Masks(*inputs[DIFFERENTIABLE:])

    def outputs(*given: Tensor) -> tuple[Tensor, ...]:
        by_tensor = iter(given)
        x, h0, c0, *weights = cast(list[Tensor], [None if t is None else next(by_tensor) for t in tensors])
        state = None if h0 is None else (h0,) if c0 is None else (h0, c0)
        known = None if lengths is None else Lengths(lengths, steps=x.size(0), batch=x.size(1), device=x.device)
        y, final = reference.recurrence(
            cell, x, state, reference.Weights(*weights), lengths=known, reverse=reverse, masks=masks
        )
        return y, *final

    results, pull_back = cast(Pullback, torch.func.vjp(outputs, *(t for t in tensors if t is not None)))
    pairs = zip(results, upstream, strict=False)
    by_tensor = iter(pull_back(tuple(torch.zeros_like(r) if d is None else d for r, d in pairs)))
    return [None if t is None else next(by_tensor) for t in tensors]


# -- operators ---------------------------------------------------------------------------------------------------------

_NEEDED = ("x", "w_ih", "w_hh")
_INPUTS = ", ".join(f"Tensor {name}" if name in _NEEDED else f"Tensor? {name}" for name in Inputs._fields)
_LAYER = f"str cell, {_INPUTS}, Tensor? lengths, bool reverse, int checkpoint, bool rounds"
_GRADIENTS = ", ".join(["Tensor"] * DIFFERENTIABLE)


@torch.library.custom_op(
    "longshort::recurrence",
    mutates_args=(),
    device_types="cpu",
    schema=f"({_LAYER}, bool train) -> (Tensor, Tensor, Tensor, Tensor)",
)
def recurrence(cell: str, *arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run a layer in one direction: y, h_n, c_n, and the tape (empty unless `train`)."""
    layer, train = layer_of(cell, *arguments), arguments[-1]
    tape = _tape(layer, train)
    y, hn, cn = kernels.forward(layer, tape.data_ptr() if train else 0)
    return y, hn, y.new_empty(0) if cn is None else cn, tape


@recurrence.register_fake
def _(cell: str, *arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    layer = layer_of(cell, *arguments)
    x, hidden, output = layer.inputs.x, layer.inputs.hidden, layer.inputs.w_hh.size(1)
    cn = x.new_empty(x.size(1), hidden) if cell in kernels.MEMORY else x.new_empty(0)
    tape = _tape(layer, arguments[-1])
    return x.new_empty(x.size(0), x.size(1), output), x.new_empty(x.size(1), output), cn, tape


def _tape(layer: Layer, train: bool) -> Tensor:
    """Whole headers, so that tapes that vmap stacks are as aligned as one alone."""
    headers = -(-kernels.tape_bytes(layer) // _core.TAPE_HEADER) if train else 0
    return torch.empty(headers * _core.TAPE_HEADER, dtype=torch.uint8)


@torch.library.custom_op(
    "longshort::recurrence_backward",
    mutates_args=(),
    device_types="cpu",
    schema=f"(Tensor? dy, Tensor? dhn, Tensor? dcn, {_LAYER}, Tensor y, Tensor tape, bool[] ask) -> ({_GRADIENTS})",
)
def recurrence_backward(
    dy: Tensor | None, dhn: Tensor | None, dcn: Tensor | None, cell: str, *arguments: Any
) -> Results:
    """Gradients of x, h0, c0 and the weights from those of y, h_n and c_n; `ask` as in `kernels.backward`."""
    layer = layer_of(cell, *arguments)
    y, tape, (x, h0, c0) = arguments[-3:]
    found = kernels.backward((dy, dhn, dcn), layer, y, tape.data_ptr(), (x, h0, c0))
    return _filled(found, layer.inputs.x)


@recurrence_backward.register_fake
def _(dy: Tensor | None, dhn: Tensor | None, dcn: Tensor | None, cell: str, *arguments: Any) -> Results:
    inputs = layer_of(cell, *arguments).inputs
    states = [t if want else None for t, want in zip(inputs.states, arguments[-1], strict=True)]
    return _filled([kernels._like(t) for t in (*states, *inputs.weights)], inputs.x)


def _filled(tensors: Sequence[Tensor | None], x: Tensor) -> Results:
    """An operator gives tensors: an empty one stands for none."""
    return tuple(x.new_empty(0) if t is None else t for t in tensors)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    layer = layer_of(*inputs)
    y, _, _, tape = output
    ctx.rest = layer[3:]
    ctx.cell, ctx.arguments = layer.cell, len(inputs)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*layer.inputs, layer.lengths, y, tape)


def _differentiate(
    ctx: Any, dy: Tensor | None, dhn: Tensor | None, dcn: Tensor | None, _: Any, by: Callable[..., Any] | None = None
) -> tuple[Any, ...]:
    *tensors, lengths, y, tape = ctx.saved_tensors
    inputs = Inputs(*tensors)
    ask = [t is not None and need for t, need in zip(inputs.states, ctx.needs_input_grad[1:4], strict=True)]
    found = (by or recurrence_backward)(
        dy, dhn, dcn if ctx.cell in kernels.MEMORY else None, ctx.cell, *inputs, lengths, *ctx.rest, y, tape, ask
    )
    given = [*ask, *(t is not None for t in inputs.weights)]
    gradients = [d if there else None for d, there in zip(found, given, strict=True)]
    return None, *gradients, *[None] * (ctx.arguments - 1 - len(gradients))


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *upstream, cell = inputs[:4]
    layer = layer_of(cell, *inputs[4:])
    ctx.rest = layer[3:]
    ctx.cell, ctx.arguments = cell, len(inputs)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*upstream, *layer.inputs, layer.lengths)


def _differentiate_backward(ctx: Any, *outer: Tensor | None) -> tuple[Any, ...]:
    """Second derivatives, by the reference."""
    *saved, lengths = ctx.saved_tensors
    saved, masks = saved[: 3 + DIFFERENTIABLE], saved[3 + DIFFERENTIABLE :]

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        by_tensor = iter(given)
        tensors = [None if t is None else next(by_tensor) for t in saved]
        found = _by_reference(tensors[:3], layer_of(ctx.cell, *tensors[3:], *masks, lengths, *ctx.rest))
        return tuple(g for g in found if g is not None)

    gradients, pull_back = cast(Pullback, torch.func.vjp(first, *(t for t in saved if t is not None)))
    given = [d for d, t in zip(outer, saved[3:], strict=True) if t is not None]
    # What nobody asked for is empty in the operator's result: no gradient comes back through it.
    pairs = zip(gradients, given, strict=True)
    by_tensor = iter(pull_back(tuple(torch.zeros_like(g) if d is None or d.shape != g.shape else d for g, d in pairs)))
    found = [None if t is None else next(by_tensor) for t in saved]
    return *found[:3], None, *found[3:], *[None] * (ctx.arguments - 1 - len(found))


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
    def forward(*arguments: Any) -> Results:
        """Run the operator."""
        result: Results = recurrence_backward(*arguments)
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
