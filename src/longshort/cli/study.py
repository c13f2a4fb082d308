"""`longshort study NAME`: experiments about networks, each with a report."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from longshort.cli.options import AsJson, Output, Overwrite, Resume, Seed

app = typer.Typer(name="study", help="Experiments about networks, each with a report.", no_args_is_help=True)


@app.callback()
def _root() -> None: ...


@app.command("gradients")
def gradients(
    output: Output,
    lag: Annotated[int, typer.Option(help="Steps between what must be remembered and the answer.")] = 100,
    hidden_size: Annotated[int, typer.Option(help="Units of each network.")] = 64,
    steps: Annotated[int, typer.Option(help="Optimiser steps of each training; 0 for none.")] = 1500,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json_: AsJson = False,
) -> None:
    """Measure how gradients vanish in plain RNNs, GRUs and LSTMs, before and after training, and draw a report."""
    from longshort.study import GradientConfig, study_gradients
    from longshort.training import TerminalProgress

    config = GradientConfig(lag=lag, hidden_size=hidden_size, steps=steps, seed=seed)
    try:
        study = study_gradients(config, run=output, resume=resume, overwrite=overwrite, progress=TerminalProgress())
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command with --resume goes on from the last checkpoint in {output}", err=True)
        raise typer.Exit(130) from None
    if json_:
        typer.echo(json.dumps(study.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(study.verdict)
    typer.echo(f"Report: {output / 'report.html'}")
