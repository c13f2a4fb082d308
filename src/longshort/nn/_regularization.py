"""What keeps a recurrent layer from learning its data by heart: dropout of the state, zoneout, dropout of weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from longshort import ops
from longshort.errors import InputError


def draw_masks(
    cell: str, x: Tensor, weights: ops.Weights, recurrent_dropout: float, zoneout: tuple[float, float], training: bool
) -> ops.Masks:
    """Masks for one pass over x (T, B, I).

    Recurrent dropout draws one mask of h for each sequence and keeps it for all steps (Gal & Ghahramani 2016). Zoneout
    draws, for each step and unit, whether h and c stay what they were (Krueger et al. 2017); in evaluation each step
    keeps that share of them.
    """
    output = weights.weight_hh.size(1)
    hidden = None
    if training and recurrent_dropout:
        hidden = F.dropout(x.new_ones(x.size(1), output), recurrent_dropout)
    sizes = (output, len(weights.weight_ih) // len(ops.CELLS[cell].gates))
    kept = [p if name in ops.CELLS[cell].state else 0.0 for name, p in zip(("h", "c"), zoneout, strict=True)]
    zone_h, zone_c = (_zone(x, size, p, training) if p else None for size, p in zip(sizes, kept, strict=True))
    return ops.Masks(hidden, zone_h, zone_c)


def _zone(x: Tensor, size: int, p: float, training: bool) -> Tensor:
    steps, batch = x.shape[:2]
    if training:
        return _draw(steps * batch * size, p, x).view(steps, batch, size)
    return x.new_full((1, 1, size), p).expand(steps, batch, size)


def _draw(size: int, p: float, like: Tensor) -> Tensor:
    """So many zeros and ones, ones with probability p to within 1e-5.

    Each is made of 16 random bits: four from one draw, where bernoulli_ takes a draw and longer than a layer for each.
    """
    bits = torch.empty(-(-size // 4), dtype=torch.int64, device=like.device).random_(-(2**63), None)
    return (bits.view(torch.int16)[:size] < round(p * 2**16) - 2**15).to(like.dtype)


def drop_weights(weights: ops.Weights, p: float, training: bool) -> ops.Weights:
    """DropConnect on the recurrent weights, one draw for a whole pass (Wan et al. 2013; Merity et al. 2018)."""
    return weights._replace(weight_hh=F.dropout(weights.weight_hh, p, training)) if p and training else weights


def as_zoneout(zoneout: float | tuple[float, float]) -> tuple[float, float]:
    """Probabilities for h and c from one for both, or a pair."""
    pair = tuple(zoneout) if isinstance(zoneout, tuple | list) else (zoneout, zoneout)
    if len(pair) != 2:
        raise InputError(f"zoneout is one probability, or a pair for h and c, got {zoneout!r}")
    return as_probability("zoneout", pair[0]), as_probability("zoneout", pair[1])


def as_probability(name: str, value: float) -> float:
    """The value as a float, if it is a probability below 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise InputError(f"{name} should be a probability, at least 0 and below 1, got {value!r}")
    return float(value)
