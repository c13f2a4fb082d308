"""`longshort fit translate`, `summarize` and `chat`: networks that write a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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

Files = list[Path]
Size = int | None
Validation = Annotated[Files | None, typer.Option(metavar="FILE", help="To stop by; two aligned files: give it twice.")]
Test = Annotated[Files | None, typer.Option(metavar="FILE", help="For the test; two aligned files: give it twice.")]
Attention = Annotated[str, typer.Option(help="dot, general, additive or none.")]
Hidden = Annotated[Size, typer.Option(help="Hidden units.")]
Epochs = Annotated[Size, typer.Option(help="How often to go through the data.")]
Steps = Annotated[Size, typer.Option(help="Optimiser steps at most, in place of epochs.")]
Beam = Annotated[int, typer.Option(help="Hypotheses that are followed when it writes.")]


def translate(
    data: Annotated[Files, typer.Argument(metavar="DATA", help="Two aligned files, or a table with two columns.")],
    output: Output,
    source: Annotated[Text, typer.Option(help="Column of sentences to read.")] = None,
    target: Annotated[Text, typer.Option(help="Column of sentences to write.")] = None,
    validation: Validation = None,
    test: Test = None,
    attention: Attention = "general",
    hidden_size: Hidden = None,
    epochs: Epochs = None,
    steps: Steps = None,
    beam: Beam = 5,
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
    """Train a translator on pairs of sentences, compare it with the nearest known translation, and draw a report."""
    from longshort.tasks.seq2seq import Translator

    given = {"source": source, "target": target, **_parts(validation, test)}
    settings = _settings(set_, attention, hidden_size, epochs, steps, beam, seed)
    where = options.hardware(accelerator, devices, precision, num_nodes)
    run_fit(
        Translator(**settings), _one(data), output, json, resume=resume, overwrite=overwrite, hardware=where, **given
    )


def summarize(
    data: Annotated[Files, typer.Argument(metavar="DATA", help="A table of documents and summaries, or two files.")],
    output: Output,
    document: Annotated[Text, typer.Option(help="Column of documents.")] = None,
    summary: Annotated[Text, typer.Option(help="Column of summaries.")] = None,
    validation: Validation = None,
    test: Test = None,
    attention: Attention = "general",
    hidden_size: Hidden = None,
    epochs: Epochs = None,
    steps: Steps = None,
    beam: Beam = 5,
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
    """Train a summarizer that may copy, compare it with first words and a TextRank sentence, and draw a report."""
    from longshort.tasks.seq2seq import Summarizer

    given = {"document": document, "summary": summary, **_parts(validation, test)}
    settings = _settings(set_, attention, hidden_size, epochs, steps, beam, seed)
    where = options.hardware(accelerator, devices, precision, num_nodes)
    run_fit(
        Summarizer(**settings), _one(data), output, json, resume=resume, overwrite=overwrite, hardware=where, **given
    )


def chat(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="JSON Lines of dialogues with turns.")],
    output: Output,
    speaker: Annotated[Text, typer.Option(help="Who replies; by default who most often speaks second.")] = None,
    validation: Annotated[Path | None, typer.Option(metavar="FILE", help="Dialogues to stop by.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Dialogues for the test.")] = None,
    attention: Attention = "general",
    hidden_size: Hidden = None,
    epochs: Epochs = None,
    steps: Steps = None,
    beam: Beam = 5,
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
    """Train a chatbot that reads the whole conversation, tell what the history is worth to it, and draw a report."""
    from longshort.tasks.seq2seq import Chatbot

    given = {"speaker": speaker, "validation": validation, "test": test}
    settings = _settings(set_, attention, hidden_size, epochs, steps, beam, seed)
    where = options.hardware(accelerator, devices, precision, num_nodes)
    run_fit(Chatbot(**settings), data, output, json, resume=resume, overwrite=overwrite, hardware=where, **given)


def _settings(
    pairs: options.Texts, attention: str, hidden_size: Size, epochs: Size, steps: Size, beam: int, seed: int
) -> dict[str, Any]:
    sizes = {"hidden_size": hidden_size, "epochs": epochs, "steps": steps}
    return options.settings(pairs, attention=attention, beam=beam, seed=seed, **sizes)


def _one(files: Files) -> Any:
    """A single file as it is, several as a list."""
    return files[0] if len(files) == 1 else files


def _parts(validation: Files | None, test: Files | None) -> dict[str, Any]:
    return {name: _one(files) if files else None for name, files in (("validation", validation), ("test", test))}
