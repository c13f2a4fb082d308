"""longshort's own kernels, in C++ for CPUs: the fastest backend where it can be used; PyTorch's where it cannot.

It computes in float32, float64 and bfloat16, for any number of steps and threads; the instruction set is chosen when
the program runs (the variable LONGSHORT_ISA asks for a lower one).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from longshort.ops import aten
from longshort.ops.lengths import Lengths
from longshort.ops.reference import CELLS, NO_MASKS, Masks, State, Weights

try:
    from longshort.ops import kernels, operators
    from longshort.ops.readout import Readout
    from longshort.ops.steps import Steps
    from longshort.ops.threads import borrow_threads

    borrow_threads()
except ImportError as error:  # installed without a compiler
    if "_core" not in str(error):
        raise
    operators = None  # type: ignore[assignment]
    warnings.warn(
        "longshort was installed without its compiled core, so its layers run on PyTorch's kernels: "
        "install a C++ compiler and then longshort once more to have it",
        RuntimeWarning,
        stacklevel=2,
    )


def step(cell: str, x: Tensor, state: State | None, weights: Weights, *, masks: Masks = NO_MASKS) -> State:
    """One step. x (B, I), zones (B, ·); takes and gives the state."""
    zones = (None if zone is None else zone.unsqueeze(0) for zone in masks[1:])
    return recurrence(cell, x.unsqueeze(0), state, weights, masks=Masks(masks.hidden, *zones))[1]


def recurrence(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Lengths | None = None,
    reverse: bool = False,
    masks: Masks = NO_MASKS,
    checkpoint: int = 0,
) -> tuple[Tensor, State]:
    """All steps. x (T, B, I); gives the output (T, B, R), 0 at padded steps, and the final state."""
    if operators is None or not _can(cell, x, state, weights):
        return aten.recurrence(cell, x, state, weights, lengths=lengths, reverse=reverse, masks=masks)
    h0, c0 = (*(state or ()), None, None)[:2]
    tensors: Sequence[Tensor | None] = (x, h0, c0, *weights)
    rounds = _rounds(x)
    if rounds:  # only products are taken of rounded numbers: what is summed, and the cell state, are float32
        tensors, masks = list(map(_float, tensors)), Masks(*map(_float, masks))
    known = None if lengths is None else lengths.values
    train = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    arguments = (*tensors, *masks, known, reverse, checkpoint, rounds)
    if not _plain(tensors):
        transformed = not torch.compiler.is_compiling() and _transformed()
        operator = operators.Functional.apply if transformed else operators.recurrence
        results = operator(cell, *arguments, train or transformed)[:3]  # type: ignore[no-untyped-call]
    elif train:
        results = operators.Recurrence.apply(cell, *arguments)  # type: ignore[no-untyped-call]
    else:
        results = kernels.forward(operators.layer_of(cell, *arguments))
    y, *final = results[: 1 + len(CELLS[cell].state)]
    # Under autocast the parameters' type is that of the state, which goes from call to call.
    kept = weights.weight_ih.dtype
    return y.bfloat16() if rounds else y, tuple(part.to(kept) for part in final)


def _rounds(x: Tensor) -> bool:
    """Whether products are those of bfloat16: of such numbers, or under autocast."""
    return x.dtype is torch.bfloat16 or torch.is_autocast_enabled("cpu")


def _float(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.float()


def steps(
    cell: str, layers: Sequence[Weights], batch: int, states: Sequence[State | None], zoneout: tuple[float, float]
) -> Steps | None:
    """Layers that run one step at a time and keep their state in the core; None where the core cannot."""
    x = layers[0].weight_ih
    able = operators is not None and all(
        _can(cell, x.unsqueeze(0), state, weights) for weights, state in zip(layers, states, strict=True)
    )
    return Steps(cell, layers, batch, states, zoneout, rounds=_rounds(x)) if able else None


def readout(weight: Tensor, bias: Tensor | None) -> Readout | None:
    """A linear layer for a few rows at a time; None where the core has none."""
    able = operators is not None and weight.is_cpu and weight.dtype in kernels.DTYPES
    return Readout(weight, bias, rounds=_rounds(weight)) if able else None


def _can(cell: str, x: Tensor, state: State | None, weights: Weights) -> bool:
    mixed = torch.is_autocast_enabled("cpu")
    if mixed and torch.get_autocast_dtype("cpu") is not torch.bfloat16:
        return False
    types = {torch.float32, torch.bfloat16} if mixed else {x.dtype}
    return (
        cell in kernels.CELLS
        and (x.dtype in kernels.DTYPES or x.dtype is torch.bfloat16)
        and x.is_cpu
        and x.size(1) > 0
        and all(t is None or (t.dtype in types and t.is_cpu) for t in (x, *(state or ()), *weights))
    )


def _plain(tensors: Sequence[Tensor | None]) -> bool:
    """Whether these are tensors with memory, and nothing but the computation is wanted of them."""
    return (
        not torch.compiler.is_compiling()
        and not _transformed()
        and torch._C._len_torch_dispatch_stack() == 0
        and all(t is None or type(t) in (Tensor, torch.nn.Parameter) for t in tensors)
    )


def _transformed() -> bool:
    """Whether a transform of torch.func is at work."""
    return torch._C._functorch.peek_interpreter_stack() is not None
