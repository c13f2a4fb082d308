"""What a task hands over so that its networks can be explained, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from longshort.errors import InputError, LongshortError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

# So many sequences there should be, and fewer where these are so many steps.
SEQUENCES = 32
STEPS = 16_000


@dataclass(frozen=True)
class Explainable:
    """A trained network, and sequences of one kind that it reads: B of them, T steps, C numbers at each step.

    The first sequence is the one that is looked at. The others stand for what might have come in its place.

    Attributes:
        inputs: what the network reads behind its embedding, or its features, (B, T, C).
        answer: from such inputs, any number of sequences, to what the network says of each, (B, A), in evaluation and
            with gradients: values, or natural logarithms of probabilities.
        outcomes: names of the A answers.
        probabilities: whether the answers are log-probabilities, of which those of a sequence belong together.
        unit: of values, in words.
        question: what is asked, as in "which token comes next".
        layers: the recurrent layers of `longshort.nn` in their order, by name, each run once by `answer`.
        labels: of the steps of the first sequence, (T,).
        step: what a step is called.
        channels: names of the C numbers; () where one of them says nothing alone, as in an embedding.
        drawn: curves of the first sequence to be drawn above the gates, by name, (T,) each.
        source: which sequence is looked at, and where the others come from, in a sentence or two.
        stride: steps that make one step of the recurrent layers; the last one ends with the sequence.
    """

    inputs: Tensor
    answer: Callable[[Tensor], Tensor]
    outcomes: Sequence[str]
    probabilities: bool
    question: str
    layers: Mapping[str, Any]
    labels: Sequence[str]
    source: str
    step: str = "step"
    channels: Sequence[str] = ()
    drawn: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    stride: int = 1
    unit: str = ""

    def __post_init__(self) -> None:
        count, steps, channels = self.inputs.shape
        if count < 2 or len(self.labels) != steps or len(self.channels) not in (0, channels):
            raise LongshortError(
                f"explaining needs two sequences or more, a label for each step and a name for each channel: there are "
                f"{count} sequences, {len(self.labels)} labels for {steps} steps and {len(self.channels)} names for "
                f"{channels} channels"
            )


def sequences(steps: int = 1) -> int:
    """How many sequences of so many steps there should be, the one that is looked at among them."""
    return max(8, min(SEQUENCES, STEPS // steps))


def first_of(networks: int) -> str:
    """What `source` says of an ensemble."""
    return f"; of {networks} networks the first" if networks > 1 else ""


def chosen(which: str | None, names: Sequence[str], what: str) -> int:
    """The place among several of the one that is to be looked at.

    Args:
        which: its name, or its number from 1; None for the first.
        names: of all.
        what: what one is called.

    Raises:
        InputError: there is none, or not this one.
    """
    if not names:
        raise InputError(f"there is no {what} to look at: give at least one")
    if which is None:
        return 0
    if which in names:
        return list(names).index(which)
    if which.isdecimal() and 1 <= int(which) <= len(names):
        return int(which) - 1
    raise InputError(f"there is no {what} {which!r}: give a name, or a number from 1 to {len(names):,}")
