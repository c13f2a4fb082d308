"""The loss of a softmax over many classes, without the memory and the passes that its logits would cost."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from longshort.errors import InputError

# Rows whose logits are held at once: with ten thousand classes they stay in a core's cache.
ROWS = 256


def linear_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross entropy of `softmax(features @ weight.T + bias)`.

    Its gradients are computed along with it, some rows at a time, so that the logits of all rows never exist. Under
    autocast the products are in its type, all else in float32; no second derivative.

    Args:
        features: (N, E).
        weight: (V, E).
        bias: (V,).
        targets: the right class of each row, int64, (N,).
        label_smoothing: share of the target that is spread evenly over all classes (Szegedy et al. 2016).

    Returns:
        In nats, ().
    """
    if features.dim() != 2 or targets.shape != features.shape[:1] or weight.shape != (len(bias), features.size(1)):
        shapes = f"{(*features.shape,)}, {(*weight.shape,)}, {(*bias.shape,)} and {(*targets.shape,)}"
        raise InputError(f"features (N, E), weight (V, E), bias (V,) and targets (N,) do not fit: got {shapes}")
    device = features.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    loss: Tensor = _LinearCrossEntropy.apply(features, weight, bias, targets, dtype, label_smoothing)  # type: ignore[no-untyped-call]
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        dtype: torch.dtype,
        smoothing: float,
    ) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return _LinearCrossEntropy._run(ctx, features, weight, bias, targets, dtype, smoothing)

    @staticmethod
    def _run(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        dtype: torch.dtype,
        smoothing: float,
    ) -> Tensor:
        learning, count = any(ctx.needs_input_grad), len(features)
        x, w = features.to(dtype), weight.to(dtype)
        total = bias.new_zeros(())
        dx, dw, db = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
        for k in range(0, count, ROWS):
            rows, right = x[k : k + ROWS], targets[k : k + ROWS].unsqueeze(1)
            z = (rows @ w.t()).to(bias.dtype).add_(bias)
            z.sub_(z.amax(1, keepdim=True))
            chosen = z.gather(1, right)
            even = z.mean(1, keepdim=True) if smoothing else 0.0
            sums = z.exp_().sum(1, keepdim=True)
            total += (sums.log() - (1 - smoothing) * chosen - smoothing * even).sum()
            if not learning:
                continue
            # The gradient of the mean: (softmax − target) / N, the target being one at the right class, smoothed.
            z.div_(sums * count)
            if smoothing:
                z.sub_(smoothing / (count * len(weight)))
            z.scatter_add_(1, right, torch.full_like(chosen, (smoothing - 1) / count))
            db += z.sum(0)
            dz = z.to(dtype)
            torch.mm(dz, w, out=dx[k : k + ROWS])
            dw += dz.t() @ rows
        ctx.save_for_backward(dx.to(features.dtype), dw, db)
        return total / count

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        dx, dw, db = ctx.saved_tensors
        return upstream * dx, upstream * dw, upstream * db, None, None, None
