"""From tunes to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from longshort.sequence.network import Dimensions, Dropout, LanguageNetwork
from longshort.tasks.compose.config import ComposeConfig, Plan
from longshort.tasks.compose.material import Material
from longshort.tasks.compose.network import FrameNetwork
from longshort.tasks.compose.problem import TuneProblem
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

Network = LanguageNetwork | FrameNetwork

# Steps over which the learning rate rises; fewer in short trainings.
WARMUP = 100
CLIP = 1.0


def make_network(config: ComposeConfig, plan: Plan) -> Network:
    """A fresh network."""
    dropout = Dropout(0.0, plan.input_dropout, config.hidden_dropout, plan.output_dropout, plan.weight_dropout)
    if plan.kind == "rolls":
        return FrameNetwork(plan.size, plan.hidden_size, plan.num_layers, config.cell, dropout)
    dims = Dimensions(plan.size, config.embedding_size, plan.hidden_size, plan.num_layers, tied=False)
    return LanguageNetwork(dims, config.cell, dropout)


def train_network(
    material: Material, config: ComposeConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[Network, list[Check]]:
    """Train, stopped by the validation part; no tune of the test part is looked at."""
    plan, parts = material.plan, material.parts
    network, checks = train_member(
        lambda: TuneProblem(
            make_network(config, plan),
            material.encoding,
            parts["training"].pieces,
            parts["validation"].pieces,
            plan,
            config.seed,
        ),
        Schedule(
            steps=plan.steps,
            check_every=plan.check_every,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warmup=min(WARMUP, plan.steps // 10),
            clip=CLIP,
            averaging=1 - 1 / plan.averaging,
        ),
        name="network",
        title="training",
        seed=config.seed,
        threads=None,
        checkpoints=checkpoints,
        hardware=hardware,
        progress=progress,
    )
    return cast(Network, network), checks
