"""Examples for a classifier, labelled or not: texts, or sequences of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Texts:
    """Texts and their labels.

    Attributes:
        texts: a text each, without blanks around it; some may be empty.
        labels: a label each; None where there are none.
        name: the path as it was given, or "the table".
        places: where each stands, for messages: "line 17" or "row 17".
        notes: what was found, a sentence each.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    name: str
    places: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Sequences:
    """Sequences of numbers and their labels.

    Attributes:
        values: float32, NaN where missing, shape (T_i, C) each, T_i >= 1.
        labels: a label each; None where there are none.
        channels: names of the C channels.
        ids: the name of each sequence.
        name: the path as it was given, or "the table".
        notes: what was found, a sentence each.
    """

    values: tuple[NDArray[np.float32], ...]
    labels: tuple[str, ...] | None
    channels: tuple[str, ...]
    ids: tuple[str, ...]
    name: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)
