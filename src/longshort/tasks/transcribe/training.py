"""From recordings to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from longshort.tasks.transcribe.augmentation import Augmentation
from longshort.tasks.transcribe.config import Plan, TranscribeConfig, dimensions
from longshort.tasks.transcribe.material import Material
from longshort.tasks.transcribe.network import Dropout, TranscribeNetwork
from longshort.tasks.transcribe.normalising import normalised
from longshort.tasks.transcribe.problem import Part, TranscribeProblem
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

# The share of the steps over which the learning rate rises, and over how many steps the weights are averaged.
WARMUP = 0.1
AVERAGED = 200


def make_network(config: TranscribeConfig, plan: Plan) -> TranscribeNetwork:
    """A fresh network."""
    dropout = Dropout(config.input_dropout, config.hidden_dropout, config.weight_dropout)
    return TranscribeNetwork(dimensions(config, plan), config.cell, dropout)


def train_network(
    material: Material, config: TranscribeConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[TranscribeNetwork, list[Check]]:
    """Train, stopped by the validation part; no recording of the test part is looked at."""
    plan = material.plan
    training, validation = (_part(material, name) for name in ("training", "validation"))
    augmentation = Augmentation(
        stretch=config.stretch,
        warp=config.warp if plan.features.rate else 0.0,
        noise=config.noise,
        frequency_masks=config.frequency_masks if plan.features.rate else 0,
        time_masks=config.time_masks,
    )
    schedule = Schedule(
        steps=plan.steps,
        check_every=plan.check_every,
        patience=max(1, plan.steps // plan.check_every),  # CTC's loss rises before the error rate does
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup=int(WARMUP * plan.steps),
        averaging=1 - 1 / max(1, min(AVERAGED, plan.steps // 20)),
    )

    def problem() -> TranscribeProblem:
        return TranscribeProblem(make_network(config, plan), training, validation, plan, augmentation, config.seed)

    network, checks = train_member(
        problem,
        schedule,
        name="network",
        title="training",
        seed=config.seed,
        threads=None,
        checkpoints=checkpoints,
        hardware=hardware,
        progress=progress,
    )
    return cast(TranscribeNetwork, network), checks


def _part(material: Material, name: str) -> Part:
    part = material.parts[name]
    features = normalised(material.plan.normalise, part.features, part.speakers, material.prior)
    return Part(features, [material.units.encode(text) for text in part.texts])
