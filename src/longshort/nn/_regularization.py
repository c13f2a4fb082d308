"""What keeps a recurrent layer from learning its data by heart: dropout of the state, zoneout, dropout of weights."""

from __future__ import annotations

import numbers
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from longshort import ops
from longshort.errors import InputError


class Regularization(NamedTuple):
    """The options of a layer that are looked at in each pass, checked."""

    recurrent_dropout: float
    zoneout: tuple[float, float]  # of h and c
    weight_dropout: float
    checkpoint_steps: int


def check(
    cell: str,
    projected: bool,
    recurrent_dropout: float,
    zoneout: float | tuple[float, float],
    weight_dropout: float,
    checkpoint_steps: int,
) -> Regularization:
    """The options as they are used; raises InputError for what makes no sense."""
    pair = tuple(zoneout) if isinstance(zoneout, tuple | list) else (zoneout, zoneout)
    if len(pair) != 2:
        raise InputError(f"zoneout is one probability, or a pair for h and c, got {zoneout!r}")
    zones = _probability("zoneout", pair[0]), _probability("zoneout", pair[1])
    if isinstance(zoneout, tuple | list) and zones[1] and "c" not in ops.CELLS[cell].state:
        raise InputError(f"zoneout is one probability here: this cell has no c, got {zoneout!r}")
    if projected and any(zones):
        raise InputError("zoneout keeps a share of the hidden units, and does not go with proj_size")
    if not is_number(checkpoint_steps, numbers.Integral) or not 0 <= checkpoint_steps < 2**31:
        raise InputError(f"checkpoint_steps must be a number of steps, or 0 to keep all, got {checkpoint_steps!r}")
    return Regularization(
        _probability("recurrent_dropout", recurrent_dropout),
        zones,
        _probability("weight_dropout", weight_dropout),
        int(checkpoint_steps),
    )


def is_number(value: object, kind: type = numbers.Real) -> bool:
    """Whether it is a number of this kind: Python's own, or NumPy's."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _probability(name: str, value: float) -> float:
    if not is_number(value) or not 0 <= value < 1:
        raise InputError(f"{name} should be a probability, at least 0 and below 1, got {value!r}")
    return float(value)


def draw_masks(cell: str, x: Tensor, weights: ops.Weights, options: Regularization, training: bool) -> ops.Masks:
    """Masks for one pass over x (T, B, I).

    Recurrent dropout draws one mask of h for each sequence and keeps it for all steps (Gal & Ghahramani 2016). Zoneout
    draws, for each step and unit, whether h and c stay what they were (Krueger et al. 2017); in evaluation each step
    keeps that share of them.
    """
    output = weights.weight_hh.size(1)
    hidden = None
    if training and options.recurrent_dropout:
        hidden = F.dropout(x.new_ones(x.size(1), output), options.recurrent_dropout)
    sizes = (output, len(weights.weight_ih) // len(ops.CELLS[cell].gates))
    kept = [p if name in ops.CELLS[cell].state else 0.0 for name, p in zip(("h", "c"), options.zoneout, strict=True)]
    zone_h, zone_c = (_zone(x, size, p, training) if p else None for size, p in zip(sizes, kept, strict=True))
    return ops.Masks(hidden, zone_h, zone_c)


def _zone(x: Tensor, size: int, p: float, training: bool) -> Tensor:
    steps, batch = x.shape[:2]
    if training:
        return _draw(steps * batch * size, p, x).view(steps, batch, size)
    return x.new_full((1, 1, size), p).expand(steps, batch, size)


def _draw(size: int, p: float, like: Tensor) -> Tensor:
    """So many zeros and ones, ones with probability p to within 1e-5.

    Each is made of 16 random bits, four from one draw: bernoulli takes a draw for each, and longer than a layer.
    """
    bits = torch.randint(-(2**63), 2**63 - 1, (-(-size // 4),), dtype=torch.int64, device=like.device)
    threshold = min(round(p * 2**16), 2**16 - 1) - 2**15
    return (bits.view(torch.int16)[:size] < threshold).to(like.dtype)


def drop_weights(weights: ops.Weights, p: float, training: bool) -> ops.Weights:
    """DropConnect on the recurrent weights, one draw for a whole pass (Wan et al. 2013; Merity et al. 2018)."""
    return weights._replace(weight_hh=F.dropout(weights.weight_hh, p, training)) if p and training else weights
