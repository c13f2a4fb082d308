"""How likely the network finds given targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from longshort.data.batching import batches_by_budget
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.problem import Encoded

# So many padded tokens are read at once.
TOKENS = 4_096


def log_likelihoods(network: Seq2SeqNetwork, pairs: Encoded) -> NDArray[np.float64]:
    """Natural log-probability of every target, its end included, given its source, (N,)."""
    result = np.zeros(len(pairs))
    for chosen in batches_by_budget(pairs.lengths, TOKENS, 0, spread=0):
        batch = pairs.batch(chosen)
        with torch.inference_mode():
            decoded = network(batch)
            logs = network.log_probabilities(
                decoded.features.transpose(0, 1),
                None if decoded.gate is None else decoded.gate.t(),
                None if decoded.weights is None else decoded.weights.transpose(0, 1),
                batch.sources,
            )
            said = logs.gather(-1, batch.targets.t().unsqueeze(-1)).squeeze(-1).double()
            result[chosen] = (said * batch.written.t()).sum(1).numpy()
    return result
