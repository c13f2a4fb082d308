"""What is looked at to explain a language model: the end of a text, and passages of the held-out text beside it."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.errors import InputError, Note
from longshort.explainable import Explainable, sequences
from longshort.tasks.language.evaluation import ONE

if TYPE_CHECKING:
    from longshort.tasks.language.estimator import LanguageModel

IntArray = NDArray[np.int32]

# Tokens that are looked at by default, and at least.
STEPS = 400
LEAST = 4


def explainable(model: LanguageModel, ids: IntArray | None, steps: int | None) -> Explainable:
    """The network, and what it says of the token after a text.

    Args:
        model: fitted.
        ids: the text, of which the last tokens are looked at; None for the beginning of what was held out.
        steps: how many tokens to look at, at most.
    """
    fitted, network, kind = model.fitted, model.fitted.network, model.fitted.tokenizer.kind
    kept = fitted.test if len(fitted.test) else fitted.validation
    long = min(steps or STEPS, len(kept) if ids is None else len(ids), max(len(kept) - sequences(), LEAST))
    if steps and long < steps:
        warnings.warn(f"{long:,} {kind} are looked at: there are no more", Note, stacklevel=4)
    if long < LEAST or len(kept) < LEAST + 2:
        raise InputError(f"the text has {long} {kind}, at least {LEAST} are needed: give a longer one")
    shown = kept[:long] if ids is None else ids[-long:]
    first = 1 if ids is None else 0  # the passage that is looked at does not stand in for itself
    begins = np.unique(np.linspace(first, len(kept) - long, sequences(long) - 1).astype(int))
    tokens = np.stack([shown, *(kept[k : k + long] for k in begins)]).astype(np.int64)

    # The network reads on from the same state before every passage, as in training: from zeros it may go astray.
    with torch.no_grad():
        _, _, state = network(torch.from_numpy(fitted.before_passage.astype(np.int64)).unsqueeze(1))

    def read(x: Tensor) -> Tensor:
        begun = tuple(tuple(part.expand(-1, len(x), -1).contiguous() for part in parts) for parts in state)
        features, _, _ = network.read(x.transpose(0, 1), begun)
        return features

    def answer(x: Tensor) -> Tensor:
        return network.log_probabilities(read(x)[-1])

    with torch.no_grad():
        inputs = network.embed(torch.from_numpy(tokens))
        features = read(inputs[:1])
        found = network.log_probabilities(features[:-1, 0])
        logs = found.gather(-1, torch.from_numpy(tokens[0, 1:, None])).squeeze(-1).double().numpy()
    what = f"the first {long:,} {kind} that were held out" if ids is None else f"the last {long:,} {kind} of the text"
    return Explainable(
        inputs=inputs,
        answer=answer,
        outcomes=[fitted.tokenizer.label(k) for k in range(len(fitted.tokenizer))],
        probabilities=True,
        question=f"which {ONE[kind]} comes next",
        layers={f"layer {k + 1}": layer for k, layer in enumerate(network.recurrent)},
        labels=[fitted.tokenizer.label(int(token)) for token in shown],
        source=f"Looked at are {what}. Beside them stand {len(begins)} passages of the held-out text. Before each of "
        f"them the network has read the last {len(fitted.before_passage)} {kind} that it learnt from.",
        step=ONE[kind],
        drawn={"surprise, bits": np.concatenate([[math.nan], -logs / math.log(2)])},
    )
