"""From tokens to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from longshort.sequence.network import Dimensions, Dropout, LanguageNetwork
from longshort.tasks.language.config import LanguageConfig, Plan
from longshort.tasks.language.material import Material
from longshort.tasks.language.problem import LanguageProblem
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

# Steps over which the learning rate rises, and over how many the weights are averaged; fewer in short trainings.
WARMUP = 100
AVERAGED = 300
# A gradient of a longer norm is shortened: those of a few windows would undo the work of many.
CLIP = 1.0


def make_network(config: LanguageConfig, plan: Plan) -> LanguageNetwork:
    """A fresh network."""
    dims = Dimensions(
        plan.vocabulary_size, plan.embedding_size, plan.hidden_size, config.num_layers, plan.cutoffs, plan.tied
    )
    dropout = Dropout(
        plan.word_dropout, plan.input_dropout, plan.hidden_dropout, plan.output_dropout, plan.weight_dropout
    )
    return LanguageNetwork(dims, config.cell, dropout)


def train_network(
    material: Material, config: LanguageConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[LanguageNetwork, list[Check]]:
    """Train, stopped by the validation part; no token of the test part is looked at."""
    plan = material.plan
    network, checks = train_member(
        lambda: LanguageProblem(make_network(config, plan), material.training, material.validation, plan, config),
        Schedule(
            steps=plan.steps,
            check_every=plan.check_every,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warmup=min(WARMUP, plan.steps // 10),
            clip=CLIP,
            averaging=1 - 1 / max(1, min(AVERAGED, plan.steps // 20)),
        ),
        name="network",
        title="training",
        seed=config.seed,
        threads=None,
        checkpoints=checkpoints,
        hardware=hardware,
        progress=progress,
    )
    return cast(LanguageNetwork, network), checks
