"""One step at a time: what a service or an instrument needs, where the sequence has no end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import Tensor

from longshort import ops
from longshort.errors import InputError
from longshort.nn._regularization import draw_masks
from longshort.nn._torch import HX

if TYPE_CHECKING:
    from longshort.nn._base import Recurrent
    from longshort.ops.steps import Steps


class Stream(Generic[HX]):
    """Runs a layer step by step and remembers its state: `y = step(x)`.

    The numbers are those of the whole sequence in evaluation: no dropout, no gradients. The first step settles the
    number of sequences B and takes the parameters as they are then, and whether there is autocast; reset() has them
    taken anew.

    Args:
        layer: in one direction; L layers, H hidden units, R = proj_size if it is given, else H.
        hx: the state to start from as the layer takes it, h (L, B, R) and c (L, B, H), or without B; None for zeros.
    """

    def __init__(self, layer: Recurrent[HX, Any], hx: HX | None = None) -> None:
        if layer.bidirectional:
            raise InputError("stream() needs one direction: a bidirectional layer reads each sequence from its end too")
        self._layer = layer
        self.reset(hx)

    def reset(self, hx: HX | None = None) -> None:
        """Begin anew, from `hx` or from zeros."""
        self._run: Steps | _Plain | None = None
        self._batch: torch.Size | None = None  # (B,), or () for a single sequence without a batch
        self._start: list[ops.State | None] = [None] * self._layer.num_layers
        if hx is not None:
            state = tuple(part.detach() for part in self._layer._to_state(hx))
            self._batch = state[0].shape[1:-1]
            self._layer._check_state(state, self._batch)
            if not self._batch:
                state = tuple(part.unsqueeze(1) for part in state)
            self._start = list(zip(*state, strict=True))

    def select(self, rows: Tensor) -> None:
        """Go on with some of the sequences, (B',), in this order; one may occur several times, as in a beam search.

        With as many as before nothing is allocated or packed anew.
        """
        if self._batch is not None and len(self._batch) != 1:
            raise InputError("select() needs a stream over a batch of sequences")
        states = self._start if self._run is None else self._run.states
        chosen = [None if s is None else tuple(part.index_select(0, rows) for part in s) for s in states]
        known = [state for state in chosen if state is not None]
        if self._run is not None and self._batch == rows.shape and len(known) == len(chosen):
            self._run.write(known)
        else:
            self._start, self._run, self._batch = chosen, None, rows.shape

    def __call__(self, x: Tensor) -> Tensor:
        """Read one step, x (B, I) or (I,), and give the last layer's output, (B, R) or (R,)."""
        run = self._run
        if run is not None and self._batch and run.fits(x):
            return run(x)
        with torch.no_grad():
            return self._first_or_other(x)

    def _first_or_other(self, x: Tensor) -> Tensor:
        """A step that needs a look at its shape: the first one, one without a batch, one that is wrong."""
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
        if self._run is None:
            weights = [layer._weights(k, 0) for k in range(layer.num_layers)]
            batch = self._batch[0] if self._batch else 1
            zoneout = layer._regularization().zoneout
            core = ops.steps(layer.cell, weights, batch, self._start, zoneout)
            self._run = core or _Plain(layer, weights, self._start)
        y = (x if self._batch else x.unsqueeze(0)).contiguous()
        layer._check_input(y)
        y = self._run(y)
        return y if self._batch else y.squeeze(0)

    @property
    def state(self) -> HX | None:
        """The state after the last step, in the form and the shape of `hx`; None before the first."""
        states = self._start if self._run is None else self._run.states
        known = [state for state in states if state is not None]
        if not known:
            return None
        stacked = tuple(torch.stack(parts) for parts in zip(*known, strict=True))
        return self._layer._from_state(stacked if self._batch else tuple(part.squeeze(1) for part in stacked))


class _Plain:
    """Steps by a backend's own single step: for what the core cannot run."""

    def __init__(
        self, layer: Recurrent[Any, Any], layers: Sequence[ops.Weights], states: Sequence[ops.State | None]
    ) -> None:
        self._layer, self.states = layer, list(states)
        self._layers = [ops.Weights(*map(_copy, weights)) for weights in layers]

    def fits(self, x: Tensor) -> bool:
        """Whether x needs no second look: never."""
        return False

    def write(self, states: Sequence[ops.State]) -> None:
        """Go on from other states."""
        self.states = list(states)

    def __call__(self, x: Tensor) -> Tensor:
        """One step."""
        for k, weights in enumerate(self._layers):
            layer = self._layer
            options = layer._regularization()
            masks = draw_masks(layer.cell, x.unsqueeze(0), weights, options, training=False).at(0)
            state = ops.step(layer.cell, x, self.states[k], weights, masks=masks)
            self.states[k] = state
            x = state[0]
        return x


def _copy(weight: Tensor | None) -> Any:
    return None if weight is None else weight.detach().clone()
