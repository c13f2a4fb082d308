"""PyTorch's own kernels, one layer and one direction at a time, under the reference's signature.

What PyTorch does not have, the variants of the LSTM, recurrent dropout and zoneout, the reference computes. A batch
without padding takes the dense kernels, one with padding the packed kernels, of which PyTorch asks sequences
sorted by length; that happens here, so that no caller has to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import _VF, Tensor

from longshort.ops import reference
from longshort.ops.lengths import Lengths
from longshort.ops.reference import NO_MASKS, Masks, State, Weights, initial_state


class Kernels(NamedTuple):
    """PyTorch's functions for one cell: a whole sequence (dense or packed, by overload), and a single step."""

    sequence: Callable[..., Any]
    step: Callable[..., Any]


KERNELS = {
    "lstm": Kernels(_VF.lstm, _VF.lstm_cell),
    "gru": Kernels(_VF.gru, _VF.gru_cell),
    "rnn_tanh": Kernels(_VF.rnn_tanh, _VF.rnn_tanh_cell),
    "rnn_relu": Kernels(_VF.rnn_relu, _VF.rnn_relu_cell),
}


def step(cell: str, x: Tensor, state: State | None, weights: Weights, *, masks: Masks = NO_MASKS) -> State:
    """One step. x (B, I), zones (B, ·); takes and gives the state."""
    if not _can(cell, masks):
        return reference.step(cell, x, state, weights, masks=masks)
    if weights.weight_hr is not None:  # the single-step kernel has no projection
        return recurrence(cell, x.unsqueeze(0), state, weights)[1]
    state = state or initial_state(cell, x, weights)
    new = KERNELS[cell].step(x, state if len(state) > 1 else state[0], *weights[:4])
    return new if isinstance(new, tuple) else (new,)


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
    if not _can(cell, masks):
        return reference.recurrence(cell, x, state, weights, lengths=lengths, reverse=reverse, masks=masks)
    state = state or initial_state(cell, x, weights)
    if lengths is None:
        y, state = _kernel(cell, (x.flip(0) if reverse else x,), state, weights)
        return y.flip(0) if reverse else y, state
    rows = lengths.packed(reverse)
    data, state = _kernel(
        cell,
        (x.flatten(0, 1).index_select(0, rows), lengths.batch_sizes),
        tuple(part.index_select(0, lengths.order) for part in state),
        weights,
    )
    y = data.new_zeros(x.size(0) * x.size(1), data.size(-1)).index_copy(0, rows, data)
    return y.view(x.size(0), x.size(1), -1), tuple(part.index_select(0, lengths.original) for part in state)


def _can(cell: str, masks: Masks) -> bool:
    return cell in KERNELS and all(mask is None for mask in masks)


def _kernel(cell: str, batch: tuple[Tensor, ...], state: State, weights: Weights) -> tuple[Tensor, State]:
    """Call PyTorch's kernel on a dense batch (x,) or a packed one (data, batch_sizes)."""
    parameters = [weight for weight in weights if weight is not None]
    hx = tuple(part.unsqueeze(0) for part in state)
    # cuDNN keeps what backward needs only when told that it trains; without dropout that changes nothing else.
    train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (batch[0], *state, *parameters))
    options: tuple[object, ...] = (weights.bias_ih is not None, 1, 0.0, train, False)
    if len(batch) == 1:
        options = (*options, False)  # batch_first, which only the dense kernel knows
    with _quiet(weights.weight_hr is not None, batch[0].device):
        y, *final = KERNELS[cell].sequence(*batch, hx if len(hx) > 1 else hx[0], parameters, *options)
    return y, tuple(part.squeeze(0) for part in final)


def _quiet(projected: bool, device: torch.device) -> AbstractContextManager[object]:
    """Silence two remarks on speed that a caller can do nothing about; entered only where they can come up."""
    return _without_remarks() if projected or device.type == "cuda" else nullcontext()


@contextmanager
def _without_remarks() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
        yield
