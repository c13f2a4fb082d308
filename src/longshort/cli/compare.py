"""`longshort compare`: LSTM, GRU, plain RNN and the baseline, on somebody's data or on built-in tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from longshort.cli import options
from longshort.cli.options import AsJson, Output, Overwrite, Resume, Set, Text, Texts
from longshort.errors import InputError

app = typer.Typer(
    name="compare",
    help="LSTM, GRU, plain RNN and the baseline side by side: the same steps, weights and seeds for all.",
    no_args_is_help=True,
)

Cells = Annotated[Text, typer.Option(metavar="NAMES", help="Which cells, such as lstm,gru; the first sets the size.")]
Seeds = Annotated[int, typer.Option(help="Trainings of each cell.")]
Same = Annotated[str, typer.Option(help="What all cells have as many of: weights or units.")]
Rates = Annotated[Text, typer.Option(metavar="NUMBERS", help="Learning rates to try for each cell: 0.001,0.004.")]
First = Annotated[int, typer.Option(help="The first seed; the others follow.")]
Units = Annotated[int | None, typer.Option(help="Hidden units of the first cell.")]
Steps = Annotated[int | None, typer.Option(help="Optimiser steps of each training.")]
Batch = Annotated[int | None, typer.Option(help="Sequences in a step.")]
Rate = Annotated[float | None, typer.Option(help="Learning rate of all cells.")]
Precision = Annotated[Text, typer.Option(help="Lightning's: 32-true, bf16-mixed, …")]


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
    cells: Cells = None,
    seeds: Seeds = 3,
    same: Same = "weights",
    learning_rates: Rates = None,
    seed: First = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Compare cells as forecasters of DATA, beside naive, seasonal-naive and AutoETS forecasts."""
    _on_data(
        "forecast",
        data,
        output,
        json,
        _config(cells, seeds, same, learning_rates, seed),
        settings=options.settings(set_, horizon=horizon),
        resume=resume,
        overwrite=overwrite,
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
    cells: Cells = None,
    seeds: Seeds = 3,
    same: Same = "weights",
    learning_rates: Rates = None,
    seed: First = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Compare cells as language models of DATA, beside a count-based model and a compressor."""
    _on_data(
        "language",
        data,
        output,
        json,
        _config(cells, seeds, same, learning_rates, seed),
        settings=options.settings(set_),
        resume=resume,
        overwrite=overwrite,
        validation=validation or None,
        test=test or None,
        field=field,
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
    cells: Cells = None,
    seeds: Seeds = 3,
    same: Same = "weights",
    learning_rates: Rates = None,
    seed: First = 0,
    set_: Set = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Compare cells as classifiers of DATA, beside a regression; each seed has a split of its own, the same for all."""
    _on_data(
        "classify",
        data,
        output,
        json,
        _config(cells, seeds, same, learning_rates, seed),
        settings=options.settings(set_),
        resume=resume,
        overwrite=overwrite,
        text=text,
        label=label,
        id=id,
        step=step,
        channels=channel or None,
        validation=validation,
        test=test,
    )


@app.command("task")
def task(
    name: Annotated[str, typer.Argument(metavar="TASK", help="adding, copy, order, recall, mnist or permuted-mnist.")],
    output: Output,
    lag: Annotated[int | None, typer.Option(help="Steps over which something must be remembered.")] = None,
    cells: Cells = None,
    seeds: Seeds = 3,
    same: Same = "weights",
    learning_rates: Rates = None,
    seed: First = 0,
    hidden_size: Units = None,
    steps: Steps = None,
    batch_size: Batch = None,
    learning_rate: Rate = None,
    precision: Precision = None,
    accelerator: Annotated[Text, typer.Option(help="Lightning's: cpu, gpu, auto.")] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Compare cells on a built-in task of long-term dependencies, with a recipe that is the same for all."""
    from longshort.study import TaskConfig, compare_task
    from longshort.training import TerminalProgress

    sizes = {"hidden_size": hidden_size, "steps": steps, "batch_size": batch_size}
    rates = {"learning_rate": learning_rate, "precision": precision, "accelerator": accelerator}
    common = _config(cells, seeds, same, learning_rates, seed)
    config = TaskConfig.from_dict({**common, **sizes, **rates, "task": name, "lag": lag})
    with options.resumable(output):
        found = compare_task(config, run=output, resume=resume, overwrite=overwrite, progress=TerminalProgress())
    _print(found, output, json)


@app.command("lags")
def lags(
    name: Annotated[str, typer.Argument(metavar="TASK", help="adding, copy, order or recall.")],
    output: Output,
    lags: Annotated[list[int] | None, typer.Argument(metavar="LAGS", help="10 30 100 300 1000, if left out.")] = None,
    cells: Cells = None,
    seeds: Seeds = 3,
    same: Same = "weights",
    learning_rates: Rates = None,
    seed: First = 0,
    hidden_size: Units = None,
    steps: Steps = None,
    batch_size: Batch = None,
    learning_rate: Rate = None,
    precision: Precision = None,
    accelerator: Annotated[Text, typer.Option(help="Lightning's: cpu, gpu, auto.")] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Compare cells on a built-in task at growing lags: how far back does each remember?"""
    from longshort.study import LagsConfig, compare_lags
    from longshort.training import TerminalProgress

    sizes = {"hidden_size": hidden_size, "steps": steps, "batch_size": batch_size}
    rates = {"learning_rate": learning_rate, "precision": precision, "accelerator": accelerator}
    common = _config(cells, seeds, same, learning_rates, seed)
    asked = {"lags": lags} if lags else {}
    config = LagsConfig.from_dict({**common, **sizes, **rates, **asked, "task": name})
    with options.resumable(output):
        found = compare_lags(config, run=output, resume=resume, overwrite=overwrite, progress=TerminalProgress())
    _print(found, output, json)


def _on_data(task: str, data: Any, output: Path, as_json: bool, config: dict[str, Any], **given: Any) -> None:
    from longshort.study import CompareConfig, compare
    from longshort.training import TerminalProgress

    with options.resumable(output):
        found = compare(task, data, CompareConfig.from_dict(config), run=output, progress=TerminalProgress(), **given)
    _print(found, output, as_json)


def _config(cells: Text, seeds: int, same: str, learning_rates: Text, seed: int) -> dict[str, Any]:
    """The settings that all comparisons have, without those that were not given."""
    given: dict[str, Any] = {"seeds": seeds, "same": same, "seed": seed}
    if cells:
        given["cells"] = tuple(cell.strip() for cell in cells.split(","))
    if learning_rates:
        try:
            given["learning_rates"] = tuple(float(rate) for rate in learning_rates.split(","))
        except ValueError:
            raise InputError(f"--learning-rates needs numbers such as 0.001,0.004, not {learning_rates!r}") from None
    return given


class _Found(Protocol):
    @property
    def verdict(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


def _print(found: _Found, output: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    typer.echo(found.verdict)
    typer.echo(f"Report: {output / 'report.html'}")
