"""The networks of a run as ONNX files, with what stands around them as JSON, checked under onnxruntime."""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longshort import __version__
from longshort.artifact import to_json
from longshort.errors import InputError, LongshortError
from longshort.estimator import Estimator
from longshort.exportable import Exportable, Part

DESCRIPTION = "export.json"
# Sequences and steps with which each network is traced, and those with which it is compared.
TRACED = (2, 5)
CHECKED = ((1, 1), (2, 5), (3, 11))
# A larger difference than this, where numbers are below 1, and in proportion where they are above, is a fault.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: their names.
        differences: file -> the largest difference between what onnxruntime and PyTorch make of the same inputs.
    """

    files: tuple[str, ...]
    differences: dict[str, float]


def export_onnx(estimator: Estimator[Any, Any, Any], folder: str | Path, *, overwrite: bool = False) -> Exported:
    """Write the networks of a run, and compare them with PyTorch's answers under onnxruntime.

    The folder gets an ONNX file for each network, the tokenizer or the scales as JSON, and `export.json`, which says
    what the inputs and outputs are.

    Args:
        estimator: fitted.
        folder: a new or an empty one.
        overwrite: replace the export that is there.

    Raises:
        InputError: the folder cannot be written or holds something else, an extra is not installed, or runs of the task
            cannot be exported.
        LongshortError: onnxruntime's answers are not PyTorch's; nothing is written.
    """
    target = Path(folder)
    _check_target(target, overwrite)
    exportable = estimator.exportable()
    _need_onnxruntime()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as work:
            whole = Path(work) / "export"
            whole.mkdir()
            differences = dict(_write(exportable, whole))
            description = {"task": estimator.task, "longshort": __version__, **_described(exportable)}
            for name, content in {**exportable.files, DESCRIPTION: description}.items():
                (whole / name).write_bytes(to_json(content))
            files = tuple(sorted(path.name for path in whole.iterdir()))
            if target.exists():
                shutil.rmtree(target)
            whole.rename(target)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}; choose another folder") from None
    return Exported(files, differences)


def _check_target(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file: choose a folder")
    if target.is_dir() and any(target.iterdir()):
        if not (target / DESCRIPTION).is_file():
            raise InputError(f"{target} holds other files: choose a new or an empty folder")
        if not overwrite:
            raise InputError(f"{target} holds an export: choose another folder, or pass --overwrite to replace it")


def _need_onnxruntime() -> None:
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        raise InputError("to check an export, install onnxruntime: pip install 'longshort[onnx]'") from None


def _write(exportable: Exportable, folder: Path) -> Iterator[tuple[str, float]]:
    """Every network's file and its largest difference."""
    from longshort.nn import export_onnx as to_onnx

    for name, part in exportable.parts.items():
        path = folder / f"{name}.onnx"
        free = [{k: size for k, size in enumerate(v.shape) if isinstance(size, str)} for v in part.inputs]
        to_onnx(
            part.module,
            part.example(*TRACED),
            path,
            dynamic_shapes=dict(inspect.signature(part.module.forward).bind(*free).arguments),
            input_names=[value.name for value in part.inputs],
            output_names=[value.name for value in part.outputs],
        )
        yield path.name, _difference(part, path)


def _difference(part: Part, path: Path) -> float:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in part.inputs]
    read = {value.name for value in session.get_inputs()}
    worst = 0.0
    for size in CHECKED:
        given = part.example(*size)
        with torch.no_grad():
            wanted = [value.numpy() for value in part.module(*given)]
        feed = {name: value.numpy() for name, value in zip(names, given, strict=True) if name in read}
        for value, ours, theirs in zip(part.outputs, wanted, session.run(None, feed), strict=True):
            if ours.shape != theirs.shape:
                raise LongshortError(f"{path.name}: {value.name} has shape {theirs.shape} there, {ours.shape} here")
            worst = max(worst, _largest(ours, theirs))
    if not worst <= TOLERANCE:
        raise LongshortError(f"{path.name}: onnxruntime's answers differ from PyTorch's by {worst:.1e}")
    return worst


def _largest(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    """The largest difference, over the size of what is larger than 1."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.where(ours == theirs, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours)))
    return float(gap.max(initial=0.0))


def _described(exportable: Exportable) -> dict[str, Any]:
    def values(several: Sequence[Any]) -> list[dict[str, Any]]:
        return [asdict(value) for value in several]

    networks = {
        f"{name}.onnx": {"inputs": values(part.inputs), "outputs": values(part.outputs)}
        for name, part in exportable.parts.items()
    }
    return {"how": list(exportable.how), "networks": networks}
