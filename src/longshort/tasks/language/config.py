"""What a language model can be told, and the plan that it makes of that and the text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.settings import Settings
from longshort.space import Range, Ranges

CELLS = ("lstm", "gru", "rnn")
KINDS = ("characters", "bytes", "words", "subwords")
# From so many tokens on, rare ones are left to an adaptive softmax; where its clusters begin.
LARGE = 40_000
CUTOFFS = (4_000, 20_000)
# How often a training goes through its text, if it is not stopped before; and the bounds of its optimiser steps.
EPOCHS = 12
STEPS = (300, 12_000)
CHECKS = 20


@dataclass(frozen=True)
class LanguageConfig(Settings):
    """Settings of a `LanguageModel`.

    Attributes:
        tokens: what the text is cut into: "characters", "bytes", "words" (between white space, every line end one of
            its own) or "subwords" (byte-pair encoding learnt from the text).
        vocabulary_size: different tokens at most; the rarest words become one unknown token.
        cell: recurrent layers: "lstm", "gru" or "rnn".
        embedding_size, hidden_size, num_layers: of the network.
        tied: whether the output weights are those of the embedding: by default for words and subwords, of which there
            are many, and not for characters and bytes, whose few embeddings are too small for that.
        word_dropout, input_dropout, hidden_dropout, output_dropout, weight_dropout: probabilities with which whole
            tokens, numbers of an embedding, numbers between layers, numbers of the output, and recurrent weights
            (DropConnect) are left out (Merity et al. 2018).
        activation_penalty, temporal_penalty: factors of the mean square of the output, and of its change from step to
            step, in the loss (Merity et al. 2018, equations 10 and 11: alpha and beta).
        window: steps that a gradient goes back; the state is carried on from window to window.
        batch_size: streams of text that are read side by side.
        steps: optimiser steps at most.
        learning_rate, weight_decay: of AdamW.
        validation, test: shares of the text, where no files are given: the test is its end, the validation comes from
            ten places before.
        seed: of weights and dropout.
    """

    tokens: str | None = None
    vocabulary_size: int | None = None
    cell: str = "lstm"
    embedding_size: int | None = None
    hidden_size: int | None = None
    num_layers: int = 1
    tied: bool | None = None
    word_dropout: float | None = None
    input_dropout: float | None = None
    hidden_dropout: float | None = None
    output_dropout: float | None = None
    weight_dropout: float | None = None
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    window: int | None = None
    batch_size: int = 32
    steps: int | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("tokens", KINDS, optional=True)
        self._one_of("cell", CELLS)
        if self.tied is not None:
            self._truth("tied")
        self._whole("vocabulary_size", least=2, optional=True)
        self._whole("embedding_size", "hidden_size", "steps", least=1, optional=True)
        self._whole("window", least=2, optional=True)
        self._whole("num_layers", "batch_size", least=1)
        self._whole("seed", least=0)
        dropouts = ("word_dropout", "input_dropout", "hidden_dropout", "output_dropout", "weight_dropout")
        self._number(*dropouts, below=1, optional=True)
        self._number("activation_penalty", "temporal_penalty", "weight_decay")
        self._number("learning_rate", positive=True)
        self._number("validation", positive=True, below=1)
        self._number("test", below=1)
        self._need(
            self.validation + self.test < 1, "validation and test must leave something of the text to learn from"
        )


@dataclass(frozen=True)
class Plan:
    """What a config and a text come to.

    Attributes:
        tokens: kind of tokens.
        vocabulary_size: different tokens.
        training, validation, test: tokens of each part.
        embedding_size, hidden_size: of the network.
        cutoffs: clusters of the adaptive softmax; () for a full one.
        tied: as in the settings.
        word_dropout, input_dropout, hidden_dropout, output_dropout, weight_dropout: as in the settings.
        window, batch_size: steps of a window, and streams side by side, as many as the text has room for.
        steps, check_every: optimiser steps at most, and between two looks at the validation part.
    """

    tokens: str
    vocabulary_size: int
    training: int
    validation: int
    test: int
    embedding_size: int
    hidden_size: int
    cutoffs: tuple[int, ...]
    tied: bool
    word_dropout: float
    input_dropout: float
    hidden_dropout: float
    output_dropout: float
    weight_dropout: float
    window: int
    batch_size: int
    steps: int
    check_every: int

    def describe(self) -> str:
        """What was read from the text, in one line."""
        parts = f"{self.training:,} tokens to learn from, {self.validation:,} to know when to stop"
        if self.test:
            parts += f", {self.test:,} for the test"
        return (
            f"cut into {self.tokens}: {self.vocabulary_size:,} different ones; {parts}; {self.hidden_size} hidden "
            f"units, windows of {self.window}, {self.steps:,} steps at most"
        )

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        return cls(**{**values, "cutoffs": tuple(values["cutoffs"])})


def ranges(plan: Plan) -> Ranges:
    """What is worth a search; longer windows are read in fewer steps, so that every trial reads as much text."""
    return {
        "num_layers": Range(1, 3),
        "hidden_size": Range(max(16, plan.hidden_size // 4), 2 * plan.hidden_size, log=True),
        "learning_rate": Range(1e-3, 1e-2, log=True),
        "hidden_dropout": Range(0.0, 0.6),
        "output_dropout": Range(0.0, 0.6),
        "weight_dropout": Range(0.0, 0.6),
        "window": Range(max(2, plan.window // 2), 4 * plan.window, log=True),
    }


def make_plan(
    config: LanguageConfig, kind: str, vocabulary_size: int, training: int, validation: int, test: int
) -> Plan:
    """Sizes, regularisation and length of training, from the kind and the number of tokens."""
    whole_words = kind in ("words", "subwords")
    window = config.window or (35 if whole_words else 64)
    window = min(window, training - 1)
    batch = min(config.batch_size, max(1, (training - 1) // window))
    epochs = EPOCHS * training / (window * batch)
    steps = config.steps or int(np.clip(epochs, *STEPS))
    small = training < 300_000
    hidden = config.hidden_size or ((256 if small else 608) if whole_words else (256 if small else 640))
    embedding = config.embedding_size or (min(256, hidden) if whole_words else min(64, hidden))
    dropout = {"word": 0.05, "input": 0.3, "hidden": 0.25, "output": 0.45, "weight": 0.3}
    if not whole_words:
        dropout = {"word": 0.0, "input": 0.0, "hidden": 0.25, "output": 0.35, "weight": 0.15}
    asked = {name: getattr(config, f"{name}_dropout") for name in dropout}
    return Plan(
        tokens=kind,
        vocabulary_size=vocabulary_size,
        training=training,
        validation=validation,
        test=test,
        embedding_size=embedding,
        hidden_size=hidden,
        # The clusters need tokens numbered by frequency, which only words are.
        cutoffs=CUTOFFS if kind == "words" and vocabulary_size >= LARGE else (),
        tied=whole_words if config.tied is None else config.tied,
        **{f"{name}_dropout": p if asked[name] is None else asked[name] for name, p in dropout.items()},
        window=window,
        batch_size=batch,
        steps=steps,
        check_every=-(-steps // CHECKS),
    )
