"""The series of a panel one after the other in flat arrays, which may lie in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from longshort.data.panel import Series

if TYPE_CHECKING:
    import polars as pl

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Flat:
    """N series one after the other; see `Series` for what the values are.

    Attributes:
        y, past, known: shape (steps,), (steps, past columns), (known steps, known columns).
        start, length, known_length: of each series, shape (N,).
    """

    y: FloatArray
    past: FloatArray
    known: FloatArray
    start: IntArray
    length: IntArray
    known_length: IntArray

    @classmethod
    def of(cls, series: Sequence[Series]) -> Flat:
        """Those of a panel: as they are where they lie in one piece already, else copied together."""
        if isinstance(series, StoredSeries):
            return series.flat
        return cls(
            y=np.concatenate([s.y for s in series]),
            past=np.concatenate([s.past for s in series]),
            known=np.concatenate([s.known for s in series]),
            start=np.array([s.start for s in series], dtype=np.int64),
            length=np.array([len(s) for s in series], dtype=np.int64),
            known_length=np.array([len(s.known) for s in series], dtype=np.int64),
        )

    @property
    def begin(self) -> IntArray:
        """Where each series begins in `y` and `past`, shape (N,)."""
        return _begins(self.length)

    @property
    def known_begin(self) -> IntArray:
        """Where each series begins in `known`, shape (N,)."""
        return _begins(self.known_length)


class StoredSeries(Sequence[Series]):
    """Series that are made when they are asked for, from arrays that lie in a file: in memory are names and lengths.

    Args:
        flat: the values.
        ids: names, shape (N,).
        static_numeric: shape (N, columns).
        static_categories: a column of texts each.
    """

    def __init__(self, flat: Flat, ids: pl.Series, static_numeric: FloatArray, static_categories: pl.DataFrame) -> None:
        self.flat, self.ids = flat, ids
        self._numeric, self._categories = static_numeric, static_categories
        self._begin, self._known_begin = flat.begin, flat.known_begin

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Series: ...
    @overload
    def __getitem__(self, place: slice) -> list[Series]: ...
    def __getitem__(self, place: int | slice) -> Series | list[Series]:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        k, flat = range(len(self))[place], self.flat
        begin, known = self._begin[k], self._known_begin[k]
        return Series(
            id=self.ids[k],
            start=int(flat.start[k]),
            y=flat.y[begin : begin + flat.length[k]],
            past=flat.past[begin : begin + flat.length[k]],
            known=flat.known[known : known + flat.known_length[k]],
            static_numeric=self._numeric[k],
            static_categories=self._categories.row(k) if self._categories.width else (),
        )

    def __iter__(self) -> Iterator[Series]:
        return (self[k] for k in range(len(self)))


def _begins(lengths: IntArray) -> IntArray:
    begins: IntArray = np.cumsum(lengths) - lengths
    return begins
