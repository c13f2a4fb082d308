"""What comes next in a tune, by name."""

from __future__ import annotations

import torch

from longshort.data.rolls import LOWEST
from longshort.sequence.network import LanguageNetwork
from longshort.tasks.compose.keys import NAMES
from longshort.tasks.compose.pieces import Encoding, Piece, TokenEncoding
from longshort.tasks.compose.training import Network


def labels(encoding: Encoding) -> list[str]:
    """The names of all tokens, or of all keys: "C4" is the middle one."""
    if isinstance(encoding, TokenEncoding):
        return encoding.tokens.names
    return [pitch_name(LOWEST + key) for key in range(encoding.size)]


def pitch_name(pitch: int) -> str:
    """A pitch by its name and octave."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def next_events(network: Network, encoding: Encoding, piece: Piece, k: int) -> tuple[list[str], list[float]]:
    """The k likeliest tokens, or keys, after a tune that has not ended yet, and their probabilities."""
    with torch.no_grad():
        if isinstance(network, LanguageNetwork):
            whole = torch.from_numpy(encoding.whole(piece)[:-1]).long().unsqueeze(1)
            features, _, _ = network(whole)
            p = network.log_probabilities(features[-1, 0]).exp()
        else:
            logits, _ = network(torch.from_numpy(encoding.whole(piece)).float().unsqueeze(1))
            p = logits[-1, 0].sigmoid()
    best = p.topk(min(k, len(p)))
    names = labels(encoding)
    return [names[int(i)] for i in best.indices], best.values.double().tolist()
