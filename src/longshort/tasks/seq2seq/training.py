"""From pairs to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from longshort.tasks.seq2seq.config import Plan, Seq2SeqConfig
from longshort.tasks.seq2seq.network import Dimensions, Dropout, Seq2SeqNetwork
from longshort.tasks.seq2seq.problem import Encoded, Seq2SeqProblem
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

# Steps over which the learning rate rises, and over how many the weights are averaged; fewer in short trainings.
WARMUP = 400
AVERAGED = 300
CLIP = 1.0


def make_network(config: Seq2SeqConfig, plan: Plan) -> Seq2SeqNetwork:
    """A fresh network."""
    dims = Dimensions(
        sources=plan.sources,
        targets=plan.targets,
        shared=config.shared,
        embedding_size=plan.embedding_size,
        hidden_size=plan.hidden_size,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        attention=config.attention,
        input_feeding=config.input_feeding,
        copy=plan.copy,
        coverage=config.coverage,
    )
    dropout = Dropout(plan.word_dropout, plan.input_dropout, plan.hidden_dropout, plan.output_dropout)
    return Seq2SeqNetwork(dims, dropout)


def train_network(
    training: Encoded,
    validation: Encoded,
    config: Seq2SeqConfig,
    plan: Plan,
    checkpoints: Path,
    hardware: Hardware,
    progress: Progress,
) -> tuple[Seq2SeqNetwork, list[Check]]:
    """Train, stopped by the validation part; no pair of the test part is looked at."""
    network, checks = train_member(
        lambda: Seq2SeqProblem(
            make_network(config, plan),
            training,
            validation,
            budget=plan.batch_tokens,
            label_smoothing=config.label_smoothing,
            coverage_weight=config.coverage_weight,
            seed=config.seed,
        ),
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
    return cast(Seq2SeqNetwork, network), checks
