"""What a classifier can be told, and the plan that it makes of that and the examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.settings import Settings
from longshort.space import Range, Ranges

CELLS = ("lstm", "gru", "rnn")
POOLS = ("attention", "max", "mean")
# How often a training goes through its examples, and the bounds of its optimiser steps.
EPOCHS = 3
STEPS = (1_000, 20_000)
CHECKS = 20
# Networks to average: where examples are few, chance decides much of what one network learns, and another is cheap.
FEW = 5_000
MEMBERS = 3
# What serves best where nothing is said, for texts and for numbers; chosen on validation parts.
DEFAULTS: dict[str, dict[str, Any]] = {
    "texts": {
        "hidden_size": 128,
        "input_dropout": 0.4,
        "noise": 0.0,
        "label_smoothing": 0.05,
        "batch_size": 64,
        "learning_rate": 2e-3,
    },
    "numbers": {
        "hidden_size": 64,
        "input_dropout": 0.2,
        "noise": 0.5,
        "label_smoothing": 0.1,
        "batch_size": 16,
        "learning_rate": 3e-3,
    },
}


@dataclass(frozen=True)
class ClassifyConfig(Settings):
    """Settings of a `Classifier`.

    Attributes:
        cell: recurrent layers, in both directions: "lstm", "gru" or "rnn".
        pooling: what becomes of the outputs of all steps: "attention" (a weighted mean whose weights are learnt),
            "max", "mean", or "all": the three side by side.
        embedding_size: numbers that stand for a word.
        hidden_size, num_layers: of the network; hidden_size in each direction.
        vocabulary_size: words that have numbers of their own, at most; by default those that occur twice.
        character_buckets: hashed pieces of 3 to 5 letters that have numbers of their own: a word is the sum of itself
            and the mean of its pieces, so that unknown words say something; 0 for none.
        max_length: words or steps that are read of each example; what is longer is cut.
        word_dropout: probability with which a word is taken as unknown, its pieces left.
        input_dropout, hidden_dropout, pooled_dropout, weight_dropout: probabilities with which inputs of the first
            layer (the same at all steps), numbers between layers, pooled numbers, and recurrent weights (DropConnect)
            are left out.
        noise: standard deviation of the noise that is added to numbers in training, in units of each channel's own.
        label_smoothing: probability that the target leaves to the other classes.
        balanced: whether all classes weigh the same in the loss, however few examples they have: rare ones are found
            more often then, at the price of wrong alarms and of calibration.
        batch_size, steps, learning_rate, weight_decay: of AdamW; steps at most.
        members: networks whose logits are averaged; each has weights and batches of its own.
        validation, test: shares of the examples of every class, where no files are given.
        seed: of the split, weights, batches and dropout.
    """

    cell: str = "lstm"
    pooling: str = "all"
    embedding_size: int = 128
    hidden_size: int | None = None
    num_layers: int = 1
    vocabulary_size: int | None = None
    character_buckets: int = 32_768
    max_length: int = 1_000
    word_dropout: float = 0.3
    input_dropout: float | None = None
    hidden_dropout: float = 0.25
    pooled_dropout: float = 0.5
    weight_dropout: float = 0.0
    noise: float | None = None
    label_smoothing: float | None = None
    balanced: bool = False
    batch_size: int | None = None
    steps: int | None = None
    learning_rate: float | None = None
    weight_decay: float = 0.01
    members: int | None = None
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("cell", CELLS)
        self._one_of("pooling", (*POOLS, "all"))
        self._truth("balanced")
        self._whole("embedding_size", "num_layers", "max_length", least=1)
        self._whole("hidden_size", "batch_size", "steps", "members", least=1, optional=True)
        self._whole("vocabulary_size", least=2, optional=True)
        self._whole("character_buckets", "seed", least=0)
        self._number("word_dropout", "hidden_dropout", "pooled_dropout", "weight_dropout", below=1)
        self._number("input_dropout", "label_smoothing", below=1, optional=True)
        self._number("noise", optional=True)
        self._number("learning_rate", positive=True, optional=True)
        self._number("weight_decay")
        self._number("validation", positive=True, below=1)
        self._number("test", below=1)
        self._need(
            self.validation + self.test < 1, "validation and test must leave something of the examples to learn from"
        )

    @property
    def pools(self) -> tuple[str, ...]:
        """The poolings side by side."""
        return POOLS if self.pooling == "all" else (self.pooling,)


@dataclass(frozen=True)
class Plan:
    """What a config and the examples come to.

    Attributes:
        kind: "texts" or "numbers".
        classes: labels, in the order of the network's outputs.
        inputs: words with numbers of their own, the unknown one included; or channels, indicators of missing values
            included.
        training, validation, test: examples of each part.
        hidden_size, input_dropout, noise, label_smoothing, batch_size, learning_rate, members: as in the settings.
        steps, check_every: optimiser steps at most, and between two looks at the validation part.
    """

    kind: str
    classes: tuple[str, ...]
    inputs: int
    training: int
    validation: int
    test: int
    hidden_size: int
    input_dropout: float
    noise: float
    label_smoothing: float
    batch_size: int
    learning_rate: float
    members: int
    steps: int
    check_every: int

    def describe(self) -> str:
        """What was read from the examples, in one line."""
        what = "texts" if self.kind == "texts" else "sequences"
        parts = f"{self.training:,} {what} to learn from, {self.validation:,} to know when to stop"
        if self.test:
            parts += f", {self.test:,} for the test"
        known = f"{self.inputs:,} words" if self.kind == "texts" else f"{self.inputs:,} inputs at each step"
        of = f"{self.members} networks of " if self.members > 1 else ""
        return (
            f"{len(self.classes):,} classes; {parts}; {known}; {of}{self.hidden_size} hidden units in each direction, "
            f"{self.steps:,} steps of {self.batch_size} {what} at most"
        )

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        return cls(**{**values, "classes": tuple(values["classes"])})


def ranges(plan: Plan) -> Ranges:
    """What is worth a search, for texts and for numbers."""
    own: Ranges = {"word_dropout": Range(0.0, 0.6)} if plan.kind == "texts" else {"noise": Range(0.0, 1.0)}
    return {
        "num_layers": Range(1, 3),
        "hidden_size": Range(16, 256, log=True),
        "learning_rate": Range(5e-4, 1e-2, log=True),
        "input_dropout": Range(0.0, 0.7),
        "pooled_dropout": Range(0.0, 0.7),
        **own,
    }


def make_plan(
    config: ClassifyConfig,
    kind: str,
    classes: tuple[str, ...],
    inputs: int,
    training: int,
    validation: int,
    test: int,
) -> Plan:
    """Sizes, regularisation and length of training, from the kind and the number of examples."""
    chosen = {
        name: default if getattr(config, name) is None else getattr(config, name)
        for name, default in DEFAULTS[kind].items()
    }
    chosen["batch_size"] = min(chosen["batch_size"], training)
    steps = config.steps or int(np.clip(EPOCHS * training / chosen["batch_size"], *STEPS))
    return Plan(
        kind=kind,
        classes=classes,
        inputs=inputs,
        training=training,
        validation=validation,
        test=test,
        **chosen,
        members=config.members or (MEMBERS if training < FEW else 1),
        steps=steps,
        check_every=-(-steps // CHECKS),
    )
