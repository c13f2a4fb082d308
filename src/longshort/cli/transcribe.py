"""`longshort transcribe`: the text of recordings, or of a sound while it arrives."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from longshort.cli import options
from longshort.cli.options import AsJson, Run
from longshort.errors import InputError

# Seconds of sound between two looks at what is known.
CHUNK = 0.1


def transcribe(
    run: Run,
    audio: Annotated[
        list[str], typer.Argument(metavar="AUDIO...", help="Audio files; - for 16-bit samples on standard input.")
    ],
    times: Annotated[bool, typer.Option("--times", help="Every word on a line: start, end, confidence, word.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Read a file as if it were arriving; show what is known.")
    ] = False,
    rate: Annotated[int, typer.Option(help="Of standard input: samples a second, one channel.")] = 16_000,
    beam: Annotated[int | None, typer.Option(help="Texts that are followed; 1 for the likeliest path.")] = None,
    language: Annotated[Path | None, typer.Option(metavar="RUN", help="Run of a language model that helps.")] = None,
    words: Annotated[Path | None, typer.Option(metavar="FILE", help="The only words there are, one a line.")] = None,
    language_weight: Annotated[float | None, typer.Option(help="Of the language model.")] = None,
    word_bonus: Annotated[float | None, typer.Option(help="For every word, in nats.")] = None,
    json_: AsJson = False,
) -> None:
    """Write down what is said in audio files, or in a sound while it arrives."""
    from longshort.tasks import load
    from longshort.tasks.transcribe import Transcriber

    given = options.settings(
        None,
        beam=beam,
        language=language,
        words=words,
        language_weight=language_weight,
        word_bonus=word_bonus,
    )
    model: Any = load(run)
    if not isinstance(model, Transcriber):
        raise InputError(f"{run} is a run of the task {model.task!r}, which hears nothing: give a transcriber's")
    found = []
    for source in audio:
        if source == "-" or live:
            transcript = _live(model, source, rate, given, quiet=json_)
        else:
            transcript = model.transcribe(source, **given)
        found.append({"recording": source, **transcript.to_json()})
        if json_:
            continue
        prefix = f"{source}: " if len(audio) > 1 else ""
        if times:
            for w in transcript.words:
                typer.echo(f"{prefix}{w.start:.2f}\t{w.end:.2f}\t{w.confidence:.2f}\t{w.text}")
        else:
            typer.echo(prefix + transcript.text)
        typer.echo(
            f"{prefix}{transcript.seconds:.2f} s, confidence {transcript.confidence:.2f}, "
            f"real-time factor {transcript.real_time_factor:.3f}",
            err=True,
        )
    if json_:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _live(model: Any, source: str, rate: int, given: dict[str, Any], quiet: bool) -> Any:
    """Feed a sound chunk by chunk; what is known so far goes to standard error as it changes."""
    import numpy as np

    if source != "-":
        from longshort.data.audio import audio_blocks

        rate = model.fitted.plan.features.rate or rate
        chunks: Any = audio_blocks(source, rate, CHUNK)
    else:
        size = 2 * max(1, int(CHUNK * rate))
        read = iter(lambda: sys.stdin.buffer.read(size), b"")
        chunks = (np.frombuffer(data[: len(data) // 2 * 2], "<i2") for data in read)
    heard, shown = model.live(rate=rate, **given), ""
    for chunk in chunks:
        partial = heard.feed(chunk)
        if partial.text != shown and not quiet:
            shown = partial.text
            typer.echo(f"{partial.seconds:6.2f} s  {shown}", err=True)
    return heard.finish()
