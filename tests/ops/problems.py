"""Layers of any kind for the tests of the recurrence."""

import torch

from longshort import ops


def make(name: str, sizes: tuple[int, int, int, int, int], bias: bool, tensor) -> tuple[torch.Tensor, ...]:
    """x, state and weights for steps, batch, inputs, hidden and projected units, from `tensor(*shape, scale=1.0)`."""
    cell = ops.CELLS[name]
    steps, batch, inputs, hidden, projected = sizes
    rows, output = len(cell.gates) * hidden, projected or hidden
    weights = ops.Weights(
        tensor(rows, inputs, scale=inputs**-0.5),
        tensor(rows, output, scale=0.7 * output**-0.5),
        *((tensor(rows), tensor(rows)) if bias else (None, None)),
        tensor(projected, hidden, scale=hidden**-0.5) if projected else None,
        tensor(len(cell.peepholes) * hidden, scale=0.2) if cell.peepholes else None,
        *([tensor(size, scale=0.5) if cell.normalized else None for size in (rows, rows, hidden)]),
        tensor(hidden) if cell.normalized and bias else None,
    )
    state = tuple(tensor(batch, {"h": output, "c": hidden}[part]) for part in cell.state)
    return tensor(steps, batch, inputs), state, weights


def parameters_of(weights: ops.Weights) -> list[torch.Tensor]:
    """The parameters that there are."""
    return [weight for weight in weights if weight is not None]


def whole(weights: ops.Weights, parameters) -> ops.Weights:
    """Weights of the same kind, from those that there are."""
    left = iter(parameters)
    return ops.Weights(*(None if weight is None else next(left) for weight in weights))
