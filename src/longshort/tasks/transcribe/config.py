"""What a transcriber can be told, and the plan that it makes of that and the recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longshort.errors import InputError
from longshort.settings import Settings
from longshort.space import Range, Ranges

CELLS = ("lstm", "gru", "rnn")
UNITS = ("characters", "subwords", "words")
TEXTS = ("plain", "written")
SPLITS = ("recording", "speaker")
# How often a training goes through its recordings, and the bounds of its optimiser steps.
EPOCHS = 40
STEPS = (2_000, 30_000)
CHECKS = 25
# Sample rates above this say little more about speech.
HIGHEST_RATE = 16_000
# Of so many Hz and more there are as many bands as of telephones and twice that.
MELS = {8_000: 40, 16_000: 64}
# Subwords, where nothing is said.
SUBWORDS = 300
# Strides to choose among: the largest at which nearly all transcripts have so many times the steps that they need.
STRIDES = (4, 3, 2, 1)
ROOM, NEARLY_ALL = 3.0, 0.02
# Frames of nothing before and after each recording.
EDGE = 10


@dataclass(frozen=True)
class TranscribeConfig(Settings):
    """Settings of a `Transcriber`.

    Attributes:
        units: what the network emits: "characters", "subwords" or "words".
        vocabulary_size: subwords, or words, at most.
        text: "plain", small letters without signs, which is what is heard; or "written", transcripts as they stand.
        live: one direction and a running normalisation, so that audio can be transcribed while it arrives.
        cell: recurrent layers: "lstm", "gru" or "rnn".
        hidden_size, num_layers: of the network; hidden_size in each direction.
        sample_rate: to which all audio is brought, in Hz; by default the recordings' own, at most 16,000.
        mels: bands of the log-mel features.
        hop: seconds from one frame to the next, of features that were computed elsewhere.
        normalise: "recording", "speaker" or "running"; by default the first, live the last.
        stride: frames to a step of the recurrent layers; by default the most that leave room for the transcripts.
        max_seconds: longer recordings are not learnt from; longer audio is transcribed in pieces, cut at pauses.
        input_dropout, hidden_dropout, weight_dropout: probabilities with which inputs of the first recurrent layer (the
            same at all steps), numbers between layers and before the softmax, and recurrent weights are left out.
        stretch: by which share recordings are made faster or slower in training, at most.
        warp: by which share their pitch is moved, at most, as by another speaker's throat; for log-mel features.
        noise: standard deviation of the noise that is added to features in training.
        frequency_masks, time_masks: stretches of bands and of time that are hidden in training (SpecAugment).
        batch_size, steps, learning_rate, weight_decay: of AdamW; steps at most.
        split_by: whether parts are cut by "recording" or by whole "speaker"; by default by speaker where the test
            part's speakers are unseen.
        validation, test: shares of the recordings, where no parts are given.
        seed: of the split, weights, batches, augmentation and dropout.
    """

    units: str = "characters"
    vocabulary_size: int | None = None
    text: str = "plain"
    live: bool = False
    cell: str = "lstm"
    hidden_size: int | None = None
    num_layers: int = 2
    sample_rate: int | None = None
    mels: int | None = None
    hop: float = 0.01
    normalise: str | None = None
    stride: int | None = None
    max_seconds: float = 30.0
    input_dropout: float = 0.1
    hidden_dropout: float = 0.3
    weight_dropout: float = 0.1
    stretch: float = 0.15
    warp: float = 0.1
    noise: float = 0.2
    frequency_masks: int = 2
    time_masks: int = 2
    batch_size: int | None = None
    steps: int | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    split_by: str | None = None
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("units", UNITS)
        self._one_of("text", TEXTS)
        self._one_of("cell", CELLS)
        self._one_of("normalise", ("recording", "speaker", "running"), optional=True)
        self._one_of("split_by", SPLITS, optional=True)
        self._truth("live")
        self._whole("num_layers", least=1)
        self._whole("hidden_size", "stride", "batch_size", "steps", least=1, optional=True)
        self._whole("vocabulary_size", least=2, optional=True)
        self._whole("sample_rate", least=4_000, optional=True)
        self._whole("mels", least=8, optional=True)
        self._whole("frequency_masks", "time_masks", "seed", least=0)
        self._number("input_dropout", "hidden_dropout", "weight_dropout", "stretch", "warp", below=1)
        self._number("noise", "weight_decay")
        self._number("learning_rate", "hop", "max_seconds", positive=True)
        self._number("validation", positive=True, below=1)
        self._number("test", below=1)
        self._need(
            self.validation + self.test < 1, "validation and test must leave something of the recordings to learn from"
        )
        self._need(
            not self.live or self.normalise in (None, "running"),
            "live transcription needs normalise='running': what comes later is not known yet",
        )
        self._need(self.stride is None or self.stride <= EDGE // 2, f"stride must be at most {EDGE // 2}")

    @property
    def normalisation(self) -> str:
        """The one that was chosen, or that goes with `live`."""
        return self.normalise or ("running" if self.live else "recording")


@dataclass(frozen=True)
class FeaturePlan:
    """How a recording becomes features.

    Attributes:
        rate: samples a second; 0 for features that were computed elsewhere.
        inputs: numbers of a frame.
        hop: seconds from one frame to the next.
    """

    rate: int
    inputs: int
    hop: float


def plan_features(config: TranscribeConfig, rates: Sequence[int], channels: int | None) -> FeaturePlan:
    """From the recordings' sample rates, or from the channels of features that were computed elsewhere."""
    if channels is not None:
        return FeaturePlan(0, channels, config.hop)
    rate = config.sample_rate or min(Counter(rates).most_common(1)[0][0], HIGHEST_RATE)
    mels = config.mels or (MELS[8_000] if rate < 16_000 else MELS[16_000])
    return FeaturePlan(rate, mels, 0.01)


@dataclass(frozen=True)
class Plan:
    """What a config and the recordings come to.

    Attributes:
        features: how a recording becomes features.
        units: that the network emits, the blank included.
        unit: "characters", "subwords" or "words".
        live: whether it reads in one direction.
        training, validation, test: recordings of each part.
        seconds: of the training part.
        distinct: different transcripts in the training part.
        normalise: how.
        stride: frames to a step.
        hidden_size, batch_size: as in the settings.
        steps, check_every: optimiser steps at most, and between two looks at the validation part.
    """

    features: FeaturePlan
    units: int
    unit: str
    live: bool
    training: int
    validation: int
    test: int
    seconds: float
    distinct: int
    normalise: str
    stride: int
    hidden_size: int
    batch_size: int
    steps: int
    check_every: int

    @property
    def step(self) -> float:
        """Seconds of a step of the recurrent layers."""
        return self.stride * self.features.hop

    def describe(self) -> str:
        """What was read from the recordings, in one line."""
        parts = (
            f"{self.training:,} recordings ({self.seconds / 60:,.1f} min) to learn from, {self.validation:,} to know"
        )
        parts += " when to stop" + (f", {self.test:,} for the test" if self.test else "")
        sound = f"{self.features.rate:,} Hz as {self.features.inputs} mel bands" if self.features.rate else ""
        sound = sound or f"{self.features.inputs} features a frame"
        ways = "one direction" if self.live else "each direction"
        return (
            f"{parts}; {sound}, a step every {1000 * self.step:.0f} ms; {self.units - 1:,} {self.unit}; "
            f"{self.hidden_size} hidden units in {ways}, {self.steps:,} steps of {self.batch_size} recordings at most"
        )

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        return cls(**{**values, "features": FeaturePlan(**values["features"])})


def ranges(plan: Plan) -> Ranges:
    """What is worth a search."""
    return {
        "num_layers": Range(1, 3),
        "hidden_size": Range(32, 320, log=True),
        "learning_rate": Range(5e-4, 1e-2, log=True),
        "input_dropout": Range(0.0, 0.5),
        "hidden_dropout": Range(0.0, 0.6),
        "stretch": Range(0.0, 0.3),
        "noise": Range(0.0, 0.6),
    }


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the network.

    Attributes:
        inputs: numbers of a frame.
        stride: frames to a step.
        hidden_size, num_layers: as in the settings.
        live: whether it reads in one direction.
        units: that it emits, the blank included.
    """

    inputs: int
    stride: int
    hidden_size: int
    num_layers: int
    live: bool
    units: int


def dimensions(config: TranscribeConfig, plan: Plan) -> Dimensions:
    """Sizes of the network of a run."""
    return Dimensions(
        inputs=plan.features.inputs,
        stride=plan.stride,
        hidden_size=plan.hidden_size,
        num_layers=config.num_layers,
        live=plan.live,
        units=plan.units,
    )


def kernel_of(stride: int) -> int:
    """Frames that a step looks at."""
    return 2 * stride + 1


def steps_of(frames: Any, stride: int) -> Any:
    """Steps of the recurrent layers for so many frames."""
    return (frames + 2 * EDGE - kernel_of(stride)) // stride + 1


def choose_stride(frames: Sequence[int], needed: Sequence[int]) -> int:
    """The most frames to a step at which nearly all transcripts have room.

    Args:
        frames: of each recording, (N,).
        needed: steps that CTC needs for each, (N,).
    """
    for stride in STRIDES:
        if (steps_of(np.asarray(frames), stride) < ROOM * np.asarray(needed)).mean() <= NEARLY_ALL:
            return stride
    return 1


def make_plan(
    config: TranscribeConfig,
    features: FeaturePlan,
    *,
    units: int,
    sizes: Sequence[int],
    frames: Sequence[int],
    needed: Sequence[int],
    distinct: int,
) -> Plan:
    """Sizes and length of training.

    Args:
        config: settings.
        features: how a recording becomes features.
        units: that the network emits.
        sizes: recordings of the three parts.
        frames, needed: of each training recording its frames, and the steps that CTC needs for its transcript.
        distinct: different transcripts among them.
    """
    training = sizes[0]
    if not training:
        raise InputError("no recording is left to learn from")
    batch = min(config.batch_size or (16 if training < 2_000 else 32), training)
    steps = config.steps or int(np.clip(EPOCHS * training / batch, *STEPS))
    return Plan(
        features=features,
        units=units,
        unit=config.units,
        live=config.live,
        training=training,
        validation=sizes[1],
        test=sizes[2],
        seconds=float(sum(frames) * features.hop),
        distinct=distinct,
        normalise=config.normalisation,
        stride=config.stride or choose_stride(frames, needed),
        hidden_size=config.hidden_size or (192 if config.live else 128),
        batch_size=batch,
        steps=steps,
        check_every=-(-steps // CHECKS),
    )
