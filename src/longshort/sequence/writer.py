"""Sequences token by token: the network one step at a time, its state kept in the layers' streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from longshort import ops
from longshort.sequence.network import LanguageNetwork
from longshort.sequence.sampler import Sampler
from longshort.sequence.sampling import Sampling


class Writer:
    """Draws tokens from a network in evaluation, whose weights it takes as they are now.

    Args:
        network: on the CPU.
        rounds: whether its products may round their two sides to bfloat16, as a training in bfloat16 does. It takes
            half as long, as that is mostly the time in which the weights are read.
    """

    def __init__(self, network: LanguageNetwork, *, rounds: bool = False) -> None:
        self._network, self._rounds = network, rounds
        self._projection: Callable[[Tensor], Tensor] = network.projection
        self._softmax: Callable[[Tensor], Tensor] | None = None
        with self._precision():
            if network.adaptive is None:
                self._softmax = ops.readout(*network.full_softmax)
            if isinstance(network.projection, torch.nn.Linear):
                self._projection = ops.readout(network.projection.weight, None)

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        forbidden: int | None = None,
        restrict: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[list[int]]:
        """The next token of every sample, again and again.

        Args:
            prompt: tokens to go on from, at least one.
            sampling: how to draw.
            forbidden: a token that is never drawn, or None.
            restrict: from the logits of the next tokens, (samples, V), to those that are drawn from; asked after what
                was drawn before has been given out.
        """
        network, count = self._network, sampling.samples
        seen = torch.tensor(list(prompt))
        sampler = Sampler(sampling, forbidden, seen, network.dims.vocabulary_size)
        with torch.no_grad():
            features, _, state = network(seen.unsqueeze(1))
            logits = self._log_probabilities(features[-1]).expand(count, -1).clone()
            streams: list[Any] = [
                layer.stream(_expanded(part, count)) for layer, part in zip(network.recurrent, state, strict=True)
            ]
        for _ in range(sampling.length):
            with torch.no_grad():
                drawn = sampler(logits if restrict is None else restrict(logits))
            yield drawn.tolist()
            with torch.no_grad():
                x = network.embed(drawn)
                with self._precision():
                    for stream in streams:
                        x = stream(x).float()
                logits = self._log_probabilities(self._projection(x))

    def _log_probabilities(self, features: Tensor) -> Tensor:
        if self._softmax is None:
            return self._network.log_probabilities(features)
        return self._softmax(features).log_softmax(-1)

    def _precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self._rounds)


def _expanded(state: tuple[Tensor, ...], count: int) -> Tensor | tuple[Tensor, ...]:
    parts = tuple(part.expand(-1, count, -1).contiguous() for part in state)
    return parts if len(parts) > 1 else parts[0]
