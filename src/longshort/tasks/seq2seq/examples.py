"""Examples of all three tasks: something to read, and what may be written of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.artifact import RunDirectory

PARTS = ("training", "validation", "test")
EXAMPLES = "examples.parquet"


@dataclass(frozen=True)
class Examples:
    """N examples.

    Attributes:
        sources: what is read, clean; in conversations with marks of who speaks.
        references: what may be written, the first one to learn from.
        groups: examples of one group, such as a conversation, belong to the same part.
    """

    sources: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    groups: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def targets(self) -> tuple[str, ...]:
        """The first reference of each."""
        return tuple(references[0] for references in self.references)

    def chosen(self, places: Sequence[int] | NDArray[np.int64]) -> Examples:
        """Some of them."""
        return Examples(
            tuple(self.sources[k] for k in places),
            tuple(self.references[k] for k in places),
            tuple(self.groups[k] for k in places),
        )

    def fingerprint(self) -> dict[str, str | int]:
        """What config.json keeps of the data: a SHA-256 of all texts in their order, and the number of examples."""
        digest = hashlib.sha256()
        for source, references in zip(self.sources, self.references, strict=True):
            digest.update("\0".join((source, *references, "")).encode("utf-8"))
        return {"sha256": digest.hexdigest(), "examples": len(self)}

    def split(self, shares: Sequence[float], seed: int) -> list[Examples]:
        """Parts with these shares, groups whole, in random order but each part in the order of the data."""
        groups = np.array(self.groups, dtype=np.int64)
        different = np.random.default_rng(seed).permutation(np.unique(groups))
        ends = np.round(np.cumsum(shares) * len(different)).astype(int)
        parts = np.split(different, ends[:-1])
        return [self.chosen(np.flatnonzero(np.isin(groups, part))) for part in parts]


NONE = Examples((), (), ())


def write_parts(run: RunDirectory, parts: dict[str, Examples]) -> None:
    """Write all examples: `part`, `source`, `references` (a list) and `group`."""
    rows = [(name, *row) for name in PARTS for row in _rows(parts[name])]
    schema: Any = {"part": pl.String, "source": pl.String, "references": pl.List(pl.String), "group": pl.Int64}
    run.write_table(EXAMPLES, pl.DataFrame(rows, schema=schema, orient="row"))


def _rows(examples: Examples) -> list[tuple[str, list[str], int]]:
    rows = zip(examples.sources, examples.references, examples.groups, strict=True)
    return [(source, list(references), group) for source, references, group in rows]


def read_parts(run: RunDirectory) -> dict[str, Examples]:
    """The inverse of `write_parts`."""
    table = run.read_table(EXAMPLES)
    parts = {}
    for name in PARTS:
        rows = table.filter(pl.col("part") == name)
        references = tuple(map(tuple, rows["references"].to_list()))
        parts[name] = Examples(tuple(rows["source"].to_list()), references, tuple(rows["group"].to_list()))
    return parts
