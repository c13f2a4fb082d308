"""The command: arguments to calls, nothing else. Verbs are the life cycle, nouns are the tasks."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from longshort import __version__
from longshort.cli import (
    chat,
    compare,
    compose,
    demo,
    evaluate,
    explain,
    export,
    fit,
    fit_compose,
    fit_sequences,
    fit_speech,
    generate,
    predict,
    score,
    serve,
    study,
    transcribe,
    tune,
)
from longshort.errors import InputError, LongshortError, Note

app = typer.Typer(
    name="longshort",
    help="Long short-term memory networks, from the cell to the served model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(fit.app)
for command in (fit_sequences.translate, fit_sequences.summarize, fit_sequences.chat, fit_compose.compose):
    fit.app.command()(command)
fit.app.command()(fit_speech.transcribe)
app.add_typer(compare.app)
app.add_typer(tune.app)
app.add_typer(study.app)
app.command()(serve.serve)
app.command()(evaluate.evaluate)
app.command()(predict.predict)
app.command()(explain.explain)
app.command()(export.export)
app.command()(generate.generate)
app.command()(chat.chat)
app.command()(compose.compose)
app.command()(score.score)
app.command()(transcribe.transcribe)
app.command()(demo.demo)


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


def main() -> NoReturn:
    """Run the command: exit code 0 when it worked, 2 for wrong use or input, 1 for a failure, 130 when stopped."""
    try:
        with _notes():
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


@contextmanager
def _notes() -> Iterator[None]:
    """Our own warnings as a line each; those of others stay as they are."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Note):
                typer.echo(f"note: {message}", err=True)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        warnings.simplefilter("always", Note)
        yield
