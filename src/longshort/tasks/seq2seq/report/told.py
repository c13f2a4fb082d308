"""What the model and the best baseline say of the examples that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.examples import Examples

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.estimator import Seq2Seq

# So many held-out examples are answered for the report where there is no test part; pictures are of so many.
MOST = 200
LOOKED_AT = 6
# Sources and answers of so many tokens fit into a picture.
TOKENS = (45, 30)


@dataclass(frozen=True)
class Told:
    """N examples and what was answered.

    Attributes:
        model: the model.
        examples: held out.
        answers: model -> answers, ours first.
    """

    model: Seq2Seq
    examples: Examples
    answers: dict[str, list[str]]

    @classmethod
    def of(cls, model: Seq2Seq) -> Told:
        """The test part with the answers that the run keeps, or some of the validation part."""
        fitted = model.fitted
        if fitted.answers:
            return cls(model, fitted.parts["test"], fitted.answers)
        examples = fitted.held_out.chosen(range(min(MOST, len(fitted.held_out))))
        return cls(model, examples, {model.name: model.answer(examples.sources)})

    @property
    def ours(self) -> list[str]:
        """Our answers."""
        return next(iter(self.answers.values()))

    @cached_property
    def quality(self) -> NDArray[np.float64]:
        """How good each of our answers is by itself, 0 to 100, (N,)."""
        return np.array(self.model.quality(self.ours, self.examples.references))

    @cached_property
    def alignments(self) -> list[tuple[int, Alignment]]:
        """Some answers that fit into a picture, and where the model looked: the best, the worst and some between."""
        places = [k for k in range(len(self.ours)) if self.ours[k] and self._fits(k)] or [0]
        order = sorted(places, key=lambda k: -self.quality[k])
        chosen = {order[round(share * (len(order) - 1))] for share in np.linspace(0, 1, LOOKED_AT)}
        picked = sorted(chosen, key=lambda k: -self.quality[k])
        return [(k, self.model.aligned(self.examples.sources[k], self.ours[k])) for k in picked]

    def _fits(self, k: int) -> bool:
        lengths = len(self.examples.sources[k].split()), len(self.ours[k].split())
        return 3 <= lengths[0] <= TOKENS[0] * 0.7 and 1 <= lengths[1] <= TOKENS[1] * 0.7
