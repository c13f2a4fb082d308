"""The network of a transcriber: a strided convolution, recurrent layers, and the units' log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import GRU, LSTM, RNN, locked_dropout
from longshort.tasks.transcribe.config import EDGE, kernel_of, steps_of

LAYERS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the network.

    Attributes:
        inputs: numbers of a frame.
        stride: frames to a step.
        hidden_size, num_layers: as in the settings.
        live: whether it reads in one direction.
        units: that it emits, the blank included.
    """

    inputs: int
    stride: int
    hidden_size: int
    num_layers: int
    live: bool
    units: int


@dataclass(frozen=True)
class Dropout:
    """What is left out in training; see the settings of the same names."""

    input: float = 0.0
    hidden: float = 0.0
    weights: float = 0.0


class TranscribeNetwork(nn.Module):
    """V units, T frames, S steps, B recordings, C numbers of a frame, H hidden units, D directions."""

    def __init__(self, dims: Dimensions, cell: str, dropout: Dropout) -> None:
        super().__init__()
        self.dims, self.dropout = dims, dropout
        directions = 1 if dims.live else 2
        width = directions * dims.hidden_size
        # A strided convolution: every step reads the frames of its own and a few of the one before.
        self.front = nn.Conv1d(dims.inputs, width, kernel_of(dims.stride), dims.stride)
        more = {"forget_bias": 1.0} if cell == "lstm" else {}
        self.layers = nn.ModuleList(
            LAYERS[cell](width, dims.hidden_size, bidirectional=not dims.live, weight_dropout=dropout.weights, **more)
            for _ in range(dims.num_layers)
        )
        for name, weight in self.layers.named_parameters():
            if "weight_hh" in name:  # norms neither grow nor shrink over many steps (Saxe et al. 2014)
                for block in torch.split(weight.data, dims.hidden_size):
                    nn.init.orthogonal_(block)
        self.output = nn.Linear(width, dims.units)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of every unit.

        Args:
            frames: normalised features, 0 behind the end of a recording, (T, B, C).
            lengths: frames of each recording, (B,).

        Returns:
            Natural logarithms, float32, (S, B, V), and the steps of each recording, (B,).
        """
        padded = F.pad(frames, (0, 0, 0, 0, EDGE, EDGE))
        steps = steps_of(lengths, self.dims.stride)
        return self.read(self.convolve(padded), steps), steps

    def convolve(self, frames: Tensor) -> Tensor:
        """What the first recurrent layer reads of frames that are padded already, (T, B, C) to (S, B, D H)."""
        found: Tensor = F.relu(self.front(frames.permute(1, 2, 0))).permute(2, 0, 1)
        return found

    def read(self, x: Tensor, steps: Tensor) -> Tensor:
        """Log-probabilities from what the first recurrent layer reads, (S, B, D H)."""
        x = locked_dropout(x, self.dropout.input, self.training)
        for layer in self.layers:
            x, _ = layer(x, lengths=steps)
            x = locked_dropout(x, self.dropout.hidden, self.training)
        return self.emit(x)

    @property
    def recurrent(self) -> list[Any]:
        """The recurrent layers, of `longshort.nn`."""
        return list(self.layers)

    def emit(self, x: Tensor) -> Tensor:
        """Log-probabilities from the last layer's output, float32."""
        found: Tensor = self.output(x).float().log_softmax(-1)
        return found
