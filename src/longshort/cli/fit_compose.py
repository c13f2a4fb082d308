"""`longshort fit compose`: a network that learns from tunes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longshort.cli import options
from longshort.cli.fit import run_fit
from longshort.cli.options import (
    Accelerator,
    AsJson,
    Devices,
    Nodes,
    Output,
    Overwrite,
    Precision,
    Resume,
    Seed,
    Set,
)


def compose(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A folder of MIDI files, or .mat or .npz piano rolls.")],
    output: Output,
    validation: Annotated[Path | None, typer.Option(metavar="DATA", help="Tunes to stop by.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="DATA", help="Tunes for the test.")] = None,
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
    hidden_size: Annotated[int | None, typer.Option(help="Hidden units.")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    transpose: Annotated[int | None, typer.Option(help="Move tunes by so many semitones at most in training.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps at most.")] = None,
    seed: Seed = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accelerator: Accelerator = "cpu",
    devices: Devices = "1",
    precision: Precision = "auto",
    num_nodes: Nodes = 1,
    json: AsJson = False,
) -> None:
    """Train a composer on the tunes of DATA, compare it with a Markov chain, and draw a report with players.

    Folders or arrays named train, valid and test are the parts; without them and without --validation and --test, a
    tenth of the tunes each is held out. Broken files are named and left out.
    """
    from longshort.tasks.compose import Composer

    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "transpose": transpose, "steps": steps}
    run_fit(
        Composer(**options.settings(set_, cell=cell, seed=seed, **sizes)),
        data,
        output,
        json,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, num_nodes),
        validation=validation,
        test=test,
    )
