"""Texts that a language model is given, as tokens; and what stands before a text that nothing stands before."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.tokens import Encoded, Tokenizer
from longshort.errors import InputError, Note

IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class Prompts:
    """How a model reads what it is given.

    Attributes:
        tokenizer: its vocabulary.
        first: the first token learnt from, (1,).
    """

    tokenizer: Tokenizer
    first: IntArray

    @cached_property
    def beginning(self) -> IntArray:
        """What stands before a text that nothing stands before: a line end, or else the first token learnt from."""
        newline = self.tokenizer.encode("\n").ids
        known = len(newline) > 0 and newline[-1] != self.tokenizer.unknown_id
        return newline[-1:] if known else self.first

    def encode(self, text: Any) -> Encoded:
        """The tokens of a text; a note says how many are unknown.

        Raises:
            InputError: it is no text, or an empty one.
        """
        if not isinstance(text, str):
            raise InputError(f"a text is a string, not of type {type(text).__name__}")
        if not text:
            raise InputError("the text is empty: give at least one character")
        encoded = self.tokenizer.encode(text)
        if not len(encoded.ids):
            raise InputError("the text holds no token: give at least one word")
        if encoded.unknown:
            count = f"{encoded.unknown} of {len(encoded.ids)} {self.tokenizer.kind}"
            warnings.warn(f"{count} of the text are not in the vocabulary", Note, stacklevel=3)
        return encoded

    def prompt(self, text: str) -> IntArray:
        """Tokens to go on from, at least one."""
        return self.beginning if text == "" else self.encode(text).ids
