"""A language model for export: tokens and a state in, log-probabilities and the next state out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from longshort.exportable import Exportable, Part, Value
from longshort.sequence.network import LanguageNetwork

if TYPE_CHECKING:
    from longshort.tasks.language.estimator import LanguageModel


class Reader(nn.Module):
    """V tokens, L layers, H hidden units, T steps, B texts."""

    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Tokens (T, B) and the state, each part (L, B, H), to log-probabilities (T, B, V) and the state."""
        layers = range(len(self.network.recurrent))
        before = tuple(tuple(part[k : k + 1] for part in state) for k in layers)
        features, _, after = self.network(ids, before)
        return self.network.log_probabilities(features), *(torch.cat(part) for part in zip(*after, strict=True))


def exportable(model: LanguageModel) -> Exportable:
    """The network of a language model, and its tokenizer."""
    fitted = model.fitted
    network, dims = fitted.network, fitted.network.dims
    names = ("h", "c") if model.config.cell == "lstm" else ("h",)
    shape = (dims.num_layers, "batch", dims.hidden_size)

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn = torch.Generator().manual_seed(0)
        ids = torch.randint(dims.vocabulary_size, (steps, batch), generator=drawn)
        sizes = (dims.num_layers, batch, dims.hidden_size)
        return ids, *(torch.randn(sizes, generator=drawn).tanh() for _ in names)

    begin = int(model.beginning[0])
    part = Part(
        module=Reader(network).eval(),
        inputs=(
            Value("ids", ("steps", "batch"), "tokens"),
            *(Value(name, shape, "state of every layer, zeros at the beginning") for name in names),
        ),
        outputs=(
            Value("log_probabilities", ("steps", "batch", dims.vocabulary_size), "of the token after each one"),
            *(Value(f"{name}_n", shape, "state after the last step, to go on from") for name in names),
        ),
        example=example,
    )
    how = (
        "tokenizer.json says how a text is cut into tokens: their kind, and the tokens in the order of their numbers, "
        "or the pairs that are merged.",
        f"A text that nothing stands before begins after token {begin}.",
    )
    return Exportable({"network": part}, how, {"tokenizer.json": fitted.tokenizer.to_json()})
