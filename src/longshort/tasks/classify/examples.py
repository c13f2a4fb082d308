"""Examples of either kind: texts, or sequences of numbers, with or without their classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.examples import Sequences, Texts
from longshort.errors import InputError

IntArray = NDArray[np.int64]
Labelled = Texts | Sequences

WHAT = {"texts": "texts", "numbers": "sequences of numbers"}


@dataclass(frozen=True)
class Examples:
    """N examples.

    Attributes:
        content: texts, or sequences of numbers, float32, (T_i, C) each.
        names: of sequences the name of each, of texts the texts themselves, (N,).
        codes: the class of each, (N,); −1 where it is not known.
    """

    content: tuple[Any, ...]
    names: tuple[str, ...]
    codes: IntArray

    def __len__(self) -> int:
        return len(self.content)

    def chosen(self, places: Sequence[int] | IntArray) -> Examples:
        """Some of them."""
        return Examples(
            tuple(self.content[k] for k in places), tuple(self.names[k] for k in places), self.codes[list(places)]
        )

    def fingerprint(self) -> dict[str, str | int]:
        """What config.json keeps of the data: a SHA-256 of the examples and their classes, and their number."""
        digest = hashlib.sha256()
        for content, code in zip(self.content, self.codes.tolist(), strict=True):
            data = content.encode("utf-8", "replace") if isinstance(content, str) else content.tobytes()
            digest.update(f"{code} {len(data)} ".encode() + data)
        return {"sha256": digest.hexdigest(), "examples": len(self)}


def read(source: Any, columns: dict[str, Any], *, need_labels: bool) -> Labelled:
    """Examples from whatever a user may give.

    Args:
        source: path or table as `read_labelled` takes them, `Texts`, `Sequences`, a list of texts, or a list of arrays
            (T, C), or (T,) where there is one channel.
        columns: text, label, id, step and channels, as `read_labelled` takes them.
        need_labels: whether every example must have a label.

    Raises:
        InputError: it cannot be read.
    """
    if isinstance(source, Texts | Sequences):
        if need_labels and source.labels is None:
            raise InputError(f"{source.name}: there are no labels; give examples with a label each")
        return source
    if isinstance(source, np.ndarray) or (isinstance(source, list | tuple) and not _is_paths(source)):
        if need_labels:
            raise InputError("the list has no labels; give a file or a table with a column of labels")
        return _from_list(list(source))
    if str(source).lower().endswith((".ts", ".ts.gz")):
        columns = {}
    from longshort.data.labelled import read_labelled

    return read_labelled(source, **columns, need_labels=need_labels)


def _is_paths(source: Sequence[Any]) -> bool:
    return any(isinstance(item, Path) for item in source)


def _from_list(items: list[Any]) -> Labelled:
    if not items:
        raise InputError("the list is empty; give at least one text, or one array of shape (steps, channels)")
    if all(isinstance(item, str) for item in items):
        places = tuple(f"text {k}" for k in range(1, len(items) + 1))
        return Texts(tuple(item.strip() for item in items), None, "the list", places)
    arrays: list[NDArray[np.float32]] = []
    for k, item in enumerate(items, 1):
        try:
            array = np.asarray(item, dtype=np.float32)
        except (TypeError, ValueError):
            raise InputError(
                f"item {k} of the list is neither a text nor an array of numbers; give texts only, or arrays only"
            ) from None
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise InputError(
                f"array {k} of the list has shape {np.shape(item)}; give (steps, channels), at least (1, 1)"
            )
        if array.shape[1] != (arrays[0] if arrays else array).shape[1]:
            raise InputError(
                f"array {k} of the list has {array.shape[1]} channels, the first {arrays[0].shape[1]}; give the same"
            )
        arrays.append(array)
    channels = tuple(f"channel {k + 1}" for k in range(arrays[0].shape[1]))
    return Sequences(tuple(arrays), None, channels, tuple(str(k + 1) for k in range(len(arrays))), "the list")


def kind_of(found: Labelled) -> str:
    """ "texts" or "numbers"."""
    return "texts" if isinstance(found, Texts) else "numbers"


def check_fits(found: Labelled, kind: str, channels: Sequence[str]) -> None:
    """Refuse examples that a run was not trained on: the other kind, or other channels.

    Channels of arrays and `.ts` files have no names: they must be as many.

    Raises:
        InputError: with one line.
    """
    if kind_of(found) != kind:
        raise InputError(
            f"{found.name} holds {WHAT[kind_of(found)]}, the run was trained on {WHAT[kind]}: give {WHAT[kind]}"
        )
    if isinstance(found, Sequences) and found.channels != tuple(channels):
        nameless = tuple(f"channel {k + 1}" for k in range(len(channels)))
        if len(found.channels) != len(channels) or nameless not in (found.channels, tuple(channels)):
            raise InputError(
                f"{found.name} has the channels {', '.join(found.channels)}, the run was trained on "
                f"{', '.join(channels)}: give the same"
            )


def examples_of(found: Labelled, classes: Sequence[str]) -> Examples:
    """Examples with their classes as numbers, −1 where there are no labels.

    Raises:
        InputError: a label is none of the classes; the line says where.
    """
    number = {label: k for k, label in enumerate(classes)}
    for k, label in enumerate(found.labels or ()):
        if label not in number:
            place = found.places[k] if isinstance(found, Texts) else f"sequence {found.ids[k]!r}"
            known = ", ".join(map(repr, classes[:8])) + (", …" if len(classes) > 8 else "")
            raise InputError(
                f"{found.name}, {place}: the label {label!r} does not occur in the training data, which has {known}; "
                "correct it, or leave the example out"
            )
    codes = np.array([number[label] for label in found.labels or ()] or [-1] * len(found), dtype=np.int64)
    if isinstance(found, Texts):
        return Examples(found.texts, found.texts, codes)
    return Examples(found.values, found.ids, codes)
