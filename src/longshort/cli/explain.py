"""`longshort explain`: what a trained network does, as a page or as numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from longshort.cli.options import AsJson, Run, Text, Texts
from longshort.errors import InputError

# Tasks that read no text -> who does them, and what they read.
WORDLESS = {
    "compose": ("composer", "tune"),
    "forecast": ("forecaster", "table"),
    "transcribe": ("transcriber", "recording"),
}


def explain(
    run: Run,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]", help="A file to look at, as `predict` takes it; without it something that the run keeps."
        ),
    ] = None,
    text: Annotated[Texts, typer.Option(help="A text to look at, in place of a file.")] = None,
    which: Annotated[
        Text, typer.Option(help="Of several series or examples the one to look at: its name, or its number from 1.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="How many steps to look at, at most.")] = None,
    attribution: Annotated[
        bool, typer.Option("--attribution/--no-attribution", help="Whether to find out which input mattered (captum).")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="The page; RUN-explained.html if left out."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Explain what a run does: its gates over an input, how far back it looks, which input mattered."""
    from longshort.study import explain as explained
    from longshort.tasks import load
    from longshort.training import TerminalProgress

    if text and data:
        raise InputError("give either a file or --text, not both")
    if output and output.is_dir():
        raise InputError(f"{output} is a folder: name a file, such as {output / 'explained.html'}")
    model = load(run)
    if model.task in WORDLESS and text:
        who, what = WORDLESS[model.task]
        raise InputError(f"{run} is a {who}, which reads no --text: give a {what}")
    found = explained(
        model, text or data, which=which, steps=steps, attribution=attribution, title=run.resolve().name,
        progress=TerminalProgress(),
    )  # fmt: skip
    if output or not json_:
        output = output or run.resolve().with_name(f"{run.resolve().name}-explained.html")
        found.write(output)
    if json_:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(found.verdict)
    for line in found.findings:
        typer.echo(line)
    typer.echo(f"Report: {output}")
