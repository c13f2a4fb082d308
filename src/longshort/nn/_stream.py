"""One step at a time: what a service or an instrument needs, where the sequence has no end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import Tensor

from longshort import ops
from longshort.errors import InputError
from longshort.nn._torch import HX

if TYPE_CHECKING:
    from longshort.nn._base import Recurrent


class Stream(Generic[HX]):
    """Runs a layer step by step and remembers its state: `y = step(x)`.

    The numbers are those of the whole sequence in evaluation: no dropout, no gradients. The stream reads the layer's
    own parameters, so that a change made to them in place is seen. The first step settles the number of sequences B.

    Args:
        layer: in one direction; L layers, H hidden units, R = proj_size if it is given, else H.
        hx: the state to start from as the layer takes it, h (L, B, R) and c (L, B, H), or without B; None for zeros.
    """

    def __init__(self, layer: Recurrent[HX, Any], hx: HX | None = None) -> None:
        if layer.bidirectional:
            raise InputError("stream() needs one direction: a bidirectional layer reads each sequence from its end too")
        self._layer = layer
        self._weights = [layer._weights(k, 0) for k in range(layer.num_layers)]
        self.reset(hx)

    def reset(self, hx: HX | None = None) -> None:
        """Begin anew, from `hx` or from zeros."""
        self._batch: torch.Size | None = None  # (B,), or () for a single sequence without a batch
        self._states: list[ops.State | None] = [None] * self._layer.num_layers
        if hx is not None:
            state = tuple(part.detach() for part in self._layer._to_state(hx))
            self._batch = state[0].shape[1:-1]
            self._layer._check_state(state, self._batch)
            if not self._batch:
                state = tuple(part.unsqueeze(1) for part in state)
            self._states = list(zip(*state, strict=True))

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Read one step, x (B, I) or (I,), and give the last layer's output, (B, R) or (R,)."""
        layer = self._layer
        if x.dim() not in (1, 2) or x.size(-1) != layer.input_size:
            raise InputError(
                f"a step must have shape (B, {layer.input_size}) or ({layer.input_size},), got {(*x.shape,)}"
            )
        if self._batch is None:
            self._batch = x.shape[:-1]
        elif x.shape[:-1] != self._batch:
            wanted = (*self._batch, layer.input_size)
            raise InputError(f"this stream has steps of shape {wanted}, got {(*x.shape,)}; reset() begins another")
        y = x if self._batch else x.unsqueeze(0)
        for k, weights in enumerate(self._weights):
            state = ops.step(layer.cell, y, self._states[k], weights)
            self._states[k] = state
            y = state[0]
        return y if self._batch else y.squeeze(0)

    @property
    def state(self) -> HX | None:
        """The state after the last step, in the form and the shape of `hx`; None before the first."""
        states = [state for state in self._states if state is not None]
        if not states:
            return None
        stacked = tuple(torch.stack(parts) for parts in zip(*states, strict=True))
        return self._layer._from_state(stacked if self._batch else tuple(part.squeeze(1) for part in stacked))
