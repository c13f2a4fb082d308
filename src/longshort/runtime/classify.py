"""Classifiers: the probability of every class of texts, or of sequences of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.batching import batches_by_length
from longshort.data.examples import Texts
from longshort.errors import InputError, Note
from longshort.runtime.functions import softmax
from longshort.runtime.layers import Recurrent
from longshort.runtime.weights import Weights
from longshort.tasks.classify.batch import Arrays
from longshort.tasks.classify.config import ClassifyConfig
from longshort.tasks.classify.encoder import Encoder, read_encoder
from longshort.tasks.classify.examples import check_fits, read
from longshort.tasks.classify.temperature import probabilities

FloatArray = NDArray[np.float32]
Columns = dict[str, NDArray[Any]]

# So many padded steps are read at once.
STEPS = 8_192


class Classifier:
    """What `longshort.Classifier` says of examples, without PyTorch. Made by `longshort.runtime.load`."""

    def __init__(self, networks: Sequence[Network], encoder: Encoder, model: dict[str, Any]) -> None:
        self._networks, self._encoder, self._model = networks, encoder, model

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> Classifier:
        """From a run of the task "classify"."""
        config, model = ClassifyConfig.from_dict(settings), run.read_json("model.json")
        weights = Weights.of(run)
        members = range(model["plan"]["members"])
        networks = [Network(config.cell, config.pools, weights.under(str(k))) for k in members]
        return cls(networks, read_encoder(run, config.character_buckets, config.max_length), model)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return tuple(self._model["plan"]["classes"])

    def predict(self, data: Any) -> Columns:
        """The most likely class of examples, and the probability of every class.

        Args:
            data: a list of texts; a list of arrays of shape (steps, channels), NaN where missing; or a path or a table
                as `longshort.Classifier.predict` takes them, to read which needs Polars and Narwhals.

        Returns:
            `text` or `id`, `label`, and `p_<class>` for every class, which add up to 1; a row for each example.

        Raises:
            InputError: the examples cannot be read, or are not of the kind or the channels that were learnt from.
        """
        try:
            found = read(data, self._model["columns"], need_labels=False)
        except ImportError as error:
            raise InputError(f"reading tables needs Polars: pip install polars narwhals ({error})") from None
        check_fits(found, self._model["plan"]["kind"], self._model["channels"])
        texts = isinstance(found, Texts)
        p = probabilities(self._logits(found.texts if isinstance(found, Texts) else found.values), self._temperature)
        return {
            "text" if texts else "id": np.array(found.texts if isinstance(found, Texts) else found.ids, dtype=object),
            "label": np.array(self.classes, dtype=object)[p.argmax(1)],
            **{f"p_{label}": p[:, k] for k, label in enumerate(self.classes)},
        }

    @property
    def _temperature(self) -> float:
        temperature: float = self._model["temperature"]
        return temperature

    def _logits(self, content: Sequence[Any]) -> NDArray[np.float64]:
        encoded = self._encoder.encode(content)
        texts = self._model["plan"]["kind"] == "texts"
        if encoded.cut:
            longest = f"{self._encoder.longest:,} {'words' if texts else 'steps'}"
            warnings.warn(f"{encoded.cut:,} of {len(content):,} examples are cut to {longest}", Note, stacklevel=3)
        if encoded.unknown:
            what = f"{encoded.unknown:,} of {len(content):,} texts hold no word that was learnt"
            warnings.warn(f"{what}: they are judged by their letters alone", Note, stacklevel=3)
        logits = np.zeros((len(content), len(self.classes)))
        size = max(1, STEPS // int(encoded.lengths.max(initial=1)))
        for chosen in batches_by_length(encoded.lengths, size, 0, spread=0):
            batch = encoded.arrays(chosen)
            logits[chosen] = np.mean([network(batch).astype(np.float64) for network in self._networks], 0)
        return logits


class Network:
    """The equations of `longshort.tasks.classify.network`, in evaluation."""

    def __init__(self, cell: str, pools: Sequence[str], weights: Weights) -> None:
        self._weights, self._pools = weights, pools
        count = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
        self._layers = [Recurrent(cell, weights.under(f"layers.{k}")) for k in range(count)]

    def __call__(self, batch: Arrays) -> FloatArray:
        """Logits of every class, (B, K), of examples by the names of `batch.Batch`."""
        x, lengths = self._inputs(batch), batch["lengths"]
        for layer in self._layers:
            x, _ = layer(x, lengths=lengths)
        mask = (np.arange(len(x))[:, None] < lengths)[..., None]
        return self._weights.linear("output", np.concatenate([self._pool(x, mask, pool) for pool in self._pools], 1))

    def _inputs(self, batch: Arrays) -> FloatArray:
        if "embedding.weight" not in self._weights:
            return batch["steps"]
        vectors = self._weights["embedding.weight"][batch["words"]]
        if "pieces.weight" in self._weights:
            vectors = vectors + _means(self._weights["pieces.weight"], batch["pieces"], batch["offsets"])
        return vectors[batch["steps"]]

    def _pool(self, x: FloatArray, mask: NDArray[np.bool_], pool: str) -> FloatArray:
        """From outputs (T, B, F), 0 at padded steps, to (B, F)."""
        if pool == "mean":
            mean: FloatArray = x.sum(0) / mask.sum(0).astype(np.float32)
            return mean
        if pool == "max":
            largest: FloatArray = np.where(mask, x, -np.inf).max(0)
            return largest
        w = self._weights
        scores = w.linear("pooling.score.2", np.tanh(w.linear("pooling.score.0", x)))
        pooled: FloatArray = (softmax(np.where(mask, scores, np.float32(-np.inf)), 0) * x).sum(0)
        return pooled


def _means(table: FloatArray, chosen: NDArray[np.int64], offsets: NDArray[np.int64]) -> FloatArray:
    """Of each bag the mean of the rows that it chooses, (U, E); 0 for an empty one."""
    counts = np.diff(np.append(offsets, len(chosen)))
    sums = np.zeros((len(offsets), table.shape[1]), np.float32)
    full = counts > 0
    if full.any():
        sums[full] = np.add.reduceat(table[chosen], offsets[full], axis=0)
    means: FloatArray = sums / np.maximum(counts, 1).astype(np.float32)[:, None]
    return means
