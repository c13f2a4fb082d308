"""The held-out passage that the report looks into: its tokens, their probabilities, and every state on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from longshort.tasks.language import scoring

if TYPE_CHECKING:
    from longshort.tasks.language.estimator import LanguageModel

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """A text as the network read it.

    Attributes:
        tokens: as they stand in the text, (N,).
        labels: printable, (N,).
        bits: the surprise of each token, −log2 of its probability given those before it, (N,).
        states: of the last layer after each token: gate or state -> (N, H).
    """

    tokens: list[str]
    labels: list[str]
    bits: FloatArray
    states: dict[str, FloatArray]

    @classmethod
    def of(cls, model: LanguageModel) -> Passage:
        """The first tokens that were held out."""
        fitted, network = model.fitted, model.fitted.network
        ids, tokenizer = fitted.passage, fitted.tokenizer
        before = fitted.before_passage
        logs = scoring.log_probabilities(network, ids, before)
        stream = tokenizer.stream(before)
        with torch.no_grad():
            text = torch.from_numpy(np.concatenate([before, ids]).astype(np.int64)).unsqueeze(1)
            x = network.embed(text)
            for layer in network.recurrent[:-1]:
                x, _ = layer(x)
            trace = network.recurrent[-1].trace(x)
        own = slice(len(before), None)
        states = {key: getattr(trace, key)[0, 0, own, 0].double().numpy() for key in trace._fields}
        return cls(
            tokens=[stream.feed(token) for token in ids.tolist()],
            labels=[tokenizer.label(token) for token in ids.tolist()],
            bits=-logs / np.log(2),
            states=states,
        )
