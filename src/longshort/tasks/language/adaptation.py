"""Two ways in which a trained network goes on learning from the text that it reads: a cache, and its own weights."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.sequence.network import LanguageNetwork, State
from longshort.tasks.language import parts, scoring

IntArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.float64]

# So many tokens of the validation part choose among the values below.
CHOOSING = 4_000
FLATNESS = (0.1, 0.3, 1.0, 3.0, 10.0)
SHARES = (0.05, 0.1, 0.2, 0.4)
RATES = (1e-4, 3e-4, 1e-3)
DECAYS = (0.0, 1e-3, 1e-2)
# Steps between two updates of the weights, and places of the training part at which gradients are measured.
SEGMENT = 20
PLACES = 100
# ε of the RMS rule, in units of r̄: what was rarely seen in training must not leap.
EPSILON = 1.0


@dataclass(frozen=True)
class Cache:
    """The neural cache (Grave, Joulin & Usunier 2017, arXiv 1612.04426).

    What came after outputs h_i of the last layer that were like the present one is likelier to come again:

        p(w) = (1 - share) p_network(w) + share Σ_i [x_(i+1) = w] exp(flatness h·h_i) / Σ_i exp(flatness h·h_i)

    over the last `size` steps i.

    Attributes:
        flatness: how much more the most similar steps count; 0 counts words.
        share: of the cache in the probability.
        size: steps that it holds.
    """

    flatness: float
    share: float
    size: int = 2_000

    def __str__(self) -> str:
        return f"flatness {self.flatness:g}, share {self.share:g}"

    def log_probabilities(self, network: LanguageNetwork, ids: IntArray, context: IntArray) -> FloatArray:
        """Natural log-probability of every token of a text, (N,); arguments as for `scoring.log_probabilities`.

        The text is read in one go, not in parts side by side.
        """
        keys = torch.zeros(0, network.dims.hidden_size)
        values = torch.zeros(0, dtype=torch.long)
        found = []
        for features, output, targets in _windows(network, ids, context):
            own = scoring.of_targets(network, features, targets).double()
            keys, values = torch.cat([keys, output]), torch.cat([values, targets])
            # Step t of this window sees the `size` steps before its own, which is number `first + t`.
            first = len(keys) - len(output)
            age = first + torch.arange(len(output))[:, None] - torch.arange(len(keys))[None, :]
            held = (age > 0) & (age <= self.size)
            weights = (self.flatness * (output @ keys.T)).masked_fill(~held, -torch.inf).double().softmax(-1)
            cached = torch.where(held & (values == targets[:, None]), weights, 0.0).sum(-1)
            mixed = ((1 - self.share) * own.exp() + self.share * cached).log()
            found.append(torch.where(held.any(-1), mixed, own))  # the first step has nothing to look back to
            keys, values = keys[-self.size :], values[-self.size :]
        return torch.cat(found)[-len(ids) :].numpy()


@dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation (Krause, Kahembwe, Murray & Renals 2018, arXiv 1709.07432), the RMS rule with decay.

    After every segment of the text each weight θ takes one step against its gradient g there, and back to what was
    trained, θ*:

        θ ← θ - rate g / (r + ε) + min(decay r / r̄, 1) (θ* - θ)

    with r the root of the mean square of its gradients over the training part, and r̄ the mean of r over all weights.

    Attributes:
        rate: of the steps.
        decay: of what was learnt on the way; 0 keeps it.
        segment: tokens of a step.
    """

    rate: float
    decay: float
    segment: int = SEGMENT

    def __str__(self) -> str:
        return f"rate {self.rate:g}, decay {self.decay:g}"

    def log_probabilities(
        self, network: LanguageNetwork, ids: IntArray, context: IntArray, roots: Sequence[Tensor]
    ) -> FloatArray:
        """Natural log-probability of every token of a text, (N,); a segment's before the step that it leads to.

        Args:
            network: stays as it is.
            ids, context: as for `scoring.log_probabilities`; nothing is learnt from the context.
            roots: r of every weight, see `gradient_roots`.
        """
        adapted = copy.deepcopy(network)
        parameters = list(adapted.parameters())
        trained = [p.detach().clone() for p in parameters]
        mean = _mean(roots)
        steps = [self.rate / (root + EPSILON * mean) for root in roots]
        back = [(self.decay * root / mean).clamp(max=1.0) for root in roots]
        text = torch.from_numpy(np.concatenate([context, ids]).astype(np.int64)).unsqueeze(1)
        with torch.no_grad():
            state: State | None = network(text[: len(context) - 1])[2] if len(context) > 1 else None
        found = []
        for begin in range(len(context) - 1, len(text) - 1, self.segment):
            window = text[begin : begin + self.segment + 1]
            features, _, after = adapted(window[:-1], state)
            found.append(scoring.of_targets(adapted, features[:, 0].detach(), window[1:, 0]))
            gradients = _gradients(adapted.loss(features, window[1:]), parameters)
            with torch.no_grad():
                for p, g, step, decay, whole in zip(parameters, gradients, steps, back, trained, strict=True):
                    p.add_(decay * (whole - p) - step * g)
            state = tuple(tuple(part.detach() for part in layer) for layer in after)
        return torch.cat(found).double().numpy()


def gradient_roots(network: LanguageNetwork, training: IntArray, segment: int = SEGMENT) -> list[Tensor]:
    """Root of the mean square of every weight's gradient, over segments from all over the training part."""
    segment = min(segment, len(training) - 1)
    before = min(parts.OVERLAP, max(0, len(training) - 1 - segment))
    begins = np.unique(np.linspace(0, len(training) - 1 - segment - before, PLACES).astype(np.int64))
    text = torch.from_numpy(training.astype(np.int64))[
        torch.from_numpy(begins[None] + np.arange(segment + before + 1)[:, None])
    ]
    parameters = list(network.parameters())
    squares = [torch.zeros_like(p) for p in parameters]
    with torch.no_grad():
        state: State | None = network(text[:before])[2] if before else None
    for k in range(len(begins)):
        own = None if state is None else tuple(tuple(part[:, k : k + 1] for part in layer) for layer in state)
        window = text[before:, k : k + 1]
        gradients = _gradients(network.loss(network(window[:-1], own)[0], window[1:]), parameters)
        for square, gradient in zip(squares, gradients, strict=True):
            square.addcmul_(gradient, gradient)
    return [(square / len(begins)).sqrt() for square in squares]


def choose_cache(network: LanguageNetwork, validation: IntArray, context: IntArray) -> Cache:
    """The cache that foretells the end of the validation part best; arguments as for `choose_dynamic`."""
    grid = [Cache(flatness, share) for flatness, share in itertools.product(FLATNESS, SHARES)]
    best: Cache = _best(grid, validation, context, lambda one, *text: one.log_probabilities(network, *text))
    return best


def choose_dynamic(
    network: LanguageNetwork, validation: IntArray, context: IntArray, roots: Sequence[Tensor]
) -> Dynamic:
    """The dynamic evaluation that foretells the end of the validation part best.

    Args:
        network: in evaluation.
        validation: tokens, (N,).
        context: tokens before them, at least one.
        roots: see `gradient_roots`.
    """
    grid = [Dynamic(rate, decay) for rate, decay in itertools.product(RATES, DECAYS)]
    best: Dynamic = _best(grid, validation, context, lambda one, *text: one.log_probabilities(network, *text, roots))
    return best


def _best(
    grid: Sequence[Any], validation: IntArray, context: IntArray, read: Callable[[Any, IntArray, IntArray], FloatArray]
) -> Any:
    whole = np.concatenate([context, validation])
    count = min(CHOOSING, len(validation))
    ids, before = whole[len(whole) - count :], whole[: len(whole) - count][-parts.OVERLAP :]
    return max(grid, key=lambda one: np.nan_to_num(read(one, ids, before).sum(), nan=-np.inf))


def _windows(network: LanguageNetwork, ids: IntArray, context: IntArray) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Features (T, E), outputs (T, H) and targets (T,) of a text and its context in one go, window by window."""
    text = torch.from_numpy(np.concatenate([context, ids]).astype(np.int64)).unsqueeze(1)
    state: State | None = None
    for begin in range(0, len(text) - 1, parts.WINDOW):
        window = text[begin : begin + parts.WINDOW + 1]
        with torch.no_grad():
            features, output, state = network(window[:-1], state)
        yield features[:, 0], output[:, 0], window[1:, 0]


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    """Zeros for weights that had no part, such as those of a cluster of rare tokens."""
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def _mean(roots: Sequence[Tensor]) -> float:
    """Over all weights; 1 where no weight has a gradient."""
    return float(sum(root.double().sum() for root in roots)) / sum(root.numel() for root in roots) or 1.0
