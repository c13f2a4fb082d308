"""What a sequence-to-sequence model can be told, and the plan that it makes of that and the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.settings import Settings

ATTENTIONS = ("dot", "general", "additive", "none")
CHECKS = 20
# Bounds of the optimiser steps.
STEPS = (300, 60_000)
# So many characters of text there are for each subword of the vocabulary, and how many subwords at least and at most.
PER_SUBWORD = 1_000
SUBWORDS = (400, 8_000)
# Fewer tokens than this on both sides of the training part are a small task, for which a smaller network is enough.
SMALL = 300_000


@dataclass(frozen=True)
class Seq2SeqConfig(Settings):
    """Settings that `Translator`, `Summarizer` and `Chatbot` share; None means: by the task and the data.

    Attributes:
        attention: score of the attention: "dot", "general" (Luong et al. 2015), "additive" (Bahdanau et al. 2015), or
            "none": the decoder has the encoder's last state alone.
        input_feeding: whether the decoder reads what it was about to say in the step before (Luong et al. 2015); its
            training then goes step by step.
        copy: whether tokens of the source may be copied (See et al. 2017); needs one vocabulary for both sides.
        coverage: whether the attention knows where it has been (the same).
        coverage_weight: of the penalty on looking at the same place twice.
        embedding_size, hidden_size: of the network; each direction of the encoder has half of the hidden size.
        encoder_layers, decoder_layers: recurrent layers.
        vocabulary_size: subwords at most.
        shared: whether both sides have one vocabulary and one embedding.
        max_source, max_target: tokens that are read and written; what is longer is cut.
        word_dropout, input_dropout, hidden_dropout, output_dropout: probabilities with which whole tokens, numbers of
            an embedding, numbers between layers, and numbers of what the softmax reads are left out.
        label_smoothing: share of the target that is spread over all tokens.
        batch_tokens: padded tokens of a batch, on its longer side.
        epochs: how often the training goes through the data, if `steps` is not given.
        steps: optimiser steps at most.
        learning_rate, weight_decay: of AdamW.
        beam: hypotheses that decoding follows; 1 takes the likeliest token each time.
        length_penalty: a hypothesis's log-probability is divided by its length to this power.
        no_repeat: of so many tokens in a row none occurs twice in an answer; 0 to allow it.
        validation, test: shares of the data, where no files are given.
        seed: of the split, weights, batches and dropout.
    """

    attention: str = "general"
    input_feeding: bool = False
    copy: bool | None = None
    coverage: bool = False
    coverage_weight: float = 1.0
    embedding_size: int | None = None
    hidden_size: int | None = None
    encoder_layers: int = 1
    decoder_layers: int = 1
    vocabulary_size: int | None = None
    shared: bool = True
    max_source: int | None = None
    max_target: int | None = None
    word_dropout: float | None = None
    input_dropout: float | None = None
    hidden_dropout: float | None = None
    output_dropout: float | None = None
    label_smoothing: float = 0.1
    batch_tokens: int | None = None
    epochs: int | None = None
    steps: int | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    beam: int = 5
    length_penalty: float = 1.0
    no_repeat: int | None = None
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("attention", ATTENTIONS)
        self._truth("input_feeding", "coverage", "shared", *(["copy"] if self.copy is not None else []))
        sizes = ("embedding_size", "hidden_size", "max_source", "max_target", "batch_tokens", "epochs", "steps")
        self._whole(*sizes, least=1, optional=True)
        self._whole("vocabulary_size", least=256, optional=True)
        self._whole("encoder_layers", "decoder_layers", "beam", least=1)
        self._whole("seed", least=0)
        self._whole("no_repeat", least=0, optional=True)
        dropouts = ("word_dropout", "input_dropout", "hidden_dropout", "output_dropout")
        self._number(*dropouts, below=1, optional=True)
        self._number("label_smoothing", below=1)
        self._number("coverage_weight", "weight_decay", "length_penalty")
        self._number("learning_rate", positive=True)
        self._number("validation", positive=True, below=1)
        self._number("test", below=1)
        self._need(self.validation + self.test < 1, "validation and test must leave something to learn from")
        self._need(self.shared or not self.copy, "copy needs one vocabulary for both sides: leave out shared=False")
        looks = self.attention != "none"
        self._need(looks or not (self.copy or self.coverage), "copy and coverage need attention: choose one")


@dataclass(frozen=True)
class Defaults:
    """What a task takes where nothing is said; chosen on validation parts. Names as in `Seq2SeqConfig`."""

    copy: bool
    embedding_size: int
    hidden_size: int
    max_source: int
    max_target: int
    word_dropout: float
    input_dropout: float
    hidden_dropout: float
    output_dropout: float
    batch_tokens: int
    epochs: int
    no_repeat: int


@dataclass(frozen=True)
class Plan:
    """What a config and the data come to.

    Attributes:
        training, validation, test: pairs of each part.
        sources, targets: tokens of each vocabulary, special ones included.
        copy, embedding_size, hidden_size, max_source, max_target, word_dropout, input_dropout, hidden_dropout,
            output_dropout, batch_tokens, no_repeat: as in the settings.
        steps, check_every: optimiser steps at most, and between two looks at the validation part.
    """

    training: int
    validation: int
    test: int
    sources: int
    targets: int
    copy: bool
    embedding_size: int
    hidden_size: int
    max_source: int
    max_target: int
    word_dropout: float
    input_dropout: float
    hidden_dropout: float
    output_dropout: float
    batch_tokens: int
    no_repeat: int
    steps: int
    check_every: int

    def describe(self) -> str:
        """What was read from the data, in one line."""
        parts = f"{self.training:,} pairs to learn from, {self.validation:,} to know when to stop"
        if self.test:
            parts += f", {self.test:,} for the test"
        known = f"{self.targets:,} subwords"
        if self.sources != self.targets:
            known = f"{self.sources:,} subwords to read, {self.targets:,} to write"
        copies = ", which may be copied from the source" if self.copy else ""
        return f"{parts}; {known}{copies}; {self.hidden_size} hidden units, {self.steps:,} steps at most"

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        return cls(**values)


def vocabulary_size(config: Seq2SeqConfig, characters: int) -> int:
    """Subwords at most, for a training part of so many characters."""
    return config.vocabulary_size or int(np.clip(characters // PER_SUBWORD, *SUBWORDS))


def chosen(config: Seq2SeqConfig, defaults: Defaults, name: str) -> Any:
    """A setting, or the task's default."""
    value = getattr(config, name)
    return getattr(defaults, name) if value is None else value


def make_plan(
    config: Seq2SeqConfig,
    defaults: Defaults,
    *,
    pairs: tuple[int, int, int],
    vocabularies: tuple[int, int],
    tokens: int,
    batches: int,
) -> Plan:
    """Sizes, regularisation and length of training.

    Args:
        config: settings.
        defaults: of the task.
        pairs: of the training, validation and test part.
        vocabularies: tokens of the source's and the target's.
        tokens: of the training part, on both sides.
        batches: of an epoch.
    """
    small = 2 if tokens < SMALL else 1
    sizes = {
        "embedding_size": config.embedding_size or defaults.embedding_size // small,
        "hidden_size": config.hidden_size or defaults.hidden_size // small,
    }
    names = ("max_source", "max_target", "batch_tokens", "no_repeat")
    dropouts = ("word_dropout", "input_dropout", "hidden_dropout", "output_dropout")
    copy = chosen(config, defaults, "copy") and config.shared and config.attention != "none"
    steps = config.steps or int(np.clip(chosen(config, defaults, "epochs") * batches, *STEPS))
    training, validation, test = pairs
    return Plan(
        training=training,
        validation=validation,
        test=test,
        sources=vocabularies[0],
        targets=vocabularies[1],
        copy=copy,
        **sizes,
        **{name: chosen(config, defaults, name) for name in (*names, *dropouts)},
        steps=steps,
        check_every=-(-steps // CHECKS),
    )
