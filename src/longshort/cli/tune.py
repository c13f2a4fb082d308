"""`longshort tune TASK`: which settings serve best, by trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from longshort.cli import options
from longshort.cli.options import (
    Accelerator,
    AsJson,
    Devices,
    Output,
    Overwrite,
    Precision,
    Resume,
    Seed,
    Set,
    Text,
    Texts,
)

app = typer.Typer(
    name="tune",
    help="Search for the settings that serve best: layers, hidden units, learning rate and the rest.",
    no_args_is_help=True,
)

Search = Annotated[
    Texts,
    typer.Option(
        "--search",
        metavar="NAME=LOW..HIGH",
        help="Another range, or NAME=A,B,C for a list; may be repeated. What --set gives is not searched over.",
    ),
]
Trials = Annotated[int | None, typer.Option(help="Trials at most, 30 if no --minutes are given.")]
Minutes = Annotated[float | None, typer.Option(help="Minutes after which no trial begins.")]
Again = Annotated[int, typer.Option(help="Other seeds from which the best and the default settings are trained again.")]
Prune = Annotated[bool, typer.Option("--prune/--no-prune", help="Stop a trial early that is worse than most others.")]
Workers = Annotated[int, typer.Option(help="Trials side by side, each in a process.")]
Engine = Annotated[str, typer.Option(help="Where the workers are: processes of this machine, or a ray cluster.")]
Fit = Annotated[Path | None, typer.Option("--fit", metavar="RUN", help="Then train the winner to this folder.")]


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
    validation: Annotated[Path | None, typer.Option(metavar="FILE", help="Examples to compare by.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Examples for the test of --fit.")] = None,
    search: Search = None,
    trials: Trials = None,
    minutes: Minutes = None,
    again: Again = 3,
    prune: Prune = True,
    workers: Workers = 1,
    engine: Engine = "processes",
    fit: Fit = None,
    seed: Seed = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accelerator: Accelerator = "cpu",
    devices: Devices = "1",
    precision: Precision = "auto",
    json_: AsJson = False,
) -> None:
    """Search for the settings of a classifier."""
    run_tune(
        "classify",
        str(data),
        output,
        json_,
        settings=options.settings(set_, seed=seed),
        search=search,
        budget={"trials": trials, "minutes": minutes, "again": again, "prune": prune}
        | {"workers": workers, "engine": engine},
        fit=fit,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, 1),
        text=text,
        label=label,
        id=id,
        step=step,
        channels=channel,
        validation=_text(validation),
        test=_text(test),
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
    search: Search = None,
    trials: Trials = None,
    minutes: Minutes = None,
    again: Again = 3,
    prune: Prune = True,
    workers: Workers = 1,
    engine: Engine = "processes",
    fit: Fit = None,
    seed: Seed = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accelerator: Accelerator = "cpu",
    devices: Devices = "1",
    precision: Precision = "auto",
    json_: AsJson = False,
) -> None:
    """Search for the settings of a forecaster."""
    run_tune(
        "forecast",
        str(data),
        output,
        json_,
        settings=options.settings(set_, horizon=horizon, seed=seed),
        search=search,
        budget={"trials": trials, "minutes": minutes, "again": again, "prune": prune}
        | {"workers": workers, "engine": engine},
        fit=fit,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, 1),
        target=target,
        time=time,
        id=id,
        freq=freq,
        past=past,
        known=known,
        static=static,
    )


@app.command("language")
def language(
    data: Annotated[list[Path], typer.Argument(metavar="DATA", help="Text files, folders of them, or JSON Lines.")],
    output: Output,
    validation: Annotated[list[Path] | None, typer.Option(help="Text to compare by.")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="Text for the test of --fit.")] = None,
    field: Annotated[Text, typer.Option(help="Of JSON Lines: the field that holds the text.")] = None,
    tokens: Annotated[Text, typer.Option(help="characters, bytes, words or subwords; by default by the size.")] = None,
    search: Search = None,
    trials: Trials = None,
    minutes: Minutes = None,
    again: Again = 3,
    prune: Prune = True,
    workers: Workers = 1,
    engine: Engine = "processes",
    fit: Fit = None,
    seed: Seed = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accelerator: Accelerator = "cpu",
    devices: Devices = "1",
    precision: Precision = "auto",
    json_: AsJson = False,
) -> None:
    """Search for the settings of a language model."""
    run_tune(
        "language",
        [str(path) for path in data],
        output,
        json_,
        settings=options.settings(set_, tokens=tokens, seed=seed),
        search=search,
        budget={"trials": trials, "minutes": minutes, "again": again, "prune": prune}
        | {"workers": workers, "engine": engine},
        fit=fit,
        resume=resume,
        overwrite=overwrite,
        hardware=options.hardware(accelerator, devices, precision, 1),
        validation=[str(path) for path in validation or []],
        test=[str(path) for path in test or []],
        field=field,
    )


def run_tune(
    task: str, data: Any, output: Path, as_json: bool, *, budget: dict[str, Any], search: Texts, **given: Any
) -> None:
    """Search into a run directory, then print what was found and how to train the winner."""
    from longshort.study.report.tune import command
    from longshort.study.tuning import Budget, tune
    from longshort.training import TerminalProgress

    given = {"search": search or [], "budget": Budget(**budget), "progress": TerminalProgress(), **given}
    with options.resumable(output):
        found = tune(task, data, run=output, **given)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(found.verdict)
    typer.echo(f"Report: {output / 'report.html'}")
    if given["fit"]:
        typer.echo(f"Winner: {given['fit']}")
    else:
        typer.echo(f"Train:  {command(found)}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
