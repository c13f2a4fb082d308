"""The training problem: streams of text read window by window, with the state carried on from one to the next.

Truncated back-propagation through time (Williams & Peng 1990): gradients stay in a window, the state does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.sequence.network import LanguageNetwork, State
from longshort.tasks.language.config import LanguageConfig, Plan
from longshort.training.problem import Problem, Turn

# The validation part is read in so many streams, up to so many tokens at a look.
VALIDATION_STREAMS = 16
VALIDATION_TOKENS = 200_000
VALIDATION_WINDOW = 128


class Batch(NamedTuple):
    """Windows of B streams.

    Attributes:
        ids: tokens and, behind them, the one that follows, (T + 1, B).
        first: whether the streams begin here.
    """

    ids: Tensor
    first: bool


class LanguageProblem(Problem[Batch]):
    """Next tokens of a text.

    Args:
        network: to train.
        training, validation: tokens, (N,) each.
        plan, config: sizes and penalties.
        seed: of where each pass through the text begins.
    """

    def __init__(
        self,
        network: LanguageNetwork,
        training: NDArray[np.integer],
        validation: NDArray[np.integer],
        plan: Plan,
        config: LanguageConfig,
    ) -> None:
        self.network: nn.Module = network
        self.plan, self.config = plan, config
        self._training = torch.from_numpy(training.astype(np.int64))
        self._validation = torch.from_numpy(validation.astype(np.int64))[:VALIDATION_TOKENS]
        self._state: State | None = None

    def training_batch(self, turn: Turn) -> Batch:
        """The next window of every stream; a pass over the text begins a little further on than the last one did."""
        streams, window = self.plan.batch_size * turn.parts, self.plan.window
        length = (len(self._training) - 1) // streams
        windows = max(1, (length - 1) // window)
        epoch, number = divmod(turn.step, windows)
        spare = max(0, length - windows * window)
        shift = int(np.random.default_rng([self.config.seed, epoch]).integers(0, spare + 1))
        begins = length * np.arange(turn.part, streams, turn.parts) + shift + number * window
        steps = torch.from_numpy(begins[None, :] + np.arange(min(window, length) + 1)[:, None])
        return Batch(self._training[steps], first=number == 0)

    def validation_batches(self) -> Sequence[Batch]:
        """The whole validation part as one batch, so that its state can be carried along."""
        streams = max(1, min(VALIDATION_STREAMS, len(self._validation) // (2 * VALIDATION_WINDOW)))
        length = (len(self._validation) - 1) // streams
        steps = length * torch.arange(streams)[None, :] + torch.arange(length + 1)[:, None]
        return [Batch(self._validation[steps], first=True)]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Mean negative log-likelihood in nats, in training with the penalties; and the number of tokens."""
        assert isinstance(network, LanguageNetwork)
        if network.training:
            return self._training_loss(network, batch), batch.ids[1:].numel()
        state: State | None = None
        total = torch.zeros((), dtype=torch.float64)
        for window in _windows(batch.ids, VALIDATION_WINDOW):
            features, _, state = network(window[:-1], state)
            total += network.loss(features, window[1:]).cpu().double() * window[1:].numel()
        count = batch.ids[1:].numel()
        return (total / count).float(), count

    def _training_loss(self, network: LanguageNetwork, batch: Batch) -> Tensor:
        state = None if batch.first else self._state
        features, output, after = network(batch.ids[:-1], state)
        self._state = tuple(tuple(part.detach() for part in layer) for layer in after)
        loss = network.loss(features, batch.ids[1:])
        if self.config.activation_penalty:
            loss = loss + self.config.activation_penalty * output.float().square().mean()
        if self.config.temporal_penalty:
            loss = loss + self.config.temporal_penalty * output.float().diff(dim=0).square().mean()
        return loss

    def memory(self) -> dict[str, Tensor]:
        """The state that is carried from window to window."""
        return {f"{k}.{j}": part for k, layer in enumerate(self._state or ()) for j, part in enumerate(layer)}

    def remember(self, memory: Mapping[str, Tensor]) -> None:
        """Take up what `memory` gave."""
        layers = sorted({int(name.partition(".")[0]) for name in memory})
        parts = [[memory[n] for n in sorted(memory) if n.partition(".")[0] == str(k)] for k in layers]
        self._state = tuple(tuple(p) for p in parts) or None


def _windows(ids: Tensor, window: int) -> Iterator[Tensor]:
    """Cut (T + 1, B) into windows that share their first and last token."""
    for begin in range(0, len(ids) - 1, window):
        yield ids[begin : begin + window + 1]
