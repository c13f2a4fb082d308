"""What a task hands over so that its networks can be exported, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Value:
    """An input or an output of a network.

    Attributes:
        name: what it is called.
        shape: a size that is fixed, or the name of one that is free, of each dimension.
        meaning: what it holds, in a line.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str


@dataclass(frozen=True)
class Part:
    """A network that is exported as a file of its own: tensors in, tensors out, and its state among both.

    Attributes:
        module: in evaluation; `module(*inputs)` gives the outputs as a tuple.
        inputs, outputs: in their order.
        example: B and T to inputs that the network may be given, B sequences of T steps. It is called with several
            sizes, for tracing with 2 or more of each.
    """

    module: nn.Module
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    example: Callable[[int, int], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Exportable:
    """The networks of a run, and what stands around them.

    Attributes:
        parts: name of the file, without its ending -> network.
        how: what to do with them, a sentence each.
        files: name of a JSON file -> its content: the tokenizer, or the scales.
    """

    parts: Mapping[str, Part]
    how: Sequence[str]
    files: Mapping[str, Any] = field(default_factory=dict)
