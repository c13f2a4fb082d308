"""Text token by token: the network one step at a time, its state kept in the layers' streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from longshort import ops
from longshort.data.tokens import Tokenizer
from longshort.tasks.language.network import LanguageNetwork
from longshort.tasks.language.sampling import Sampler, Sampling


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

    def generate(self, prompt: Sequence[int], sampling: Sampling, forbidden: int | None) -> Iterator[list[int]]:
        """The next token of every sample, again and again.

        Args:
            prompt: tokens to go on from, at least one.
            sampling: how to draw.
            forbidden: a token that is never drawn, or None.
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
                drawn = sampler(logits)
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


class Text:
    """One sample as it grows: gives out what can no longer become part of a stop text or of half a character."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], stop: Sequence[str]) -> None:
        self._stream = tokenizer.stream(prompt)
        self._stop = stop
        self._held = ""
        self.ended = False

    def add(self, token: int) -> str:
        """The text that is certain once this token has come."""
        if self.ended:
            return ""
        return self._release(self._stream.feed(token))

    def end(self) -> str:
        """The rest, when no more tokens come."""
        if self.ended:
            return ""
        rest = self._release(self._stream.finish())
        self.ended = True
        return rest + self._held

    def _release(self, text: str) -> str:
        self._held += text
        found = [place for place in map(self._held.find, self._stop) if place >= 0]
        if found:
            self.ended = True
            given, self._held = self._held[: min(found)], ""
            return given
        keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        given, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return given


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text are the beginning of a stop text."""
    return next((k for k in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:k])), 0)
