"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshort.errors import InputError

if TYPE_CHECKING:
    from longshort.training import Hardware

Texts = list[str] | None
Text = str | None

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory that `longshort fit` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="Folder to write the run to.")]
Seed = Annotated[int, typer.Option(help="Of weights, batches and dropout.")]
Set = Annotated[Texts, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as hidden_size=128.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in that folder.")]
Accelerator = Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu, …")]
Devices = Annotated[str, typer.Option(help="Lightning's: how many, or auto.")]
Precision = Annotated[
    str, typer.Option(help="Lightning's: 32-true, bf16-mixed, …; auto takes what serves the task and the machine best.")
]
Nodes = Annotated[int, typer.Option("--num-nodes", help="Lightning's: machines.")]


def settings(pairs: Texts, **given: Any) -> dict[str, Any]:
    """Settings of a task: options that were given a value, and `hidden_size=128` and the like (JSON, or else text)."""
    result = {name: value for name, value in given.items() if value is not None}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set needs NAME=VALUE, not {pair!r}")
        try:
            result[name.replace("-", "_")] = json.loads(value)
        except ValueError:
            result[name.replace("-", "_")] = value
    return result


@contextmanager
def resumable(output: Path) -> Iterator[None]:
    """What Ctrl-C comes to: one line that says how to go on, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command with --resume goes on from the last checkpoint in {output}", err=True)
        raise typer.Exit(130) from None


def hardware(accelerator: str, devices: str, precision: str, num_nodes: int) -> Hardware:
    """Where to train."""
    from longshort.training import Hardware

    return Hardware(accelerator, int(devices) if devices.isdecimal() else devices, precision, num_nodes)
