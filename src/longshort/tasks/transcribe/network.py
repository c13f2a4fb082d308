"""The network of a transcriber: a strided convolution, recurrent layers, and the units' log-probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.nn import GRU, LSTM, RNN, locked_dropout
from longshort.tasks.transcribe.config import EDGE, Dimensions, kernel_of, steps_of

FloatArray = NDArray[np.float32]

LAYERS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


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

    def hear(self, frames: FloatArray, lengths: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
        """What `forward` says, from arrays to arrays."""
        with torch.no_grad():
            logs, steps = self(torch.from_numpy(frames), torch.from_numpy(lengths))
        return logs.numpy(), steps.numpy()

    def follow(self) -> Callable[[FloatArray], FloatArray]:
        """Reads a recording some padded frames at a time, (T, C) to log-probabilities (S, V), without going back."""
        streams = [layer.stream() for layer in self.recurrent]

        def read(frames: FloatArray) -> FloatArray:
            with torch.no_grad():
                rows = []
                for x in self.convolve(torch.from_numpy(frames).unsqueeze(1)):
                    for stream in streams:
                        x = stream(x)
                    rows.append(x.clone())
                found: FloatArray = self.emit(torch.cat(rows)).numpy()
            return found

        return read
