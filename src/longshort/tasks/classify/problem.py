"""Examples in batches of like length, and the cross-entropy of their classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.data.batching import batches_by_length
from longshort.tasks.classify.batch import Batch
from longshort.tasks.classify.config import Plan
from longshort.tasks.classify.network import ClassifyNetwork
from longshort.tasks.classify.numbers import EncodedNumbers
from longshort.tasks.classify.words import EncodedTexts
from longshort.training.problem import Problem, Turn

IntArray = NDArray[np.int64]
Encoded = EncodedTexts | EncodedNumbers
# Examples, and the class of each, (N,).
Part = tuple[Encoded, IntArray]

# So many examples of the validation part are looked at each time, so many at once.
VALIDATION_EXAMPLES = 2_000
VALIDATION_BATCH = 128


class ClassifyProblem(Problem[Batch]):
    """The classes of examples.

    Args:
        network: to train.
        training, validation: examples and their classes.
        plan: sizes.
        seed: of the order of the examples.
        balanced: whether all classes of the training part weigh the same.
    """

    def __init__(
        self,
        network: ClassifyNetwork,
        training: Part,
        validation: Part,
        plan: Plan,
        seed: int,
        balanced: bool = False,
    ) -> None:
        self.network: nn.Module = network
        self.plan, self.seed = plan, seed
        self._training, self._validation = training, validation
        self._lengths = training[0].lengths
        self._epoch: tuple[int, list[IntArray]] = (-1, [])
        counts = np.bincount(training[1], minlength=len(plan.classes))
        weights = len(training[1]) / (len(counts) * np.maximum(counts, 1))  # of the examples, 1 in the mean
        self._weights = torch.from_numpy(weights).float() if balanced else None

    def training_batch(self, turn: Turn) -> Batch:
        """The next batch: all examples once, then all once again in another order."""
        per_epoch = -(-len(self._lengths) // self.plan.batch_size)
        epoch, number = divmod(turn.step * turn.parts + turn.part, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, batches_by_length(self._lengths, self.plan.batch_size, [self.seed, epoch])
        return _batch(self._training, self._epoch[1][number])

    def validation_batches(self) -> Sequence[Batch]:
        """The validation part, or some of it, by length."""
        encoded, _ = self._validation
        chosen = np.random.default_rng(self.seed).permutation(len(encoded))[:VALIDATION_EXAMPLES]
        cuts = batches_by_length(encoded.lengths[chosen], VALIDATION_BATCH, self.seed, spread=0)
        return [_batch(self._validation, chosen[cut]) for cut in cuts]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Mean cross-entropy in nats, weighted if asked for, smoothed in training; and the number of examples."""
        logits, count = network(batch).float(), len(batch.targets)
        smoothing = self.plan.label_smoothing if network.training else 0.0
        weights = None if self._weights is None else self._weights.to(logits.device)
        total = F.cross_entropy(logits, batch.targets, weights, label_smoothing=smoothing, reduction="sum")
        return total / count, count


def _batch(examples: Part, chosen: IntArray) -> Batch:
    encoded, targets = examples
    return encoded.batch(chosen, targets[chosen])
