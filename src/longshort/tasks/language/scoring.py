"""The probability of every token of a text, given all that came before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.sequence.network import LanguageNetwork, State
from longshort.tasks.language.parts import windows

# Log-probabilities that are held at once: those of a large vocabulary are not asked for a whole window.
LARGEST = 2**23


class Read(NamedTuple):
    """One window of a text as the network reads it, P parts side by side.

    Attributes:
        features: what the softmax reads, (T, P, E).
        output: the last layer's output, (T, P, H).
        targets: the tokens that come, (T, P).
        positions: their places in the text, (T, P); −1 for those that another part answers for.
    """

    features: Tensor
    output: Tensor
    targets: Tensor
    positions: Tensor


def expect(network: LanguageNetwork, token: int, state: State | None) -> tuple[NDArray[np.float64], State]:
    """The log-probability of every token after one and what the state holds, (V,), and the new state."""
    with torch.no_grad():
        features, _, after = network(torch.tensor([[token]]), state)
        return network.log_probabilities(features[-1, 0]).double().numpy(), after


def read(network: LanguageNetwork, ids: NDArray[np.integer], context: NDArray[np.integer]) -> Iterator[Read]:
    """Go through a text window by window, without gradients.

    Args:
        network: in evaluation.
        ids: the text's tokens, (N,).
        context: tokens before it, at least one.
    """
    state: State | None = None
    for window in windows(ids, context):
        inputs, targets, positions = map(torch.from_numpy, window)
        with torch.no_grad():
            features, output, state = network(inputs, state)
        yield Read(features, output, targets, positions)


def log_probabilities(
    network: LanguageNetwork, ids: NDArray[np.integer], context: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Natural logarithm of the probability of every token of a text, (N,); arguments as for `read`.

    A text longer than some thousand tokens is read in parts side by side, each after 512 tokens of the text before it.
    """
    result = np.zeros(len(ids))
    for window in read(network, ids, context):
        mine = window.positions >= 0
        found = of_targets(network, window.features[mine], window.targets[mine])
        result[window.positions[mine].numpy()] = found.double().numpy()
    return result


def of_targets(network: LanguageNetwork, features: Tensor, targets: Tensor) -> Tensor:
    """Log-probability of each target (N,) given its features (N, E), without gradients; a few rows at once."""
    rows = max(1, LARGEST // network.dims.vocabulary_size)
    with torch.no_grad():
        found = [
            network.log_probabilities(f).gather(-1, t.unsqueeze(-1)).squeeze(-1)
            for f, t in zip(torch.split(features, rows), torch.split(targets, rows), strict=True)
        ]
    return torch.cat(found)
