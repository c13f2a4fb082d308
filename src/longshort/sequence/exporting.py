"""Networks that carry a state, for export: the state as tensors that go in and come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from longshort.exportable import Part, Value
from longshort.sequence.network import LanguageNetwork, State


@dataclass(frozen=True)
class Carried:
    """The state of L recurrent layers with H units: h and, of an LSTM, c, (L, B, H) each.

    Attributes:
        cell: "lstm", "gru" or "rnn".
        layers, hidden_size: L and H.
    """

    cell: str
    layers: int
    hidden_size: int

    @property
    def names(self) -> tuple[str, ...]:
        """Of its parts."""
        return ("h", "c") if self.cell == "lstm" else ("h",)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """Its parts as they go in."""
        shape = (self.layers, "batch", self.hidden_size)
        return tuple(Value(name, shape, "state of every layer, zeros at the beginning") for name in self.names)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """Its parts as they come out."""
        shape = (self.layers, "batch", self.hidden_size)
        return tuple(Value(f"{name}_n", shape, "state after the last step, to go on from") for name in self.names)

    def example(self, batch: int, drawn: torch.Generator) -> tuple[Tensor, ...]:
        """A state that might be."""
        size = (self.layers, batch, self.hidden_size)
        return tuple(torch.randn(size, generator=drawn).tanh() for _ in self.names)

    def split(self, parts: Sequence[Tensor]) -> State:
        """Each layer's own."""
        return tuple(tuple(part[k : k + 1] for part in parts) for k in range(self.layers))

    @staticmethod
    def join(state: State) -> tuple[Tensor, ...]:
        """The inverse of `split`."""
        return tuple(torch.cat(part) for part in zip(*state, strict=True))


class Reader(nn.Module):
    """A network that reads steps and says after each one what comes next.

    Args:
        network: any.
        read: from steps (T, B, …) and a state to what it says (T, B, …) and the new state, by that network.
        carried: how its state goes in and out.
    """

    def __init__(self, network: nn.Module, read: Callable[[Tensor, State], tuple[Tensor, State]], carried: Carried):
        super().__init__()
        self.network, self._read, self._carried = network, read, carried

    def forward(self, steps: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Steps (T, B, …) and the state, each part (L, B, H), to what the network says (T, B, …) and the state."""
        said, after = self._read(steps, self._carried.split(state))
        return said, *self._carried.join(after)


def tokens_part(network: LanguageNetwork, cell: str) -> Part:
    """A network over tokens: tokens and a state in, log-probabilities and the next state out."""
    dims = network.dims
    carried = Carried(cell, dims.num_layers, dims.hidden_size)

    def read(ids: Tensor, state: State) -> tuple[Tensor, State]:
        features, _, after = network(ids, state)
        return network.log_probabilities(features), after

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn = torch.Generator().manual_seed(0)
        ids = torch.randint(dims.vocabulary_size, (steps, batch), generator=drawn)
        return ids, *carried.example(batch, drawn)

    logs = Value("log_probabilities", ("steps", "batch", dims.vocabulary_size), "of the token after each one")
    return Part(
        module=Reader(network, read, carried).eval(),
        inputs=(Value("ids", ("steps", "batch"), "tokens"), *carried.inputs),
        outputs=(logs, *carried.outputs),
        example=example,
    )
