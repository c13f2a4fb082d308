"""Handwritten digits as sequences of 784 pixels, in reading order or shuffled (Le, Jaitly & Hinton 2015)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.data.datasets import dataset_path
from longshort.errors import InputError
from longshort.study.dependencies import Batch
from longshort.training.problem import Problem, Turn

PIXELS = 784
# The last images of the training set tell which weights to keep.
VALIDATION = 5_000
VALIDATION_BATCH = 500
# Of the one permutation that all networks read, whatever their seeds.
PERMUTATION = 0


@dataclass(frozen=True)
class Digits:
    """Images as sequences.

    Attributes:
        pixels: (N, 784), uint8.
        labels: (N,), int64, from 0 to 9.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, of: NDArray[np.int64] | slice) -> Batch:
        """Some of them: x (784, B, 1), each pixel from 0 to 1, and the labels."""
        pixels = torch.from_numpy(self.pixels[of].astype(np.float32) / 255)
        return Batch(pixels.T.unsqueeze(-1).contiguous(), torch.from_numpy(self.labels[of]))


@dataclass(frozen=True)
class Mnist:
    """The data set: 55,000 images to learn from, 5,000 to validate on, 10,000 for the test."""

    training: Digits
    validation: Digits
    test: Digits


def read_mnist(*, permuted: bool = False) -> Mnist:
    """The digits, from `images/mnist.train.npz` and `images/mnist.test.npz` in LONGSHORT_DATA, else downloaded.

    Args:
        permuted: whether the pixels of all images are shuffled, in one and the same way.

    Raises:
        InputError: a file is not as it should be, or there is none and none can be fetched.
    """
    order = np.random.default_rng(PERMUTATION).permutation(PIXELS) if permuted else np.arange(PIXELS)
    whole, test = (Digits(images.reshape(len(images), PIXELS)[:, order], labels) for images, labels in _arrays())
    learn, held = slice(None, -VALIDATION), slice(-VALIDATION, None)
    training, validation = (Digits(whole.pixels[part], whole.labels[part]) for part in (learn, held))
    return Mnist(training, validation, test)


class DigitProblem(Problem[Batch]):
    """Which digit a sequence of pixels shows.

    Args:
        network: to train.
        data: what it learns from.
        batch_size: of the training.
        seed: of the order of the images.
    """

    def __init__(self, network: nn.Module, data: Mnist, *, batch_size: int, seed: int) -> None:
        self.network, self.data, self.batch_size, self.seed = network, data, min(batch_size, len(data.training)), seed
        self._epoch, self._order = -1, np.zeros(0, dtype=np.int64)

    def training_batch(self, turn: Turn) -> Batch:
        """The next images of an order that is another one in every epoch."""
        a_epoch = len(self.data.training) // self.batch_size
        epoch, place = divmod(turn.step, a_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = (
                epoch,
                np.random.default_rng([self.seed, epoch]).permutation(len(self.data.training)),
            )
        return self.data.training.batch(self._order[place * self.batch_size : (place + 1) * self.batch_size])

    def validation_batches(self) -> Sequence[Batch]:
        """The validation images."""
        return batches(self.data.validation)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Mean cross-entropy, and the number of images."""
        return F.cross_entropy(network(batch.x).float(), batch.targets), len(batch.targets)


def batches(digits: Digits) -> list[Batch]:
    """All images, some hundreds at once."""
    return [digits.batch(slice(k, k + VALIDATION_BATCH)) for k in range(0, len(digits), VALIDATION_BATCH)]


def _arrays() -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images (N, 28, 28) and labels (N,) of the training set and of the test set."""
    folder = os.environ.get("LONGSHORT_DATA")
    parts = [Path(folder or "") / f"images/mnist.{part}.npz" for part in ("train", "test")]
    if folder and all(path.is_file() for path in parts):
        return [_read(path, "images", "labels") for path in parts]
    whole = dataset_path("images/mnist.npz")
    return [_read(whole, f"x_{part}", f"y_{part}") for part in ("train", "test")]


def _read(path: Path, images: str, labels: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            found, of = file[images], file[labels].astype(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no arrays {images} and {labels} ({error}): fetch it again") from None
    if found.dtype != np.uint8 or found.shape != (len(of), 28, 28):
        raise InputError(
            f"{path}: {images} must be (n, 28, 28), uint8, not {found.shape}, {found.dtype}: fetch it again"
        )
    return found, of
