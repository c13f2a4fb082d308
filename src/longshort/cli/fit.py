"""`longshort fit TASK`: train on a file, into a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshort.cli import options
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
    Texts,
)
from longshort.cli.scores import print_scores

if TYPE_CHECKING:
    from longshort.estimator import Estimator

app = typer.Typer(
    name="fit",
    help="Train a network on your data, beside honest baselines, into a run directory.",
    no_args_is_help=True,
)


@app.command("classify")
def classify(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV, TSV, JSONL, Parquet or .ts file of labelled examples.")
    ],
    output: Output,
    text: Annotated[Text, typer.Option(help="Column of texts.")] = None,
    label: Annotated[Text, typer.Option(help="Column of labels.")] = None,
    id: Annotated[Text, typer.Option(help="Column that names the sequence of each row.")] = None,
    step: Annotated[Text, typer.Option(help="Column that orders the rows of a sequence.")] = None,
    channel: Annotated[Texts, typer.Option(help="Column of numbers; may be repeated.")] = None,
    validation: Annotated[Path | None, typer.Option(metavar="FILE", help="Examples to stop by.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Examples for the test.")] = None,
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn, in both directions.")] = "lstm",
    hidden_size: Annotated[int | None, typer.Option(help="Hidden units in each direction.")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    members: Annotated[int | None, typer.Option(help="Networks to average.")] = None,
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
    """Train a classifier of texts or of sequences of numbers on DATA, compare it with a regression, and draw a report.

    Finds the columns by itself and says what it found. Without --validation and --test, a share of each class is held
    out.
    """
    from longshort.tasks.classify import Classifier

    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "members": members, "steps": steps}
    run_fit(
        Classifier(**options.settings(set_, cell=cell, seed=seed, **sizes)),
        data,
        output,
        json,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, num_nodes),
        text=text,
        label=label,
        id=id,
        step=step,
        channels=channel or None,
        validation=validation,
        test=test,
    )


@app.command("forecast")
def forecast(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV, TSV or Parquet file: long, wide or one series.")],
    horizon: Annotated[int, typer.Option("--horizon", "-H", help="Steps to forecast.")],
    output: Output,
    target: Annotated[Texts, typer.Option(help="Column to forecast; several make a series each.")] = None,
    time: Annotated[Text, typer.Option(help="Column of times.")] = None,
    id: Annotated[Text, typer.Option(help="Column that names the series.")] = None,
    past: Annotated[Texts, typer.Option(help="Column known up to the present only; may be repeated.")] = None,
    known: Annotated[Texts, typer.Option(help="Column known in advance; may be repeated.")] = None,
    static: Annotated[Texts, typer.Option(help="Column constant in each series; may be repeated.")] = None,
    freq: Annotated[Text, typer.Option(help="Step, such as 1h, 15m, 1d, b, 1w, 1mo.")] = None,
    cell: Annotated[str, typer.Option(help="lstm, gru, rnn, or none for no recurrent layer.")] = "lstm",
    members: Annotated[int | None, typer.Option(help="Networks to average.")] = None,
    test_windows: Annotated[int | None, typer.Option(help="Windows held out for the test.")] = None,
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
    """Train a forecaster on DATA, compare it with naive, seasonal-naive and AutoETS forecasts, and draw a report.

    Finds the time column, the frequency, the season and the look-back by itself and says what it found.
    """
    from longshort.tasks.forecast import Forecaster

    settings = options.settings(set_, horizon=horizon, cell=cell, seed=seed, members=members, test_windows=test_windows)
    run_fit(
        Forecaster(**settings),
        data,
        output,
        json,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, num_nodes),
        target=target or None,
        time=time,
        id=id,
        freq=freq,
        past=past or (),
        known=known or (),
        static=static or (),
    )


@app.command("language")
def language(
    data: Annotated[list[Path], typer.Argument(metavar="DATA", help="Text files, folders of them, or JSON Lines.")],
    output: Output,
    validation: Annotated[list[Path] | None, typer.Option(help="Text that tells when to stop.")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Text for the honest evaluation.")] = None,
    field: Annotated[Text, typer.Option(help="Of JSON Lines: the field that holds the text.")] = None,
    tokens: Annotated[Text, typer.Option(help="characters, bytes, words or subwords; by default by the size.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Hidden units.")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
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
    """Train a language model on DATA, compare it with a count-based model and a compressor, and draw a report.

    Without --validation and --test, parts of the text are held out, the test at its end.
    """
    from longshort.tasks.language import LanguageModel

    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "steps": steps}
    settings = options.settings(set_, tokens=tokens, cell=cell, seed=seed, **sizes)
    run_fit(
        LanguageModel(**settings),
        data,
        output,
        json,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, num_nodes),
        validation=validation or None,
        test=test or None,
        field=field,
    )


def run_fit(estimator: Estimator[Any, Any, Any], data: Any, output: Path, json: bool, **given: Any) -> None:
    """Fit into a run directory, then print the scores and what to do next."""
    from longshort.training import TerminalProgress
    from longshort.training.processes import is_main

    with options.resumable(output):
        estimator.fit(data, run=output, progress=TerminalProgress(), **given)
    if not is_main():
        return
    scores = estimator.fitted.scores
    if scores:
        print_scores(scores, json)
    elif json:
        typer.echo("null")
    if not json:
        lines = {"Report": str(output / "report.html"), **estimator.next_steps}
        width = max(map(len, lines)) + 1
        for what, line in lines.items():
            typer.echo(f"{what + ':':<{width}} {line.format(run=output)}")
