"""Features that were computed elsewhere: `.npz` files with an array for each recording. No pickle is ever read."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longshort.errors import InputError

FloatArray = NDArray[np.float32]


class FeatureFile:
    """An `.npz` file whose arrays, (frames, channels) each, are read when they are asked for.

    Args:
        path: the file.

    Raises:
        InputError: there is no such file, or it is no `.npz` file, or holds nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{path}: there is no such file; check the path")
        try:
            zipfile.ZipFile(self.path).close()  # unlike NumPy it closes what it cannot read
            self._arrays = np.load(self.path, allow_pickle=False)
            self.names: Sequence[str] = tuple(self._arrays.files)
        except (ValueError, OSError, AttributeError, zipfile.BadZipFile, EOFError):
            raise InputError(f"{path}: not a whole .npz file; write it with numpy.savez") from None
        if not self.names:
            raise InputError(f"{path}: it holds no array; give one for each recording")
        self._known = frozenset(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __getitem__(self, name: str) -> FloatArray:
        """The features of a recording, (frames, channels).

        Raises:
            InputError: there are none, they are no numbers, or of another shape.
        """
        if name not in self._known:
            raise InputError(f"{self.path} holds no array {name!r}: every recording of the table needs one")
        try:
            array = self._arrays[name]
        except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
            why = "it holds objects, which would have to be unpickled" if "pickle" in str(error) else "it is damaged"
            raise InputError(f"{self.path}: the array {name!r} is not read, {why}; save plain numbers") from None
        if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.shape[1]:
            raise InputError(
                f"{self.path}: the array {name!r} has shape {array.shape} of {array.dtype}; give numbers, "
                "(frames, channels)"
            )
        found: FloatArray = array.astype(np.float32)
        if not np.isfinite(found).all():
            raise InputError(f"{self.path}: the array {name!r} holds values that are not finite; replace them")
        return found
