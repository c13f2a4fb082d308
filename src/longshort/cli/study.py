"""`longshort study NAME`: experiments about networks, each with a report."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from longshort.cli import options
from longshort.cli.options import AsJson, Output, Overwrite, Resume, Seed, Text

app = typer.Typer(name="study", help="Experiments about networks, each with a report.", no_args_is_help=True)


# Without it the name of a study would fall out of the command while there is one alone.
@app.callback()
def _root() -> None: ...


@app.command("gradients")
def gradients(
    output: Output,
    task: Annotated[Text, typer.Option(help="recall, adding, copy or order.")] = None,
    lag: Annotated[int | None, typer.Option(help="Steps over which something must be remembered.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units of each network.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps of each training; 0 for none.")] = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json_: AsJson = False,
) -> None:
    """Measure how gradients vanish in plain RNNs, GRUs and LSTMs, before and after training, and draw a report."""
    from longshort.study import GradientConfig, study_gradients
    from longshort.training import TerminalProgress

    given = options.settings(None, task=task, lag=lag, hidden_size=hidden_size, steps=steps, seed=seed)
    config = GradientConfig.from_dict(given)
    with options.resumable(output):
        study = study_gradients(config, run=output, resume=resume, overwrite=overwrite, progress=TerminalProgress())
    if json_:
        typer.echo(json.dumps(study.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(study.verdict)
    typer.echo(f"Report: {output / 'report.html'}")
