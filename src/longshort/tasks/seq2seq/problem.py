"""The training problem: teacher forcing over batches of pairs of like length, filled up to a token budget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.data.batching import batches_by_budget
from longshort.tasks.seq2seq.batch import Batch, make_batch
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.training.problem import Problem, Turn

IntArray = NDArray[np.int32]

# So many pairs of the validation part are looked at each time, so many padded tokens at once.
VALIDATION_PAIRS = 2_000
VALIDATION_TOKENS = 8_192


@dataclass(frozen=True)
class Encoded:
    """N pairs as tokens.

    Attributes:
        sources: (S_i,) each, at least 1.
        targets: without begin and end, (T_i,) each.
        begin, end: tokens around every target.
    """

    sources: Sequence[IntArray]
    targets: Sequence[IntArray]
    begin: int
    end: int

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """What a pair takes of a batch's budget: the longer of its sides, (N,)."""
        pairs = zip(self.sources, self.targets, strict=True)
        return np.array([max(len(source), len(target) + 1) for source, target in pairs], dtype=np.int64)

    def batch(self, chosen: NDArray[np.int64]) -> Batch:
        """Some of the pairs."""
        sources, targets = [self.sources[k] for k in chosen], [self.targets[k] for k in chosen]
        return make_batch(sources, targets, self.begin, self.end)


class Seq2SeqProblem(Problem[Batch]):
    """The next token of a target, given the source and the target's tokens before.

    Args:
        network: to train.
        training, validation: pairs.
        budget: padded tokens of a batch.
        label_smoothing: of the training targets.
        coverage_weight: of the penalty on looking twice.
        seed: of the order of the pairs.
    """

    def __init__(
        self,
        network: Seq2SeqNetwork,
        training: Encoded,
        validation: Encoded,
        *,
        budget: int,
        label_smoothing: float,
        coverage_weight: float,
        seed: int,
    ) -> None:
        self.network: nn.Module = network
        self.seed, self.budget = seed, budget
        self._smoothing, self._coverage = label_smoothing, coverage_weight
        self._training, self._validation = training, validation
        self._lengths = training.lengths
        self._ends: list[int] = []  # of every epoch, how many batches it and those before it have
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def training_batch(self, turn: Turn) -> Batch:
        """The next batch: all pairs once, then all once again in another order."""
        number = turn.step * turn.parts + turn.part
        while not self._ends or self._ends[-1] <= number:
            self._ends.append((self._ends or [0])[-1] + len(self._batches(len(self._ends))))
        epoch = bisect_right(self._ends, number)
        return self._training.batch(self._batches(epoch)[number - ([0, *self._ends][epoch])])

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        if self._epoch[0] != epoch:
            self._epoch = epoch, batches_by_budget(self._lengths, self.budget, [self.seed, epoch])
        return self._epoch[1]

    def validation_batches(self) -> Sequence[Batch]:
        """The validation part, or some of it, by length."""
        chosen = np.random.default_rng(self.seed).permutation(len(self._validation))[:VALIDATION_PAIRS]
        cuts = batches_by_budget(self._validation.lengths[chosen], VALIDATION_TOKENS, self.seed, spread=0)
        return [self._validation.batch(chosen[cut]) for cut in cuts]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Mean negative log-likelihood of a target token in nats, in training smoothed and with the penalty."""
        assert isinstance(network, Seq2SeqNetwork)
        count = int(batch.target_lengths.sum())
        if not network.training:
            return network.loss(batch).likelihood, count
        loss = network.loss(batch, self._smoothing)
        penalty = 0.0 if loss.penalty is None else self._coverage * loss.penalty
        return loss.likelihood + penalty, count


def batch_count(lengths: NDArray[np.int64], budget: int) -> int:
    """About how many batches an epoch has."""
    return max(1, len(batches_by_budget(lengths, budget, 0)))
