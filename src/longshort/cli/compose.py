"""`longshort compose`: a tune by a composer, as MIDI, sound or a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from longshort.cli import options
from longshort.cli.options import AsJson, Run
from longshort.errors import InputError


def compose(
    run: Run,
    output: Annotated[
        list[Path],
        typer.Option("--output", "-o", metavar="FILE", help="File to write: .mid, .wav or .svg; may be repeated."),
    ],
    continue_: Annotated[Path | None, typer.Option("--continue", metavar="TUNE", help="A tune to go on from.")] = None,
    bars: Annotated[int, typer.Option(help="How many bars to write.")] = 16,
    tempo: Annotated[float | None, typer.Option(help="Quarter notes a minute.")] = None,
    temperature: Annotated[float, typer.Option(help="Below 1 likelier, above 1 bolder; 0 for the likeliest.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from the k likeliest tokens only.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the likeliest tokens of this probability.")] = None,
    key: Annotated[str, typer.Option(help="free, kept, or a key such as D or 'F# minor'.")] = "free",
    instrument: Annotated[
        list[int] | None, typer.Option(help="Program, 0 to 127, in place of the tune's; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the draws; without it they differ every time.")] = None,
    json_: AsJson = False,
) -> None:
    """Write a new tune, or go on from one, with a run of `longshort fit compose`."""
    from longshort.tasks import load
    from longshort.tasks.compose import Composer, Composing

    settings = options.settings(
        None,
        bars=bars,
        tempo=tempo,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        key=key,
        instruments=tuple(instrument or ()),
        seed=seed,
    )
    Composing.from_dict(settings)
    model: Any = load(run)
    if not isinstance(model, Composer):
        raise InputError(f"{run} is a run of the task {model.task!r}, which writes no music: give a composer's")
    tune = model.compose(continue_, **settings)
    for path in output:
        tune.write(path)
    if json_:
        files = [str(path) for path in output]
        typer.echo(json.dumps({"files": files, "notes": tune.rows(), "tempo": tune.tempo, "seconds": tune.seconds}))
        return
    typer.echo(f"{len(tune.notes):,} notes, {tune.seconds:.0f} seconds: {', '.join(map(str, output))}")
