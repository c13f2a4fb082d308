"""The command: arguments to calls, nothing else. Verbs are the life cycle, nouns are the tasks."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer

from longshort import __version__
from longshort.errors import InputError, LongshortError

if TYPE_CHECKING:
    from longshort.tasks.forecast import Forecaster, Scores

app = typer.Typer(
    name="longshort",
    help="Long short-term memory networks, from the cell to the served model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
fit = typer.Typer(
    name="fit",
    help="Train a network on your data, beside honest baselines, into a run directory.",
    no_args_is_help=True,
)
app.add_typer(fit)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory that `longshort fit` wrote.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="Folder to write the run to.")]
Columns = Optional[list[str]]  # noqa: UP045 - typer reads the annotation at run time, on Python 3.10 too


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"longshort {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


@fit.command("forecast")
def fit_forecast(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV, TSV or Parquet file: long, wide or one series.")],
    horizon: Annotated[int, typer.Option("--horizon", "-H", help="Steps to forecast.")],
    output: Output,
    target: Annotated[Columns, typer.Option(help="Column to forecast; several make a series each.")] = None,
    time: Annotated[Optional[str], typer.Option(help="Column of times.")] = None,  # noqa: UP045
    id: Annotated[Optional[str], typer.Option(help="Column that names the series.")] = None,  # noqa: UP045
    past: Annotated[Columns, typer.Option(help="Column known up to the present only; may be repeated.")] = None,
    known: Annotated[Columns, typer.Option(help="Column known in advance; may be repeated.")] = None,
    static: Annotated[Columns, typer.Option(help="Column constant in each series; may be repeated.")] = None,
    freq: Annotated[Optional[str], typer.Option(help="Step, such as 1h, 15m, 1d, b, 1w, 1mo.")] = None,  # noqa: UP045
    cell: Annotated[str, typer.Option(help="lstm, gru, rnn, or none for no recurrent layer.")] = "lstm",
    members: Annotated[Optional[int], typer.Option(help="Networks to average.")] = None,  # noqa: UP045
    test_windows: Annotated[Optional[int], typer.Option(help="Windows held out for the test.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Of weights, batches and dropout.")] = 0,
    set_: Annotated[
        Columns, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as hidden_size=128.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in that folder.")] = False,
    accelerator: Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu, …")] = "cpu",
    devices: Annotated[str, typer.Option(help="Lightning's: how many, or auto.")] = "1",
    precision: Annotated[str, typer.Option(help="Lightning's: 32-true, bf16-mixed, …")] = "32-true",
    num_nodes: Annotated[int, typer.Option(help="Lightning's: machines.")] = 1,
    json: Json = False,
) -> None:
    """Train a forecaster on DATA, compare it with naive, seasonal-naive and AutoETS forecasts, and draw a report.

    Finds the time column, the frequency, the season and the look-back by itself and says what it found.
    """
    from longshort.training import Hardware

    settings: dict[str, Any] = {"horizon": horizon, "cell": cell, "seed": seed, **_settings(set_ or [])}
    optional = {"members": members, "test_windows": test_windows}
    settings.update({name: value for name, value in optional.items() if value is not None})
    columns = {"target": target or None, "time": time, "id": id, "freq": freq}
    exogenous = {"past": past or (), "known": known or (), "static": static or ()}
    hardware = Hardware(accelerator, int(devices) if devices.isdecimal() else devices, precision, num_nodes)
    _fit_forecaster(
        data, output, settings, {**columns, **exogenous}, json, resume=resume, overwrite=overwrite, hardware=hardware
    )


@app.command()
def evaluate(
    run: Run,
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(
            metavar="[DATA]", help="Rows that came after the training data; without them, the held-out test."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Score a run beside its baselines."""
    from longshort.tasks import load

    _print_scores(load(run).evaluate(data), json)


@app.command()
def predict(
    run: Run,
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="[DATA]", help="Newer rows, or other series; without them, the training data goes on."),
    ] = None,
    level: Annotated[Optional[list[float]], typer.Option(help="Central interval in percent; may be repeated.")] = None,  # noqa: UP045
    quantile: Annotated[Optional[list[float]], typer.Option(help="Quantile; may be repeated.")] = None,  # noqa: UP045
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="CSV or Parquet file to write; without it, CSV on standard output."),
    ] = None,
    json: Json = False,
) -> None:
    """Forecast with a run: a line per series and step, with the median and its intervals."""
    from longshort.tasks import load

    table = load(run).predict(data, levels=level or (80,), quantiles=quantile or ())
    if output:
        from longshort.data.files import write_table

        write_table(table, output)
    elif json:
        sys.stdout.write(table.write_json() + "\n")
    else:
        sys.stdout.write(table.write_csv())


@app.command()
def demo(
    output: Output = Path("runs/demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in that folder.")] = False,
    json: Json = False,
) -> None:
    """Train on real data that needs no download: four years of Seattle's weather, a week ahead."""
    try:
        from vega_datasets import local_data
    except ImportError:
        raise InputError("the demo's data is missing: pip install 'longshort[demo]'") from None
    settings = {"horizon": 7}
    columns = {"target": ["temp_max", "temp_min"], "time": "date"}
    _fit_forecaster(local_data.seattle_weather(), output, settings, columns, json, overwrite=overwrite)


def _fit_forecaster(
    data: Any, output: Path, settings: dict[str, Any], columns: dict[str, Any], json: bool, **options: Any
) -> None:
    from longshort.tasks.forecast import Forecaster
    from longshort.training import TerminalProgress
    from longshort.training.processes import is_main

    model = Forecaster(**settings)
    try:
        model.fit(data, run=output, progress=TerminalProgress(), **options, **columns)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command with --resume goes on from the last checkpoint in {output}", err=True)
        raise typer.Exit(130) from None
    if not is_main():
        return
    if model.fitted.scores:
        _print_scores(model.fitted.scores, json)
    elif json:
        typer.echo("null")
    if not json:
        _print_next_steps(model, output)


def _print_next_steps(model: Forecaster, run: Path) -> None:
    if (run / "report.html").exists():
        typer.echo(f"Report:   {run / 'report.html'}")
    typer.echo(f"Forecast: longshort predict {run}")


def _print_scores(scores: Scores, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(scores.to_json(), indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    from longshort.tasks.forecast.evaluation import METRICS, best_models

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    metrics = [m for m in METRICS if any(row.get(m) is not None for row in scores.overall.values())]
    for metric in metrics:
        table.add_column(metric, justify="right")
    best = best_models(scores.overall)
    for model, row in scores.overall.items():
        cells = []
        for metric in metrics:
            value = row.get(metric)
            text = "–" if value is None else f"{100 * value:.0f} %" if metric.startswith("coverage") else f"{value:.4g}"
            cells.append(f"[bold green]{text}[/]" if best.get(metric) == model else text)
        table.add_row(model, *cells)
    console = Console(highlight=False)
    console.print()
    console.print(table)
    console.print()
    console.print(scores.verdict, soft_wrap=True)


def _settings(pairs: list[str]) -> dict[str, Any]:
    """`hidden_size=128` and the like; values are JSON, or else text."""
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set needs NAME=VALUE, not {pair!r}")
        try:
            settings[name.replace("-", "_")] = json.loads(value)
        except ValueError:
            settings[name.replace("-", "_")] = value
    return settings


def main() -> NoReturn:
    """Run the command: exit code 0 when it worked, 2 for wrong use or input, 1 for a failure, 130 when stopped."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except LongshortError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("LONGSHORT_DEBUG"):
            raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        typer.echo(f"error: {text} (this is a fault of longshort; LONGSHORT_DEBUG=1 shows where)", err=True)
        sys.exit(1)
    sys.exit(0)
