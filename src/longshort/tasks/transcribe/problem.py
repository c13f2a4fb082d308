"""Recordings in batches of like length, and CTC's loss of their transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.data.batching import batches_by_length
from longshort.tasks.transcribe.augmentation import Augmentation
from longshort.tasks.transcribe.config import EDGE, Plan, kernel_of
from longshort.tasks.transcribe.units import BLANK, IntArray, needed
from longshort.training.problem import Problem, Turn

FloatArray = NDArray[np.float32]

# So many recordings of the validation part are looked at each time, so many at once.
VALIDATION_RECORDINGS = 1_000
VALIDATION_BATCH = 64


class Part(NamedTuple):
    """Recordings of a part: normalised features, (T_i, C) each, and units, (L_i,) each."""

    features: Sequence[FloatArray]
    units: Sequence[IntArray]


class Batch(NamedTuple):
    """B recordings of T frames at most.

    Attributes:
        frames: 0 behind the end of a recording, (T, B, C).
        lengths: frames of each, (B,).
        units: of all, one after the other.
        counts: units of each, (B,).
    """

    frames: Tensor
    lengths: Tensor
    units: Tensor
    counts: Tensor


class TranscribeProblem(Problem[Batch]):
    """The transcripts of recordings.

    Args:
        network: to train.
        training, validation: recordings.
        plan: sizes.
        augmentation: what is done to features in training.
        seed: of the order of the recordings.
    """

    def __init__(
        self,
        network: nn.Module,
        training: Part,
        validation: Part,
        plan: Plan,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self.network: nn.Module = network
        self.plan, self.seed, self._augment = plan, seed, augmentation
        self._training, self._validation = training, validation
        self._lengths = np.array([len(f) for f in training.features])
        # Frames below which a transcript has no room.
        self._least = [
            max(1, (needed(units) - 1) * plan.stride + kernel_of(plan.stride) - 2 * EDGE) for units in training.units
        ]
        self._epoch: tuple[int, list[IntArray]] = (-1, [])

    def training_batch(self, turn: Turn) -> Batch:
        """The next batch: all recordings once, then all once again in another order, each time as a variant."""
        per_epoch = -(-len(self._lengths) // self.plan.batch_size)
        epoch, number = divmod(turn.step * turn.parts + turn.part, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, batches_by_length(self._lengths, self.plan.batch_size, [self.seed, epoch])
        chosen = self._epoch[1][number]
        features = [self._augment(self._training.features[k], self._least[k], turn.rng) for k in chosen]
        return batch(features, [self._training.units[k] for k in chosen])

    def validation_batches(self) -> Sequence[Batch]:
        """The validation part, or some of it, by length."""
        features, units = self._validation
        chosen = np.random.default_rng(self.seed).permutation(len(features))[:VALIDATION_RECORDINGS]
        lengths = [len(features[k]) for k in chosen]
        cuts = batches_by_length(lengths, VALIDATION_BATCH, self.seed, spread=0)
        return [batch([features[k] for k in chosen[cut]], [units[k] for k in chosen[cut]]) for cut in cuts]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """CTC's loss of a unit in nats (Graves et al. 2006), and the number of units."""
        logs, steps = network(batch.frames, batch.lengths)
        total = F.ctc_loss(
            logs, batch.units, steps, batch.counts, blank=BLANK, reduction="sum", zero_infinity=network.training
        )
        count = int(batch.counts.sum())
        return total / count, count


def padded(features: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
    """Recordings side by side, (T, B, C), 0 behind their ends; and their lengths, (B,)."""
    lengths = torch.tensor([len(f) for f in features])
    frames = torch.zeros(int(lengths.max()), len(features), features[0].shape[1])
    for k, found in enumerate(features):
        frames[: len(found), k] = torch.from_numpy(found)
    return frames, lengths


def batch(features: Sequence[FloatArray], units: Sequence[IntArray]) -> Batch:
    """Recordings as the network reads them at once."""
    frames, lengths = padded(features)
    counts = torch.tensor([len(u) for u in units])
    return Batch(frames, lengths, torch.from_numpy(np.concatenate(units)), counts)
