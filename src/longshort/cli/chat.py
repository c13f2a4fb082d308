"""`longshort chat`: a conversation in the terminal, of which the model remembers what was said."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from longshort.cli import options
from longshort.cli.options import Run, Set
from longshort.errors import InputError


def chat(
    run: Run,
    sample: Annotated[bool, typer.Option("--sample", help="Draw replies instead of taking the likeliest.")] = False,
    temperature: Annotated[float, typer.Option(help="Of the draws: below 1 likelier, above 1 bolder.")] = 0.7,
    seed: Annotated[int | None, typer.Option(help="Of the draws; without it they differ every time.")] = None,
    set_: Set = None,
) -> None:
    """Talk with a chatbot. A line is a turn; /new begins another conversation, /quit ends."""
    from longshort.tasks import load
    from longshort.tasks.seq2seq import Chatbot

    model: Any = load(run)
    if not isinstance(model, Chatbot):
        raise InputError(f"{run} is a run of the task {model.task!r}, which does not converse: give a chatbot's")
    draws = {"method": "sample", "temperature": temperature, "seed": seed} if sample else {}
    decoding = options.settings(set_, **draws)
    model.decoding(**decoding)  # wrong settings are told before the first turn
    prompt, history = sys.stdin.isatty(), list[str]()
    if prompt:
        typer.echo(f"{model.speaker} listens. /new begins another conversation, /quit ends.", err=True)
    while True:
        if prompt:
            sys.stdout.write("> ")
            sys.stdout.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            break
        except UnicodeDecodeError:
            typer.echo("note: that line is not UTF-8; write it again", err=True)
            continue
        said = line.strip()
        if not line or said == "/quit":
            break
        if said == "/new":
            history = []
            continue
        if not said:
            continue
        reply = model.reply([*history, said], **decoding)
        history += [said, reply]
        typer.echo(reply)
