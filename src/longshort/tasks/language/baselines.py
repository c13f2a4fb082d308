"""What a language model is compared with: counts of what followed what, and a general-purpose compressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.tokens import Tokenizer
from longshort.sequence.kneser_ney import KneserNey, best_order
from longshort.tasks.language.evaluation import compressed_bits

# Orders that are tried; characters say less each, so more of them count.
ORDERS = {"characters": 8, "bytes": 8, "words": 5, "subwords": 5}
# Longer texts are not compressed: it would take minutes.
COMPRESSIBLE = 20_000_000


@dataclass(frozen=True)
class Baselines:
    """Fitted to the training part.

    Attributes:
        counts: the model of counts, with the order that validated best.
        tokenizer, training: to decompress for the compressor, which reads the training text first.
    """

    counts: KneserNey
    tokenizer: Tokenizer
    training: NDArray[np.integer[Any]]

    @classmethod
    def fit(
        cls,
        tokenizer: Tokenizer,
        training: NDArray[np.integer[Any]],
        validation: NDArray[np.integer[Any]] | None = None,
        order: int | None = None,
    ) -> Baselines:
        """Count; the order is the one given, or else the one that foretells the validation part best."""
        if order is None:
            assert validation is not None
            order = best_order(training, validation, len(tokenizer), ORDERS[tokenizer.kind])
        return cls(KneserNey(order).fit(training, len(tokenizer)), tokenizer, training)

    @property
    def name(self) -> str:
        """How the model of counts is called in tables."""
        return f"Kneser-Ney, order {self.counts.order}"

    def log_probabilities(
        self, ids: NDArray[np.integer[Any]], context: NDArray[np.integer[Any]]
    ) -> NDArray[np.float64]:
        """Natural log-probability of every token by the counts, (N,)."""
        return self.counts.log_probabilities(ids, context)

    def compressed(self, text: str) -> float | None:
        """Bits per character of the compressor; None where tokens are words or the text is very long."""
        if self.tokenizer.kind == "words" or len(self.training) > COMPRESSIBLE:
            return None
        return compressed_bits(self.tokenizer.decode(self.training), text)
