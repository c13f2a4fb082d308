"""The training problem: tunes of like length side by side, each transposed and cut anew every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from longshort.data.batching import batches_by_length
from longshort.sequence.network import LanguageNetwork
from longshort.tasks.compose.config import Plan
from longshort.tasks.compose.network import FrameNetwork, frame_losses
from longshort.tasks.compose.pieces import Encoding, Piece
from longshort.training.problem import Problem, Turn


class Batch(NamedTuple):
    """B tunes of up to T steps.

    Attributes:
        inputs: tokens, (T, B), or frames, (T, B, K).
        targets: what comes next, of the same shape.
        lengths: steps of each tune, (B,).
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    @property
    def held(self) -> Tensor:
        """Which steps are no padding, (T, B)."""
        return torch.arange(len(self.inputs), device=self.lengths.device)[:, None] < self.lengths[None, :]


class TuneProblem(Problem[Batch]):
    """What comes next in a tune.

    Args:
        network: to train.
        encoding: of the tunes.
        training, validation: tunes.
        plan: sizes.
        seed: of the order, the transpositions and the cuts.
    """

    def __init__(
        self,
        network: LanguageNetwork | FrameNetwork,
        encoding: Encoding,
        training: Sequence[Piece],
        validation: Sequence[Piece],
        plan: Plan,
        seed: int,
    ) -> None:
        self.network: nn.Module = network
        self.encoding, self.plan, self.seed = encoding, plan, seed
        self._training = [encoding.whole(piece) for piece in training]
        self._lengths = [min(len(piece) - 1, plan.window) for piece in self._training]
        # A long tune is as many windows long: it is met as many times in an epoch.
        times = [-(-(len(piece) - 1) // plan.window) for piece in self._training]
        self._turns = np.repeat(np.arange(len(times)), times)
        self._validation = [encoding.whole(piece) for piece in validation]

    def training_batch(self, turn: Turn) -> Batch:
        """Tunes of like length, each from a place and in a key of its own."""
        size = self.plan.batch_size * turn.parts
        per_epoch = -(-len(self._turns) // size)
        epoch, number = divmod(turn.step, per_epoch)
        lengths = [self._lengths[k] for k in self._turns]
        whole = batches_by_length(lengths, size, [self.seed, epoch])[number]
        mine = whole[turn.part :: turn.parts]
        rng = np.random.default_rng([self.seed, turn.step, turn.part])
        return collate([self._cut(self._training[self._turns[k]], rng) for k in (mine if len(mine) else whole)])

    def _cut(self, piece: Piece, rng: np.random.Generator) -> Piece:
        if self.plan.transpose:
            down, up = self.encoding.room(piece)
            low, high = max(-self.plan.transpose, down), min(self.plan.transpose, up)
            piece = self.encoding.transposed(piece, int(rng.integers(low, high + 1)))
        spare = len(piece) - 1 - self.plan.window
        begin = int(rng.integers(0, spare + 1)) if spare > 0 else 0
        return piece[begin : begin + self.plan.window + 1]

    def validation_batches(self) -> Sequence[Batch]:
        """Whole tunes, in their own keys."""
        return list(whole_batches(self._validation, self.plan.batch_size))

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Mean negative log-likelihood in nats of a token, or of a frame; and their number."""
        held = batch.held
        count = int(batch.lengths.sum())
        if isinstance(network, LanguageNetwork):
            features, _, _ = network(batch.inputs)
            return network.loss(features[held], batch.targets[held]), count
        logits, _ = network(batch.inputs)
        return frame_losses(logits[held], batch.targets[held]).mean(), count


def collate(pieces: Sequence[Piece]) -> Batch:
    """Tunes with a zero behind the shorter ones."""
    lengths = torch.tensor([len(piece) - 1 for piece in pieces])
    padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(np.ascontiguousarray(piece)) for piece in pieces])
    padded = padded.long() if padded.dim() == 2 else padded.float()
    return Batch(padded[:-1], padded[1:], lengths)


def whole_batches(pieces: Sequence[Piece], size: int) -> Sequence[Batch]:
    """All tunes, the short ones first."""
    order = sorted(range(len(pieces)), key=lambda k: len(pieces[k]))
    return [collate([pieces[k] for k in order[i : i + size]]) for i in range(0, len(order), size)]
