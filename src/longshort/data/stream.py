"""Long Parquet tables that need not fit in memory: read piece by piece, their values laid out in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from typing_extensions import Self

from longshort.data.columns import Roles, find_roles
from longshort.data.files import PARQUET_SUFFIXES, Table
from longshort.data.flat import Flat, StoredSeries
from longshort.data.frequency import Frequency
from longshort.data.panel import Panel
from longshort.data.reading import build_panel
from longshort.errors import InputError

# A Parquet file with more rows than this is read in pieces, and so is every folder of them; rows of a piece.
LARGE = 5_000_000
PIECE = 500_000


def is_large(source: Any) -> bool:
    """Whether a table is to be read in pieces: a folder of Parquet files, or one with very many rows."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    if path.is_dir():
        return bool(_parts(path))
    # What cannot be read is said where it is read.
    return path.is_file() and path.suffix.lower() in PARQUET_SUFFIXES and (_rows(path) or 0) > LARGE


def stream_panel(
    source: str | Path, *, freq: str | Frequency | None = None, piece: int = PIECE, **columns: Any
) -> Panel:
    """Read a long Parquet table, or a folder of them, with memory for one piece and the names of the series.

    The values lie in a file among the temporary ones (TMPDIR), which is gone when the panel is.

    Args:
        source: path of the file, or of the folder, whose files are read in the order of their names. All rows of a
            series must follow each other.
        freq: as `read_panel` takes it; found in the first piece if left out.
        piece: rows in memory at a time.
        columns: those of `read_panel`.

    Raises:
        InputError: as `read_panel`, and where a series is scattered over the table.
    """
    path = Path(source)
    with _Store() as store:
        panel = _stored(path, store, freq, piece, columns)
        series = store.series()
    lengths = series.flat.length
    notes = (
        panel.notes[0],
        f"{panel.frequency.name}; read in pieces of {piece:,} rows, the values lie in a temporary file",
        f"{len(series):,} series of {lengths.min():,} to {lengths.max():,} steps, {lengths.sum():,} in all",
    )
    return Panel(series, panel.frequency, panel.columns, notes)


def _stored(path: Path, store: _Store, frequency: str | Frequency | None, piece: int, columns: dict[str, Any]) -> Panel:
    """Take all series to the store; gives the panel of the last piece."""
    panel: Panel | None = None
    roles: Roles | None = None
    left, before = pl.DataFrame(), 0
    for name, frame, last in _pieces(_parts(path) or [path], piece):
        table = Table(pl.concat([left, frame]) if left.height else frame, name, before=before)
        roles = roles or _roles(table, columns)
        assert roles.columns.id is not None
        whole = table.frame.height if last else _whole(table.frame[roles.columns.id])
        left = table.frame[whole:]
        before += whole
        if whole:
            panel = build_panel(Table(table.frame[:whole], name, before=table.before), roles, frequency)
            frequency = panel.frequency
            store.add(panel, name)
    if panel is None:
        raise InputError(f"{path}: the table has no rows; give a table with at least one row")
    return panel


def _roles(table: Table, columns: dict[str, Any]) -> Roles:
    roles = find_roles(table, **columns)
    if roles.layout != "long":
        raise InputError(
            f"{table.name}: what is read in pieces must be a long table, a row for each step and a column that names "
            "the series: name it with --id"
        )
    return roles


def _whole(ids: pl.Series) -> int:
    """Rows before the last series, of which more may follow."""
    other = (ids != ids[-1]).fill_null(True).arg_true()
    return int(other[-1]) + 1 if len(other) else 0


def _parts(path: Path) -> list[Path]:
    """The Parquet files of a folder, in the order of their names."""
    if not path.is_dir():
        return []
    return sorted(p for p in path.iterdir() if p.suffix.lower() in PARQUET_SUFFIXES and p.is_file())


def _rows(path: Path) -> int | None:
    """Rows of a Parquet file, None if it cannot be read."""
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except Exception:  # Polars raises several kinds, a panic among them, on corrupt files
        return None


def _pieces(paths: Sequence[Path], piece: int) -> Iterator[tuple[str, pl.DataFrame, bool]]:
    """Name of the file, rows, and whether they are the last ones."""
    for number, path in enumerate(paths, start=1):
        rows = _rows(path)
        if rows is None:
            raise InputError(f"{path}: not a whole Parquet file (truncated or corrupt); write or fetch it again")
        for begin in range(0, rows, piece):
            frame = pl.scan_parquet(path).slice(begin, piece).collect()
            yield str(path), frame, number == len(paths) and begin + piece >= rows


class _Store:
    """Takes the series of one panel after the other to files."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._files = {
            name: self._open.enter_context(tempfile.TemporaryFile(prefix="longshort-"))  # noqa: SIM115 - it is managed
            for name in ("y", "past", "known")
        }
        self._widths = {"past": 0, "known": 0}
        self._lengths: list[NDArray[np.int64]] = []
        self._ids: list[str] = []
        self._known_ids: set[str] = set()
        self._numeric: list[NDArray[np.float64]] = []
        self._categories: list[pl.DataFrame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()  # what is mapped stays

    def add(self, panel: Panel, name: str) -> None:
        """Write the values of some more series."""
        ids = [s.id for s in panel]
        twice = self._known_ids.intersection(ids)
        if twice:
            raise InputError(
                f"{name}: rows of series {min(twice)!r} do not all follow each other, as they must in a table that is "
                "read in pieces: sort it by the name of the series and by time"
            )
        self._known_ids.update(ids)
        self._ids += ids
        flat = Flat.of(panel.series)
        for key, file in self._files.items():
            np.ascontiguousarray(getattr(flat, key)).tofile(file)
        self._widths = {key: getattr(flat, key).shape[1] for key in self._widths}
        self._lengths.append(np.stack([flat.start, flat.length, flat.known_length]))
        self._numeric.append(np.stack([s.static_numeric for s in panel]))
        names = panel.columns.static_categories
        rows = [s.static_categories for s in panel]
        self._categories.append(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))

    def series(self) -> StoredSeries:
        """All of them."""
        start, length, known_length = np.concatenate(self._lengths, axis=1)
        flat = Flat(
            y=self._mapped("y", (int(length.sum()),)),
            past=self._mapped("past", (int(length.sum()), self._widths["past"])),
            known=self._mapped("known", (int(known_length.sum()), self._widths["known"])),
            start=start,
            length=length,
            known_length=known_length,
        )
        ids = pl.Series(self._ids, dtype=pl.String)
        return StoredSeries(flat, ids, np.concatenate(self._numeric), pl.concat(self._categories))

    def _mapped(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        file = self._files[name]
        file.flush()
        return np.asarray(np.memmap(file, np.float64, "r", shape=shape)) if np.prod(shape) else np.zeros(shape)
