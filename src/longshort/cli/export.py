"""`longshort export`: the networks of a run, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longshort.errors import InputError

FORMATS = ("onnx",)


def export(
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.", show_default=False)],
    format: Annotated[str, typer.Option(help="onnx, the one there is.")] = "onnx",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the export that is there.")] = False,
) -> None:
    """Export the networks of a run, with their tokenizer or scales, and check them under onnxruntime."""
    if format not in FORMATS:
        raise InputError(f"the format {format!r} is not known: choose {' or '.join(FORMATS)}")
    from longshort.export import export_onnx
    from longshort.tasks import load

    exported = export_onnx(load(run), output, overwrite=overwrite)
    for name, difference in exported.differences.items():
        typer.echo(f"{output / name}: largest difference between onnxruntime and PyTorch {difference:.1e}")
    others = [name for name in exported.files if name not in exported.differences]
    typer.echo(f"beside it {', '.join(others)}; export.json says what goes in and what comes out")
