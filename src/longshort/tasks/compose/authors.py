"""Who writes tunes: networks and chains, as `longshort.tasks.compose.writing` asks them, on arrays."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.sequence.network import LanguageNetwork
from longshort.sequence.sampler import Sampler
from longshort.sequence.sampling import Sampling
from longshort.sequence.writer import Writer
from longshort.tasks.compose.markov import Chain, KeyChain, TokenChain
from longshort.tasks.compose.network import FrameNetwork
from longshort.tasks.compose.pieces import Piece
from longshort.tasks.compose.training import Network
from longshort.tasks.compose.writing import RollAuthor, TokenAuthor

FloatArray = NDArray[np.float32]
Restrict = Callable[[FloatArray], FloatArray]


def author(model: Network | Chain) -> TokenAuthor | RollAuthor:
    """A network in evaluation, or a chain, as an author."""
    if isinstance(model, LanguageNetwork):
        return TokenNetworkAuthor(model)
    if isinstance(model, FrameNetwork):
        return RollNetworkAuthor(model)
    return TokenChainAuthor(model) if isinstance(model, TokenChain) else RollChainAuthor(model)  # type: ignore[arg-type]


class TokenNetworkAuthor:
    """A network over tokens."""

    def __init__(self, network: LanguageNetwork) -> None:
        self._writer = Writer(network)

    def generate(self, start: Sequence[int], sampling: Sampling, restrict: Restrict) -> Iterator[list[int]]:
        """The next token of every tune, again and again."""
        return self._writer.generate(start, sampling, None, lambda logits: _restricted(restrict, logits))


class TokenChainAuthor:
    """A chain of tokens: what the writer does with a network, with counts."""

    def __init__(self, chain: TokenChain) -> None:
        self._chain = chain
        self._known: dict[tuple[int, ...], Tensor] = {}

    def generate(self, start: Sequence[int], sampling: Sampling, restrict: Restrict) -> Iterator[list[int]]:
        """The next token of every tune, again and again."""
        chain, tunes = self._chain, [list(start) for _ in range(sampling.samples)]
        sampler = Sampler(sampling, None, torch.tensor(start), chain.encoding.size)
        for _ in range(sampling.length):
            logits = torch.stack([self._logits(tuple(tune[-chain.order :])) for tune in tunes])
            drawn = sampler(_restricted(restrict, logits)).tolist()
            yield drawn
            for tune, token in zip(tunes, drawn, strict=True):
                tune.append(token)

    def _logits(self, context: tuple[int, ...]) -> Tensor:
        if context not in self._known:
            self._known[context] = torch.from_numpy(self._chain.log_probabilities(context)).float()
        return self._known[context]


class RollNetworkAuthor:
    """A network over frames."""

    def __init__(self, network: FrameNetwork) -> None:
        self._network = network

    def frames(self, start: Piece) -> Generator[FloatArray, Piece, None]:
        """Logits of the next frame, and again for every frame that is sent."""
        state = None
        while True:
            with torch.no_grad():
                logits, state = self._network(torch.from_numpy(start.astype(np.float32)), state)
            frame = yield logits[-1].numpy()
            start = frame[None]


class RollChainAuthor:
    """A chain of keys."""

    def __init__(self, chain: KeyChain) -> None:
        self._chain = chain

    def frames(self, start: Piece) -> Generator[FloatArray, Piece, None]:
        """Logits of the next frame, and again for every frame that is sent."""
        order = max(1, self._chain.order)
        while True:
            start = start[-order:]
            p = np.stack([self._chain.probabilities(start[:, k])[-1] for k in range(start.shape[1])])
            frame = yield (np.log(p) - np.log1p(-p)).astype(np.float32)
            start = np.concatenate([start, frame[None]])


def _restricted(restrict: Restrict, logits: Tensor) -> Tensor:
    return torch.from_numpy(restrict(logits.numpy()))
