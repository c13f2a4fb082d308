"""Settings of a decoding, and answers to sources of unlike length, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshort.data.batching import batches_by_length
from longshort.sequence.draws import Draws
from longshort.settings import Settings
from longshort.tasks.seq2seq.beam import Hypothesis, search
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.draw import draw
from longshort.tasks.seq2seq.steps import Begin

METHODS = ("beam", "sample")
# Sources that are decoded side by side.
BATCH = 32


@dataclass(frozen=True)
class Decoding(Settings):
    """How answers are found.

    Attributes:
        method: "beam" follows several hypotheses, one of which is greedy decoding; "sample" draws token by token.
        beam: hypotheses that are followed.
        n_best: answers for each source: the best of the beam, or so many draws.
        length_penalty: a hypothesis's log-probability is divided by its length to this power (0 for the likeliest
            answer, which is a short one).
        min_length, max_length: tokens of an answer, at least and at most.
        no_repeat: of so many tokens in a row none occurs twice in an answer; 0 to allow it.
        forbidden: words that no answer holds.
        forced: words that every answer holds, as far as `max_length` leaves room (Hokamp & Liu 2017).
        temperature, top_k, top_p: of the draws: the logits' divisor, and from how many tokens, or from which share of
            the probability, is drawn (Holtzman et al. 2020).
        seed: of the draws; None for other ones every time.
    """

    method: str = "beam"
    beam: int = 5
    n_best: int = 1
    length_penalty: float = 1.0
    min_length: int = 0
    max_length: int = 128
    no_repeat: int = 0
    forbidden: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = 0

    def __post_init__(self) -> None:
        self._one_of("method", METHODS)
        self._whole("beam", "n_best", "max_length", least=1)
        self._whole("min_length", "no_repeat", least=0)
        self._whole("top_k", least=1, optional=True)
        self._whole("seed", least=0, optional=True)
        self._number("length_penalty")
        self._number("temperature", positive=True)
        self._number("top_p", positive=True, optional=True)
        self._need(self.top_p is None or self.top_p <= 1, f"top_p must be at most 1, not {self.top_p}")
        self._need(self.min_length <= self.max_length, "min_length must not be above max_length")
        self._need(self.method == "sample" or self.n_best <= self.beam, "n_best must not be above beam")
        for name in ("forbidden", "forced"):
            words = getattr(self, name)
            words = (words,) if isinstance(words, str) else tuple(words)
            object.__setattr__(self, name, words)
            self._need(
                all(isinstance(w, str) and w.strip() for w in words),
                f"{name} must be words, not {getattr(self, name)!r}",
            )
        self._need(not (self.forced and self.method == "sample"), "forced words need a beam: leave out method=sample")


def answers(
    begin: Begin,
    sources: Sequence[NDArray[np.integer]],
    decoding: Decoding,
    constraints: Constraints,
    limits: Sequence[int],
) -> list[list[Hypothesis]]:
    """The best answers to each source, the best first.

    Args:
        begin: reads sources, with a network in evaluation.
        sources: tokens, (S_i,) each, at least 1.
        decoding: how.
        constraints: what no answer, and what every answer holds.
        limits: tokens of each answer at most.
    """
    found: list[list[Hypothesis]] = [[] for _ in sources]
    draws, most = Draws(decoding.seed), np.array(limits)
    batches = batches_by_length([len(source) for source in sources], BATCH, 0, spread=0)
    for chosen in sorted(batches, key=lambda batch: int(batch.min())):
        read = [sources[k] for k in chosen]
        if decoding.method == "sample":
            results = draw(begin(read, decoding.n_best), decoding, constraints, most[chosen], draws)
        else:
            results = search(begin(read, decoding.beam), decoding, constraints, most[chosen])
        for k, hypotheses in zip(chosen, results, strict=True):
            found[k] = hypotheses[: decoding.n_best]
    return found
