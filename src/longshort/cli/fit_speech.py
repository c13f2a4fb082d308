"""`longshort fit transcribe`: speech to text."""

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
    Text,
)


def transcribe(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Table of paths and transcripts, or a folder of audio and .txt files."),
    ],
    output: Output,
    path: Annotated[Text, typer.Option(help="Column of paths to audio.")] = None,
    transcript: Annotated[Text, typer.Option(help="Column of transcripts.")] = None,
    speaker: Annotated[Text, typer.Option(help="Column of speakers.")] = None,
    split: Annotated[Text, typer.Option(help="Column of parts: train, validation, test.")] = None,
    features: Annotated[Path | None, typer.Option(metavar="FILE", help=".npz of features in place of audio.")] = None,
    validation: Annotated[Path | None, typer.Option(metavar="FILE", help="Recordings to stop by.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Recordings for the test.")] = None,
    units: Annotated[str, typer.Option(help="characters, subwords or words.")] = "characters",
    live: Annotated[bool, typer.Option("--live", help="For transcription while the sound arrives.")] = False,
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
    hidden_size: Annotated[int | None, typer.Option(help="Hidden units in each direction.")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
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
    """Train a transcriber of speech on DATA, compare it with simple guesses, and draw a report.

    Audio of any sample rate and number of channels. Without --validation, --test or a column of parts, shares of the
    recordings are held out.
    """
    from longshort.tasks.transcribe import Transcriber

    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "steps": steps, "live": live or None}
    run_fit(
        Transcriber(**options.settings(set_, units=units, cell=cell, seed=seed, **sizes)),
        data,
        output,
        json,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, num_nodes),
        path=path,
        transcript=transcript,
        speaker=speaker,
        split=split,
        features=features,
        validation=validation,
        test=test,
    )
