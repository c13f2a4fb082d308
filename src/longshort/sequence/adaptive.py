"""The softmax for vocabularies of many thousands: rare tokens in clusters with fewer numbers each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AdaptiveSoftmax(nn.Module):
    """PyTorch's adaptive softmax (Grave et al. 2017) in float32, for features (…, E) and V tokens.

    Tokens must be numbered by frequency, the most frequent first.
    """

    def __init__(self, features: int, vocabulary_size: int, cutoffs: Sequence[int]) -> None:
        super().__init__()
        self.inner = nn.AdaptiveLogSoftmaxWithLoss(features, vocabulary_size, list(cutoffs), head_bias=True)

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats of targets (N,) given features (N, E)."""
        with torch.autocast(features.device.type, enabled=False):  # its clusters write into one tensor of one type
            loss: Tensor = self.inner(features.float(), targets).loss
        return loss

    def log_probabilities(self, features: Tensor) -> Tensor:
        """Log-probabilities, (…, V), of features (…, E)."""
        with torch.autocast(features.device.type, enabled=False):
            flat: Tensor = self.inner.log_prob(features.float().reshape(-1, features.size(-1)))
        return flat.view(*features.shape[:-1], flat.size(-1))
