"""`longshort predict`: a run's answer to new data, as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from longshort.cli import options as given
from longshort.cli.options import AsJson, Run, Set, Texts
from longshort.errors import InputError

# Tasks whose answers can be found in several ways.
WRITING = ("translate", "summarize", "chat")


def predict(
    run: Run,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]",
            help="A file: newer rows or other series for a forecaster (without it the training data goes on), "
            "rows to classify, a text to go on from, lines or rows to translate or summarise, dialogues to reply to.",
        ),
    ] = None,
    text: Annotated[Texts, typer.Option(help="A text in place of a file; may be repeated.")] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="Of a forecast: central interval in percent; may be repeated.")
    ] = None,
    quantile: Annotated[list[float] | None, typer.Option(help="Of a forecast: quantile; may be repeated.")] = None,
    set_: Set = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV or Parquet file to write; without it, CSV on standard output."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Answer with a run: a forecast with intervals, classes of texts or sequences, the next tokens of a text,
    translations, summaries, replies."""
    from longshort.tasks import load

    model = load(run)
    if text and data:
        raise InputError("give either a file or --text, not both")
    options: dict[str, Any] = {n: values for n, values in {"levels": level, "quantiles": quantile}.items() if values}
    if model.task == "forecast" and text:
        raise InputError(f"{run} is a forecaster, which reads no --text: give a table")
    if model.task != "forecast" and options:
        raise InputError(f"--level and --quantile belong to forecasts, {run} is a run of the task {model.task!r}")
    if set_ and model.task not in WRITING:
        raise InputError(f"--set changes how {', '.join(WRITING)} write, {run} is a run of the task {model.task!r}")
    options |= given.settings(set_)
    table = model.predict(text or data, **options)
    if output:
        from longshort.data.files import write_table

        write_table(table, output)
    elif json:
        sys.stdout.write(table.write_json() + "\n")
    else:
        sys.stdout.write(table.write_csv())
