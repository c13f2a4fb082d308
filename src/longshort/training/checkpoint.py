"""Lightning's checkpoints as safetensors: tensors as tensors, the rest as JSON in the file's header. No pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors.torch import save

from longshort.artifact import write_atomically
from longshort.errors import InputError


class SafetensorsIO(CheckpointIO):
    """Writes and reads a checkpoint of nested dicts, lists, numbers, texts and tensors, atomically."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write one checkpoint; raises TypeError on a value that is neither plain nor a tensor."""
        tensors: dict[str, torch.Tensor] = {}
        tree = _pack(checkpoint, tensors)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), save(tensors, metadata={"tree": json.dumps(tree)}))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read one checkpoint; raises InputError when the file is damaged."""
        try:
            with safetensors.safe_open(str(path), framework="pt") as file:
                tree = json.loads(file.metadata()["tree"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            loaded: dict[str, Any] = _unpack(tree, tensors)
        except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{path} is damaged: start again with --overwrite") from None
        return loaded

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete one checkpoint."""
        Path(path).unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """A value as JSON; each tensor moves to `tensors` under a number of its own. Containers are tagged by kind."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[_pack(k, tensors), _pack(v, tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_pack(v, tensors) for v in value]}
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_unpack(k, tensors): _unpack(v, tensors) for k, v in content}
    items = [_unpack(v, tensors) for v in content]
    return tuple(items) if kind == "tuple" else items
