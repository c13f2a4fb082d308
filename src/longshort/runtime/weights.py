"""The weights of a run by PyTorch's names, and the layers without recurrence that are made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory

FloatArray = NDArray[np.float32]


class Weights(Mapping[str, FloatArray]):
    """Name -> float32 array, each in one piece of memory, as the core wants it."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._arrays = {name: np.asarray(value, np.float32, order="C") for name, value in arrays.items()}

    @classmethod
    def of(cls, run: RunDirectory) -> Weights:
        """Those of a run, left in their file: only what is looked at, as rows of an embedding, takes memory."""
        path = run.path / "model.safetensors"
        flat: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")
        begin = 8 + int.from_bytes(flat[:8].tobytes(), "little")  # the format: a length, a header as JSON, the numbers
        header = json.loads(flat[8:begin].tobytes())
        header.pop("__metadata__", None)
        arrays = {}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            if entry["dtype"] != "F32":
                raise ValueError(f"{name} is {entry['dtype']}, not F32")
            arrays[name] = flat[begin + first : begin + last].view(np.float32).reshape(entry["shape"])
        return cls(arrays)

    def __getitem__(self, name: str) -> FloatArray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def under(self, module: str) -> Weights:
        """Those of a module, by the names that they have in it."""
        return Weights({name[len(module) + 1 :]: v for name, v in self.items() if name.startswith(f"{module}.")})

    def linear(self, module: str, x: FloatArray) -> FloatArray:
        """What `torch.nn.Linear` of that name makes of x, (…, I) to (…, O)."""
        y: FloatArray = x @ self[f"{module}.weight"].T
        bias = self.get(f"{module}.bias")
        return y if bias is None else y + bias
