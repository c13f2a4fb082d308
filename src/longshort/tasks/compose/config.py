"""What a composer can be told, and the plan that it makes of that and the music."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.settings import Settings
from longshort.space import Range, Ranges

CELLS = ("lstm", "gru", "rnn")
KINDS = ("tokens", "rolls")
# How often a training goes through its tunes, if it is not stopped before; and the bounds of its optimiser steps.
EPOCHS = {"tokens": 30, "rolls": 150}
STEPS = (300, 8_000)
CHECKS = 40


@dataclass(frozen=True)
class ComposeConfig(Settings):
    """Settings of a `Composer`.

    Attributes:
        cell: recurrent layers: "lstm", "gru" or "rnn".
        embedding_size: of tokens.
        hidden_size, num_layers: of the network.
        input_dropout, hidden_dropout, output_dropout, weight_dropout: probabilities with which numbers of an embedding
            (of a roll: keys), numbers between layers, numbers of the output, and recurrent weights (DropConnect) are
            left out (Merity et al. 2018).
        transpose: in training every tune is moved up or down by as many semitones at most, anew each time.
        window: steps of a tune that are read at once in training, from a place drawn anew each time.
        batch_size: tunes of a step.
        steps: optimiser steps at most.
        learning_rate, weight_decay: of AdamW.
        averaging: steps over which the weights that are kept are averaged.
        frame: quarter notes that a frame of a piano roll lasts.
        tunes, bars: how many tunes are written to judge the network's own music by, and how long each is.
        validation, test: shares of the tunes, where no parts are given.
        seed: of weights, batches and dropout.
    """

    cell: str = "lstm"
    embedding_size: int = 64
    hidden_size: int | None = None
    num_layers: int | None = None
    input_dropout: float | None = None
    hidden_dropout: float = 0.25
    output_dropout: float | None = None
    weight_dropout: float | None = None
    transpose: int | None = None
    window: int | None = None
    batch_size: int = 16
    steps: int | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    averaging: int | None = None
    frame: float = 0.5
    tunes: int = 20
    bars: int = 16
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("cell", CELLS)
        self._whole("hidden_size", "num_layers", "steps", "averaging", least=1, optional=True)
        self._whole("embedding_size", "batch_size", "tunes", "bars", least=1)
        self._whole("window", least=8, optional=True)
        self._whole("transpose", least=0, optional=True)
        self._whole("seed", least=0)
        self._number("input_dropout", "output_dropout", "weight_dropout", below=1, optional=True)
        self._number("hidden_dropout", below=1)
        self._number("weight_decay")
        self._number("learning_rate", "frame", positive=True)
        self._number("validation", positive=True, below=1)
        self._number("test", below=1)
        self._need(self.validation + self.test < 1, "validation and test must leave some tunes to learn from")


@dataclass(frozen=True)
class Plan:
    """What a config and the music come to.

    Attributes:
        kind: "tokens" of MIDI files or "rolls".
        size: different tokens, or keys.
        training, validation, test: tunes of each part.
        steps_learnt: tokens or frames of the training part.
        hidden_size, num_layers, input_dropout, output_dropout, weight_dropout, transpose, window, batch_size: as in the
            settings.
        steps, check_every: optimiser steps at most, and between two looks at the validation part.
        averaging: as in the settings.
    """

    kind: str
    size: int
    training: int
    validation: int
    test: int
    steps_learnt: int
    hidden_size: int
    num_layers: int
    input_dropout: float
    output_dropout: float
    weight_dropout: float
    transpose: int
    window: int
    batch_size: int
    steps: int
    check_every: int
    averaging: int

    @property
    def step(self) -> str:
        """What one step of a tune is called."""
        return "token" if self.kind == "tokens" else "frame"

    def describe(self) -> str:
        """What was read, in one line."""
        parts = f"{self.training:,} tunes to learn from, {self.validation:,} to know when to stop"
        if self.test:
            parts += f", {self.test:,} for the test"
        what = f"{self.steps_learnt:,} {self.step}s"
        if self.kind == "tokens":
            what += f" of {self.size:,} different ones"
        moved = f"moved by up to {self.transpose} semitones" if self.transpose else "not transposed"
        return f"{parts}; {what}, {moved}; {self.hidden_size} hidden units, {self.steps:,} steps at most"

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)


def ranges(plan: Plan) -> Ranges:
    """What is worth a search."""
    return {
        "num_layers": Range(1, 3),
        "hidden_size": Range(max(16, plan.hidden_size // 4), 2 * plan.hidden_size, log=True),
        "learning_rate": Range(1e-3, 1e-2, log=True),
        "output_dropout": Range(0.0, 0.6),
        "weight_dropout": Range(0.0, 0.6),
        "transpose": Range(0, 6),
    }


def make_plan(config: ComposeConfig, kind: str, size: int, tunes: tuple[int, int, int], learnt: int) -> Plan:
    """Sizes, regularisation and length of training, from the kind and the amount of music.

    Args:
        config: settings.
        kind: of music.
        size: different tokens, or keys.
        tunes: of the training, validation and test part.
        learnt: tokens or frames of the training part.
    """

    def given(value: Any, default: Any) -> Any:
        return default if value is None else value

    rolls = kind == "rolls"
    batch = min(config.batch_size, tunes[0])
    window = given(config.window, 256 if rolls else 512)
    per_epoch = max(tunes[0], learnt / window) / batch
    steps = config.steps or int(np.clip(EPOCHS[kind] * per_epoch, *STEPS))
    return Plan(
        kind=kind,
        size=size,
        training=tunes[0],
        validation=tunes[1],
        test=tunes[2],
        steps_learnt=learnt,
        hidden_size=given(config.hidden_size, 384 if rolls else 256),
        num_layers=given(config.num_layers, 1 if rolls else 2),
        input_dropout=given(config.input_dropout, 0.2 if rolls else 0.0),
        output_dropout=given(config.output_dropout, 0.5 if rolls else 0.3),
        weight_dropout=given(config.weight_dropout, 0.5 if rolls else 0.2),
        transpose=given(config.transpose, 6 if not rolls else 0),
        window=window,
        batch_size=batch,
        steps=steps,
        check_every=-(-steps // CHECKS),
        averaging=given(config.averaging, max(1, min(300, steps // 20))),
    )
