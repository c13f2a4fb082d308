"""From the outputs of all steps to one vector for each example, and how much every step had part in it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ATTENTION_SIZE = 64


class Pooling(nn.Module):
    """Attention (Yang et al. 2016, with one context vector), maximum and mean over the steps, side by side.

    Args:
        features: of each step, F.
        pools: which of "attention", "max" and "mean", P of them.
    """

    def __init__(self, features: int, pools: Sequence[str]) -> None:
        super().__init__()
        self.pools = tuple(pools)
        self.score = None
        if "attention" in pools:
            self.score = nn.Sequential(
                nn.Linear(features, ATTENTION_SIZE), nn.Tanh(), nn.Linear(ATTENTION_SIZE, 1, bias=False)
            )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool x (T, B, F), 0 at padded steps, to (B, P * F)."""
        mask = self._mask(x, lengths)
        pooled = []
        for pool in self.pools:
            if pool == "mean":
                pooled.append(x.sum(0) / lengths.unsqueeze(-1).to(x.dtype))
            elif pool == "max":
                pooled.append(x.masked_fill(~mask, -torch.inf).amax(0))
            else:
                pooled.append((self._attention(x, mask) * x).sum(0))
        return torch.cat(pooled, 1)

    def shares(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The part that every step has in the pooled vector, (T, B); those of an example add up to 1.

        Of the mean all steps have the same part, of the maximum as much as there are features that take their value
        from it, of attention its weight; of several poolings the mean of these.
        """
        mask = self._mask(x, lengths)
        found = []
        for pool in self.pools:
            if pool == "mean":
                found.append(mask.squeeze(-1) / lengths.to(x.dtype))
            elif pool == "max":
                winners = x.masked_fill(~mask, -torch.inf).argmax(0)
                counts = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
                counts.scatter_add_(0, winners.T, torch.ones_like(winners.T, dtype=x.dtype))
                found.append(counts / x.size(-1))
            else:
                found.append(self._attention(x, mask).squeeze(-1))
        return torch.stack(found).mean(0)

    def _attention(self, x: Tensor, mask: Tensor) -> Tensor:
        assert self.score is not None
        scores: Tensor = self.score(x)
        return scores.masked_fill(~mask, -torch.inf).softmax(0)

    @staticmethod
    def _mask(x: Tensor, lengths: Tensor) -> Tensor:
        """True at valid steps, (T, B, 1)."""
        return (torch.arange(x.size(0), device=x.device).unsqueeze(-1) < lengths).unsqueeze(-1)
