"""Texts to answer: lists of them, to which nothing but cleaning is done, and files and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from longshort.data.cleaning import clean
from longshort.errors import InputError


def read_sources(source: Any, *, column: str | None = None) -> tuple[tuple[str, ...], str]:
    """Texts to answer, clean, none left out, and what to call them.

    Args:
        source: a list of texts, the path of a file with one on each line, a table with a column of sources, or `Pairs`.
        column: its name; None to find it.

    Raises:
        InputError: it cannot be read, or holds nothing.
    """
    texts: Sequence[str]
    if isinstance(source, list | tuple) and all(isinstance(text, str) for text in source):
        texts, name = source, "the list"
    else:
        from longshort.data.pairs import read_texts

        texts, name = read_texts(source, column)
    if not texts:
        raise InputError(f"{name}: there is no text; give at least one")
    return tuple(map(clean, texts)), name
