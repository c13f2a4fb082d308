"""How likely a network finds tunes, each given all of it that came before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from longshort.sequence.network import LanguageNetwork
from longshort.tasks.compose.network import frame_losses
from longshort.tasks.compose.pieces import Encoding, Piece
from longshort.tasks.compose.problem import collate
from longshort.tasks.compose.training import Network

FloatArray = NDArray[np.float64]

# Steps that are read at once.
WINDOW = 512


def step_nats(network: Network, encoding: Encoding, piece: Piece) -> FloatArray:
    """−log p of every step of a tune after its first one, (N - 1,) of what `Encoding.whole` gives; window by window."""
    whole = collate([encoding.whole(piece)])
    state, found = None, []
    with torch.no_grad():
        for begin in range(0, len(whole.inputs), WINDOW):
            window = slice(begin, begin + WINDOW)
            if isinstance(network, LanguageNetwork):
                features, _, state = network(whole.inputs[window], state)
                logs = network.log_probabilities(features[:, 0])
                found.append(-logs.gather(-1, whole.targets[window]).squeeze(-1))
            else:
                logits, state = network(whole.inputs[window], state)
                found.append(frame_losses(logits, whole.targets[window])[:, 0])
    return torch.cat(found).double().numpy()


def nats(network: Network, encoding: Encoding, pieces: Sequence[Piece]) -> float:
    """Mean negative log-likelihood of a unit (a note, or a frame) over tunes, in nats."""
    total = sum(float(step_nats(network, encoding, piece).sum()) for piece in pieces)
    return total / max(1, sum(encoding.units(piece) for piece in pieces))


def after(network: Network, encoding: Encoding, piece: Piece) -> NDArray[np.float32]:
    """Probabilities of what comes after a tune that has not ended yet: of every token (V,), or of every key (K,)."""
    whole = torch.from_numpy(encoding.whole(piece))
    with torch.no_grad():
        if isinstance(network, LanguageNetwork):
            features, _, _ = network(whole[:-1].long().unsqueeze(1))
            p = network.log_probabilities(features[-1, 0]).exp()
        else:
            logits, _ = network(whole.float().unsqueeze(1))
            p = logits[-1, 0].sigmoid()
    found: NDArray[np.float32] = p.numpy()
    return found
