"""From examples to a trained network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from longshort.tasks.classify.config import ClassifyConfig, Plan
from longshort.tasks.classify.material import Material
from longshort.tasks.classify.network import ClassifyNetwork, Dimensions, Dropout
from longshort.tasks.classify.problem import ClassifyProblem, Part
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

# The share of the steps over which the learning rate rises, and over how many steps the weights are averaged.
WARMUP = 0.05
AVERAGED = 500
# Members' seeds lie so far apart that those of runs with neighbouring seeds do not meet.
SEED_STRIDE = 1_000


def make_network(config: ClassifyConfig, plan: Plan) -> ClassifyNetwork:
    """A fresh network."""
    texts = plan.kind == "texts"
    dims = Dimensions(
        words=plan.inputs if texts else 0,
        buckets=config.character_buckets if texts else 0,
        inputs=config.embedding_size if texts else plan.inputs,
        hidden_size=plan.hidden_size,
        num_layers=config.num_layers,
        classes=len(plan.classes),
    )
    dropout = Dropout(
        words=config.word_dropout,
        input=plan.input_dropout,
        hidden=config.hidden_dropout,
        pooled=config.pooled_dropout,
        weights=config.weight_dropout,
        noise=plan.noise,
    )
    return ClassifyNetwork(dims, config.cell, config.pools, dropout)


def train_networks(
    material: Material, config: ClassifyConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[tuple[ClassifyNetwork, ...], list[list[Check]]]:
    """Train all members, stopped by the validation part; no example of the test part is looked at."""
    plan, parts, encoder = material.plan, material.parts, material.encoder
    training, validation = (
        (encoder.encode(parts[name].content), parts[name].codes) for name in ("training", "validation")
    )
    schedule = Schedule(
        steps=plan.steps,
        check_every=plan.check_every,
        learning_rate=plan.learning_rate,
        weight_decay=config.weight_decay,
        warmup=int(WARMUP * plan.steps),
        averaging=1 - 1 / max(1, min(AVERAGED, plan.steps // 20)),
    )
    networks, history = [], []
    for member in range(plan.members):
        seed = config.seed + SEED_STRIDE * member
        network, checks = train_member(
            partial(_problem, config, plan, training, validation, seed),
            schedule,
            name=f"member-{member}",
            title=f"training {member + 1} of {plan.members}" if plan.members > 1 else "training",
            seed=seed,
            threads=None,
            checkpoints=checkpoints,
            hardware=hardware,
            progress=progress,
        )
        networks.append(cast(ClassifyNetwork, network))
        history.append(checks)
    return tuple(networks), history


def _problem(config: ClassifyConfig, plan: Plan, training: Part, validation: Part, seed: int) -> ClassifyProblem:
    network = make_network(config, plan)
    return ClassifyProblem(network, training, validation, plan, seed, balanced=config.balanced)
