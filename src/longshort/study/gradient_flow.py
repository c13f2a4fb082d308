"""The vanishing gradient, measured: how much of a loss at the end reaches the states of long ago.

Bengio, Simard & Frasconi 1994; Hochreiter & Schmidhuber 1997, section 3; Pascanu, Mikolov & Bengio 2013.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort import ops
from longshort.errors import InputError
from longshort.ops import reference
from longshort.report.gates import KEEPERS

FloatArray = NDArray[np.float64]

MEASURED = ("lstm", "gru", "rnn_tanh", "rnn_relu")
# So many sequences have the Jacobians of all their steps multiplied: all units by all units each.
JACOBIANS = 4


@dataclass(frozen=True)
class GradientFlow:
    """Norms by distance from the loss, k = 0 … T - 1 steps back: geometric means over the sequences, 1 at the loss.

    Attributes:
        hidden: of the gradient of h, (T,).
        memory: of the gradient of an LSTM's c, (T,), or None.
        direct: what the path through c alone lets through: the gradient of c at the loss times all forget gates since,
            f ⊙ f ⊙ …; for a GRU of h and its update gates z; (T,), or None for a plain RNN, which has no such path.
        largest: the most that a gradient of the whole state could keep: the largest singular value of the product of
            its Jacobians, over the first four sequences, (T,).
    """

    hidden: FloatArray
    memory: FloatArray | None
    direct: FloatArray | None
    largest: FloatArray

    @property
    def state(self) -> FloatArray:
        """Of the gradient of what the cell carries on: of c, or of h where there is no c."""
        return self.hidden if self.memory is None else self.memory


def gradient_flow(layer: Any, x: Tensor, loss: Callable[[Tensor], Tensor]) -> GradientFlow:
    """Send the gradient of a loss back through a layer.

    Args:
        layer: of `longshort.nn`: a plain RNN, a GRU or an LSTM, one layer in one direction, without what varies them.
        x: what it reads, (T, B, I); computed in float64.
        loss: of the last h, (B, H): a number, the sum of one for each sequence.

    Raises:
        InputError: another layer.
    """
    cell = layer.cell
    if cell not in MEASURED or layer.num_layers > 1 or layer.bidirectional or layer.proj_size or not layer.bias:
        raise InputError(f"the gradient flow is that of one plain layer in one direction with biases, not of {layer}")
    weights = _weights(layer)
    x = x.detach().double()
    values, state = [], reference.initial_state(cell, x, weights)
    for x_t in x:
        found = reference.CELLS[cell].step(x_t, state, weights, None)
        values.append(found)
        state = tuple(getattr(found, name) for name in reference.CELLS[cell].state)
    states = [[getattr(found, name) for found in values] for name in reference.CELLS[cell].state]
    leaves = [part for parts in states for part in parts]
    gradients = torch.autograd.grad(loss(values[-1].h), leaves)
    by_part = [torch.stack(gradients[k * len(x) : (k + 1) * len(x)]) for k in range(len(states))]
    direct = None
    if cell in KEEPERS:
        gates = torch.stack([getattr(found, KEEPERS[cell]) for found in values]).detach()
        # What stands k steps back was multiplied by the gates of the k steps since.
        since = torch.cat([torch.ones_like(gates[:1]), gates.flip(0)[:-1].cumprod(0)])
        direct = _relative(by_part[-1][-1] * since)
    with torch.no_grad():
        few = slice(0, JACOBIANS)
        products = _products(cell, weights, x[:, few], [[part[few] for part in parts] for parts in states])
    return GradientFlow(
        hidden=_relative(by_part[0].flip(0)),
        memory=_relative(by_part[1].flip(0)) if len(by_part) > 1 else None,
        direct=direct,
        largest=products,
    )


def _weights(layer: Any) -> ops.Weights:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return ops.Weights(*(getattr(layer, f"{name}_l0").detach().double().requires_grad_() for name in names))


def _relative(gradients: Tensor) -> FloatArray:
    """Norms (K, B, H) over the units, divided by those of the first, in the geometric mean over B."""
    norms = gradients.detach().norm(dim=-1)
    norms = norms[:, norms[0] > 0]  # of a sequence without any gradient there is nothing to say
    relative = (norms / norms[:1]).numpy()
    with np.errstate(divide="ignore"):
        mean: FloatArray = np.exp(np.log(relative).mean(-1))
    return mean


def _products(cell: str, weights: ops.Weights, x: Tensor, states: list[list[Tensor]]) -> FloatArray:
    """The largest singular value of ∂s_T / ∂s_(T-k), s all of the state, (T,)."""
    fixed = ops.Weights(*(w.detach() for w in weights if w is not None))
    size = states[0][0].size(-1)

    def step(state: Tensor, x_t: Tensor) -> Tensor:
        parts = tuple(part.unsqueeze(0) for part in torch.split(state, size))
        found = reference.CELLS[cell].step(x_t.unsqueeze(0), parts, fixed, None)
        return torch.cat([getattr(found, name)[0] for name in reference.CELLS[cell].state])

    jacobian = torch.func.vmap(torch.func.jacrev(step))
    whole = [torch.cat([parts[t].detach() for parts in states], -1) for t in range(len(x))]
    product = torch.eye(whole[0].size(-1), dtype=torch.float64).expand(x.size(1), -1, -1)
    largest = [torch.ones(x.size(1), dtype=torch.float64)]
    for t in range(len(x) - 1, 0, -1):
        product = product @ jacobian(whole[t - 1], x[t])
        largest.append(torch.linalg.matrix_norm(product, ord=2))
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(torch.stack(largest).numpy()).mean(-1)))
