"""`longshort evaluate`: score a run beside its baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longshort.cli.options import AsJson, Run, Text
from longshort.cli.scores import print_scores
from longshort.errors import InputError


def evaluate(
    run: Run,
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Data that the run has not seen (for a forecaster the rows that came after, for a translator also two "
            "aligned files); without, the test split.",
        ),
    ] = None,
    field: Annotated[Text, typer.Option(help="A language model, JSON Lines: the field that holds the text.")] = None,
    cache: Annotated[
        bool, typer.Option("--cache", help="A language model: also with a cache of what it has just read.")
    ] = False,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="A language model: also learning from the text as it reads it; slow.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Score a run beside its baselines."""
    from longshort.tasks import load

    model = load(run)
    options = {name: given for name, given in {"field": field, "cache": cache, "dynamic": dynamic}.items() if given}
    if options and model.task != "language":
        raise InputError(
            f"--{next(iter(options))} belongs to language models, {run} is a run of the task {model.task!r}"
        )
    several = data is not None and len(data) > 1
    if several and model.task not in ("language", "translate", "summarize"):
        raise InputError(f"{len(data or [])} files are given, a run of the task {model.task!r} is evaluated on one")
    print_scores(model.evaluate(data if several else data[0] if data else None, **options), json)
