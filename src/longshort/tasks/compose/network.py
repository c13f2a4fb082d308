"""The frame-wise network of piano rolls: every key sounds or not, given all frames before.

Given the frames so far, the keys of the next one are independent (Boulanger-Lewandowski, Bengio & Vincent 2012, the
RNN of their table 1; Bai, Kolter & Koltun 2018, arXiv 1803.01271, section 5):

    −log p(x_t | x_<t) = Σ_k BCE(x_tk, σ(w_k·h_t + b_k))
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import locked_dropout
from longshort.sequence.network import LAYERS, Dropout, State


class FrameNetwork(nn.Module):
    """K keys, H hidden size, T frames, B tunes."""

    def __init__(self, keys: int, hidden_size: int, num_layers: int, cell: str, dropout: Dropout) -> None:
        super().__init__()
        self.dropout = dropout
        more = {"forget_bias": 1.0} if cell == "lstm" else {}  # begins by remembering (Jozefowicz et al. 2015)
        self.layers = nn.ModuleList(
            LAYERS[cell](size, hidden_size, weight_dropout=dropout.weights, **more)
            for size in [keys, *[hidden_size] * (num_layers - 1)]
        )
        self.output = nn.Linear(hidden_size, keys)

    def forward(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read frames.

        Args:
            frames: 1 for the keys that sound, (T, B, K).
            state: of every layer, as this method returned it; None for the beginning.

        Returns:
            Logits of the keys of the next frame, (T, B, K); the new state.
        """
        x = locked_dropout(frames, self.dropout.input, self.training)
        new = []
        for k, layer in enumerate(self.recurrent):
            if k:
                x = locked_dropout(x, self.dropout.hidden, self.training)
            before = None if state is None else state[k]
            x, after = layer(x, before if before is None or len(before) > 1 else before[0])
            new.append(after if isinstance(after, tuple) else (after,))
        logits: Tensor = self.output(locked_dropout(x, self.dropout.output, self.training))
        return logits, tuple(new)

    @property
    def recurrent(self) -> list[Any]:
        """The recurrent layers, of `longshort.nn`."""
        return list(self.layers)


def frame_losses(logits: Tensor, frames: Tensor) -> Tensor:
    """−log p of every frame in nats, (…), from logits and frames, (…, K)."""
    return F.binary_cross_entropy_with_logits(logits.float(), frames, reduction="none").sum(-1)
