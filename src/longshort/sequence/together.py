"""Several texts read at once, each from where it stands: any lengths, states that are kept between calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from longshort.sequence.network import LanguageNetwork, State


class Standing(NamedTuple):
    """Where a text stands after it was read.

    Attributes:
        features: what the softmax reads after every token, (T, E).
        state: of every layer, for the tokens to come; of one sequence.
    """

    features: Tensor
    state: State


def read_together(
    network: LanguageNetwork, texts: Sequence[NDArray[Any]], states: Sequence[State | None]
) -> list[Standing]:
    """Read texts side by side, without gradients.

    Args:
        network: in evaluation.
        texts: tokens of each, (T_i,), at least one.
        states: of each text the state that it goes on from; None for the beginning.
    """
    lengths = torch.tensor([len(text) for text in texts])
    rows = [torch.as_tensor(text, dtype=torch.long) for text in texts]
    with torch.no_grad():
        x, after = network.embed(pad_sequence(rows)), []
        for k, layer in enumerate(network.recurrent):
            x, final = layer(x, _stacked(k, states), lengths=lengths)
            after.append(final if isinstance(final, tuple) else (final,))
        features = network.projection(x)
    return [
        Standing(
            features[: len(text), place],
            tuple(tuple(part[:, place : place + 1].clone() for part in parts) for parts in after),
        )
        for place, text in enumerate(texts)
    ]


def _stacked(k: int, states: Sequence[State | None]) -> Any:
    """The states of layer k side by side, as it takes them; None where all begin."""
    known = next((state for state in states if state is not None), None)
    if known is None:
        return None
    zeros = tuple(torch.zeros_like(part) for part in known[k])
    own = [zeros if state is None else state[k] for state in states]
    stacked = tuple(torch.cat(parts, dim=1) for parts in zip(*own, strict=True))
    return stacked if len(stacked) > 1 else stacked[0]
