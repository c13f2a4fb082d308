"""What the model heard in the recordings that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.transcribe.hearing import hear
from longshort.tasks.transcribe.transcript import Transcript
from longshort.tasks.transcribe.utterances import Utterances

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber

# More recordings are not looked at.
MOST = 1_000


@dataclass(frozen=True)
class Told:
    """N recordings and what was heard in them.

    Attributes:
        utterances: held out.
        transcripts: of each.
        errors: wrong words of each, (N,).
        aligned: jiwer's alignment of each.
    """

    utterances: Utterances
    transcripts: list[Transcript]
    errors: NDArray[np.int64]
    aligned: list[Any]

    @classmethod
    def of(cls, model: Transcriber) -> Told:
        """The first recordings of the test part, or of the validation part where there is no test."""
        import jiwer

        held = model.fitted.held_out
        utterances = held.chosen(range(min(MOST, len(held))))
        found = model._transcripts(utterances, {})
        output = jiwer.process_words(list(utterances.texts), [t.text for t in found])
        errors = [
            sum(
                max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
                for c in chunks
                if c.type != "equal"
            )
            for chunks in output.alignments
        ]
        return cls(utterances, found, np.array(errors, dtype=np.int64), output.alignments)

    def probabilities(self, model: Transcriber, k: int) -> NDArray[np.float64]:
        """Of every unit at every step of a recording, (S, V)."""
        (features,) = model._normalised(self.utterances.chosen([k]))
        found: NDArray[np.float64] = np.exp(hear(model.fitted.network, [features])[0].astype(np.float64))
        return found
