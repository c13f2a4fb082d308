"""Cells on handwritten digits that are read pixel by pixel, beside a regression that sees all pixels at once."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import torch
from torch import nn

from longshort.scores import HIGHEST, Metric, Overall
from longshort.study.comparison.recipes import Recipe
from longshort.study.comparison.sequences import SequenceContest, exactly, percents
from longshort.study.mnist import PIXELS, DigitProblem, Mnist, batches, read_mnist
from longshort.study.network import StudyNetwork

MAJORITY, REGRESSION = "Most frequent digit", "Logistic regression"
# Passes over the images in which the regression is fitted: more bring it little.
ITERATIONS = 50


class ImageContest(SequenceContest):
    """Sequential or permuted MNIST.

    Args:
        name: mnist or permuted-mnist.
        recipe: how it is trained.
    """

    loss = "mean cross-entropy in nats"
    metrics = {  # noqa: RUF012 - as the base class says
        "accuracy": Metric("Share of the images that are told right. High is good.", HIGHEST, percents),
        "loss": Metric("Mean cross-entropy in nats. Low is good.", show=exactly),
    }
    tested = "the 10,000 test images"

    def __init__(self, name: str, recipe: Recipe) -> None:
        super().__init__(recipe, 1, 10, every_step=False, lag=PIXELS)
        self.permuted = name == "permuted-mnist"
        self.title = "permuted MNIST" if self.permuted else "sequential MNIST"
        self.meaning = "tell which digit an image shows, read pixel by pixel" + (
            ", in an order that is shuffled once and for all" if self.permuted else ""
        )
        self.explained = (
            "The regression sees the whole image at once and remembers nothing: it is no rival in reading, but says "
            "what the pixels alone are worth."
        )

    @functools.cached_property
    def data(self) -> Mnist:
        """The digits."""
        return read_mnist(permuted=self.permuted)

    def problem(self, network: StudyNetwork, seed: int) -> DigitProblem:
        """The task around a network."""
        return DigitProblem(network, self.data, batch_size=self.recipe.batch_size, seed=seed)

    def test(self, network: nn.Module) -> Overall:
        """On the test images."""
        loss, right = 0.0, 0
        with torch.no_grad():
            for batch in batches(self.data.test):
                logits = network(batch.x)
                loss += nn.functional.cross_entropy(logits, batch.targets, reduction="sum").item()
                right += int((logits.argmax(-1) == batch.targets).sum())
        n = len(self.data.test)
        return {"ours": {"accuracy": right / n, "loss": loss / n}, **self._baselines}

    @functools.cached_property
    def _baselines(self) -> Overall:
        training, test = self.data.training, self.data.test
        shares = np.bincount(training.labels, minlength=10) / len(training)
        of = {"accuracy": float((test.labels == shares.argmax()).mean())}
        found: Overall = {MAJORITY: {**of, "loss": float(-np.log(np.maximum(shares, 1e-12))[test.labels].mean())}}
        try:
            from sklearn.linear_model import LogisticRegression
            from sklearn.metrics import log_loss
        except ImportError:  # an extra; the task goes without
            return found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so few need not converge
            scaled = (part.pixels.astype(np.float32) / 255 for part in (training, test))
            regression = LogisticRegression(max_iter=ITERATIONS).fit(next(scaled), training.labels)
        p = regression.predict_proba(next(scaled))
        found[REGRESSION] = {
            "accuracy": float((regression.classes_[p.argmax(1)] == test.labels).mean()),
            "loss": float(log_loss(test.labels, p, labels=regression.classes_)),
        }
        return found
