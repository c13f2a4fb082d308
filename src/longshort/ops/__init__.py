"""The recurrence as a function: which backend computes it, and the check of what it is given.

A backend is a module with the two functions of `Backend` and one entry in `BACKENDS`; a new cell is an entry in
`reference.CELLS`, and one in each backend that can compute it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from longshort.errors import InputError
from longshort.ops import aten, core, reference
from longshort.ops.lengths import Lengths
from longshort.ops.reference import (
    CELLS,
    NO_MASKS,
    Cell,
    GRUTrace,
    LSTMTrace,
    Masks,
    RNNTrace,
    State,
    Trace,
    Weights,
)

if TYPE_CHECKING:
    from longshort.ops.steps import Steps

__all__ = [
    "BACKENDS",
    "CELLS",
    "NO_MASKS",
    "Backend",
    "Cell",
    "GRUTrace",
    "LSTMTrace",
    "Lengths",
    "Masks",
    "RNNTrace",
    "State",
    "Trace",
    "Weights",
    "readout",
    "recurrence",
    "step",
    "steps",
    "trace",
    "use_backend",
]


class Backend(Protocol):
    """What computes the recurrence. Arguments arrive checked; None stands for no padding and for a state of zeros."""

    def step(self, cell: str, x: Tensor, state: State | None, weights: Weights, *, masks: Masks) -> State:
        """One step. x (B, I), zones (B, ·); takes and gives the state."""

    def recurrence(
        self,
        cell: str,
        x: Tensor,
        state: State | None,
        weights: Weights,
        *,
        lengths: Lengths | None,
        reverse: bool,
        masks: Masks,
        checkpoint: int,
    ) -> tuple[Tensor, State]:
        """All steps. x (T, B, I); gives the output (T, B, R), 0 at padded steps, and the final state."""


BACKENDS: dict[str, Backend] = {"core": core, "aten": aten, "reference": reference}
_DEFAULT = "core"
_VARIABLE = "LONGSHORT_BACKEND"
_chosen: ContextVar[str | None] = ContextVar("longshort_backend", default=None)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute with the backend `name` inside a `with` block; it goes before the variable LONGSHORT_BACKEND."""
    _backend(name)
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def recurrence(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Tensor | Sequence[int] | Lengths | None = None,
    reverse: bool = False,
    masks: Masks = NO_MASKS,
    checkpoint: int = 0,
    backend: str | None = None,
) -> tuple[Tensor, State]:
    """Run a cell over a batch of sequences.

    Args:
        cell: a name in `CELLS`.
        x: the input, (T, B, I).
        state: what the first step starts from, h (B, R) first, then c (B, H) for the LSTM; None for zeros.
        weights: the parameters of this layer and direction.
        lengths: number of valid steps of each sequence, (B,), or None if all have T. What stands behind them
            changes no result, no gradient and no final state.
        reverse: from each sequence's last valid step to its first.
        masks: recurrent dropout and zoneout.
        checkpoint: keep the state at every so many steps only, and let backward compute the steps between once more;
            0 to keep what every step leaves. Saves memory in long sequences, where the backend can.
        backend: a name in `BACKENDS`; else that of `use_backend`, else that of LONGSHORT_BACKEND, else "core".

    Returns:
        The output, (T, B, R), 0 at padded steps, and the state after the last step that was computed.

    Raises:
        InputError: unknown cell or backend, or lengths that do not fit.
    """
    chosen = _backend(backend)
    _known(cell)
    known = _padding(x, lengths)
    return chosen.recurrence(
        cell, x, state, weights, lengths=known, reverse=reverse, masks=masks, checkpoint=checkpoint
    )


def step(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    masks: Masks = NO_MASKS,
    backend: str | None = None,
) -> State:
    """Run a cell for one step: x (B, I), zones (B, ·), the rest as for `recurrence`; gives the new state."""
    _known(cell)
    return _backend(backend).step(cell, x, state, weights, masks=masks)


def steps(
    cell: str, layers: Sequence[Weights], batch: int, states: Sequence[State | None], zoneout: tuple[float, float]
) -> Steps | None:
    """Layers that keep their state in the core from step to step, or None where the core cannot or is not wanted."""
    _known(cell)
    return core.steps(cell, layers, batch, states, zoneout) if _backend(None) is core else None


def readout(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """A linear layer for the outputs of `steps`, without gradients, x (B, I) → (B, O) of the weight's type.

    A copy of the parameters is made now, (O, I) and (O,), in which a product with few rows is fast; under autocast to
    bfloat16 it may round its two sides.
    """
    fast = core.readout(weight, bias) if _backend(None) is core else None
    own, shift = weight.detach().clone(), None if bias is None else bias.detach().clone()
    return fast or (lambda x: torch.nn.functional.linear(x.to(own.dtype), own, shift))


def trace(
    cell: str,
    x: Tensor,
    state: State | None,
    weights: Weights,
    *,
    lengths: Tensor | Sequence[int] | Lengths | None = None,
    reverse: bool = False,
    masks: Masks = NO_MASKS,
    checkpoint: int = 0,
) -> tuple[Trace, State]:
    """Like `recurrence`, but gives every gate and state of each step, (T, B, ·), and keeps all; by the reference."""
    _known(cell)
    known = _padding(x, lengths)
    return reference.trace(cell, x, state, weights, lengths=known, reverse=reverse, masks=masks)


def _configured() -> str:
    return _chosen.get() or os.environ.get(_VARIABLE) or _DEFAULT


# torch.compile cannot follow a ContextVar: it takes the backend that is configured when it compiles. This is what
# torch.compiler.assume_constant_result sets, without the seconds that it takes to load the compiler.
_configured._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _backend(name: str | None) -> Backend:
    name = name or _configured()
    if name not in BACKENDS:
        raise InputError(f"there is no backend {name!r}; those that exist are {', '.join(sorted(BACKENDS))}")
    return BACKENDS[name]


def _padding(x: Tensor, lengths: Tensor | Sequence[int] | Lengths | None) -> Lengths | None:
    """The checked lengths of x (T, B, I), or None if no step is padded."""
    if lengths is None:
        return None
    if not isinstance(lengths, Lengths):
        lengths = Lengths(lengths, steps=x.size(0), batch=x.size(1), device=x.device)
    return None if lengths.full else lengths


def _known(cell: str) -> None:
    if cell not in CELLS:
        raise InputError(f"there is no cell {cell!r}; those that exist are {', '.join(sorted(CELLS))}")
