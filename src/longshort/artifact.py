"""The run directory: the unit of exchange between training, prediction, serving and export.

The format is specified in docs/run-directory.md. Every file is written beside its place and then moved there, and the
manifest, which lists the checksum of every other file, comes last: a directory without one is an unfinished run.
Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from longshort.errors import InputError

if TYPE_CHECKING:
    import polars as pl

FORMAT = "longshort-run"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
CONFIG = "config.json"
CHECKPOINTS = "checkpoints"

Json = Any


def versions() -> dict[str, str]:
    """Versions of what a run depends on."""
    import platform
    from importlib.metadata import version

    names = ("longshort", "torch", "lightning", "numpy", "polars")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def write_atomically(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file, at once or piece by piece, so that at any moment it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(value: Json) -> bytes:
    """JSON as longshort writes it: indented, UTF-8, NaN refused."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


class RunDirectory:
    """One run on disk.

    `RunDirectory.create` begins one, `RunDirectory.open` reads a finished one and refuses whatever is not as it was
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = {CONFIG}

    @property
    def checkpoints(self) -> Path:
        """Where the training keeps what it needs to be resumed; gone when the run is finished."""
        return self.path / CHECKPOINTS

    @classmethod
    def create(cls, path: str | Path, *, config: Mapping[str, Json], resume: bool, overwrite: bool) -> RunDirectory:
        """Begin a run, or take up an unfinished one.

        Args:
            path: a folder that does not exist yet, is empty, or holds a run.
            config: settings of the run, written to config.json; a resumed run must have the same.
            resume: take up an unfinished run.
            overwrite: remove the run that is there.

        Raises:
            InputError: the folder cannot be written, holds something else, or holds a run and neither `resume` nor
                `overwrite` says what to do.
        """
        run = cls(Path(path))
        present = run._entries()
        ours = run._is_ours()
        if ours and overwrite:
            run._remove()
        elif ours and MANIFEST in present:
            raise InputError(f"{path} holds a finished run: choose another folder, or pass --overwrite to replace it")
        elif ours:
            if not resume:
                raise InputError(
                    f"{path} holds an unfinished run: pass --resume to go on with it, or --overwrite to start again"
                )
            run._check_same(config)
            return run
        elif present:
            raise InputError(f"{path} holds other files ({sorted(present)[0]}, …): choose a new or an empty folder")
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            run.write_json(CONFIG, dict(config))
        except OSError as error:
            raise InputError(f"cannot write to {path}: {error.strerror or error}; choose another folder") from None
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Open a finished run.

        Raises:
            InputError: it is not a run, not finished, of a newer format, or one of its files is missing or changed.
        """
        run = cls(Path(path))
        present = run._entries(must_exist=True)
        if MANIFEST not in present:
            if CONFIG in present:
                raise InputError(f"{path} is an unfinished run: go on with the command that began it and --resume")
            raise InputError(f"{path} is not a run directory: it has no {MANIFEST}")
        manifest = run.read_json(MANIFEST)
        ours = isinstance(manifest, dict) and manifest.get("format") == FORMAT
        version = manifest.get("format_version") if ours else None
        if not isinstance(version, int):
            raise InputError(f"{path}/{MANIFEST} is not the manifest of a longshort run: choose another folder")
        if version > FORMAT_VERSION:
            raise InputError(
                f"{path} has run format {version}, this longshort reads up to {FORMAT_VERSION}: upgrade longshort"
            )
        files = manifest.get("files")
        if not isinstance(files, dict) or CONFIG not in files:
            raise InputError(f"{path}/{MANIFEST} lists no files: restore it from a copy, or fit again")
        for name, checksum in files.items():
            run._check_file(name, checksum)
        run._written.update(files)
        return run

    def has(self, name: str) -> bool:
        """Whether the run has that file."""
        return name in self._written

    def write(self, name: str, content: bytes | Iterable[bytes | memoryview]) -> None:
        """Write one file of the run, atomically."""
        write_atomically(self.path / name, content)
        self._written.add(name)

    def write_json(self, name: str, value: Json) -> None:
        """Write one JSON file of the run, atomically."""
        self.write(name, to_json(value))

    def write_tensors(self, name: str, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Write arrays as one safetensors file, atomically."""
        self.write(name, _safetensors(tensors))

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Write a table as one Parquet file, atomically."""
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        self.write(name, buffer.getvalue())

    def read_json(self, name: str) -> Json:
        """Read one JSON file of the run."""
        try:
            return json.loads((self.path / name).read_bytes())
        except (ValueError, OSError):
            raise InputError(f"{self.path / name} is not readable JSON: restore it from a copy, or fit again") from None

    def read_tensors(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Read one safetensors file of the run."""
        try:
            return dict(safetensors.numpy.load((self.path / name).read_bytes()))
        except (safetensors.SafetensorError, OSError):
            raise InputError(f"{self.path / name} is not readable: restore it from a copy, or fit again") from None

    def read_rows(self, name: str, tensor: str, count: int) -> NDArray[np.generic]:
        """Read the first rows of one array of a safetensors file, and nothing else of it."""
        try:
            with safetensors.safe_open(self.path / name, framework="numpy") as file:
                rows: NDArray[np.generic] = file.get_slice(tensor)[:count]
                return rows
        except (safetensors.SafetensorError, OSError):
            raise InputError(f"{self.path / name} is not readable: restore it from a copy, or fit again") from None

    def read_table(self, name: str) -> pl.DataFrame:
        """Read one Parquet file of the run."""
        import polars as pl

        try:
            return pl.read_parquet((self.path / name).read_bytes())
        except (pl.exceptions.PolarsError, OSError):
            raise InputError(f"{self.path / name} is not readable: restore it from a copy, or fit again") from None

    def finish(self) -> None:
        """Seal the run: remove the checkpoints and write the manifest of the files that were written."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        files = {name: _checksum(self.path / name) for name in sorted(self._written)}
        self.write_json(MANIFEST, {"format": FORMAT, "format_version": FORMAT_VERSION, "files": files})

    def _entries(self, *, must_exist: bool = False) -> set[str]:
        try:
            return {p.name for p in self.path.iterdir() if not p.name.startswith(".")}
        except FileNotFoundError:
            if must_exist:
                raise InputError(f"{self.path} does not exist: fit a run first, or check the path") from None
            return set()
        except NotADirectoryError:
            raise InputError(f"{self.path} is a file, or lies in one: choose a folder") from None
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {error.strerror or error}; choose another folder") from None

    def _is_ours(self) -> bool:
        """Whether a run was begun here, rather than a folder that has files of these names by chance."""
        with contextlib.suppress(InputError, AttributeError):
            if self.read_json(MANIFEST).get("format") == FORMAT:
                return True
        with contextlib.suppress(InputError, TypeError):
            return not {"task", "study"}.isdisjoint(self.read_json(CONFIG))
        return False

    def _remove(self) -> None:
        """Remove the run's own files; whatever else lies in the folder stays."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        listed: set[str] = set()
        with contextlib.suppress(InputError, AttributeError, TypeError):
            listed = set(self.read_json(MANIFEST)["files"])
        (self.path / MANIFEST).unlink(missing_ok=True)  # the first: half removed is unfinished
        for name in {CONFIG, *listed} & self._entries():
            if (self.path / name).is_file():
                (self.path / name).unlink()

    def _check_same(self, config: Mapping[str, Json]) -> None:
        before, now = self.read_json(CONFIG), json.loads(to_json(dict(config)))
        changed = _differences({**before, "versions": None}, {**now, "versions": None})
        if changed:
            raise InputError(
                f"cannot resume {self.path}: not as when the run began: {', '.join(sorted(changed))}; "
                "use the same data and settings, or --overwrite to start again"
            )

    def _check_file(self, name: str, checksum: object) -> None:
        if Path(name).name != name:
            raise InputError(f"{self.path}/{MANIFEST} names a file outside the run ({name}): do not use this run")
        path = self.path / name
        if not path.is_file():
            raise InputError(f"{path} is missing: restore it from a copy, or fit again")
        if _checksum(path) != checksum:
            raise InputError(f"{path} is not as it was written (its checksum differs): restore it, or fit again")


def _safetensors(tensors: Mapping[str, NDArray[np.generic]]) -> Iterator[bytes | memoryview]:
    """A safetensors file in pieces, without the copy that the library makes: arrays may lie in a file themselves."""
    ordered = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))  # so that all are aligned
    header, end = {}, 0
    for name in ordered:
        array, begin = tensors[name], end
        end += array.nbytes
        header[name] = {"dtype": _DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in ordered:
        if tensors[name].size:
            yield np.ascontiguousarray(tensors[name]).data.cast("B")


# What NumPy calls safetensors' kinds of numbers.
_DTYPES = {
    **{"bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32"},
    **{"int64": "I64", "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64"},
}


def _differences(before: Json, now: Json) -> set[str]:
    """Names of what differs between two settings, those of settings inside settings included."""
    changed: set[str] = set()
    for key in {*before, *now}:
        one, two = before.get(key), now.get(key)
        if one != two:
            changed |= _differences(one, two) if isinstance(one, dict) and isinstance(two, dict) else {key}
    return changed


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"
