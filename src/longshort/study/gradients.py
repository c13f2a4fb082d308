"""`study_gradients`: the vanishing gradient of several cells, before and after training, and what clipping does."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longshort.artifact import RunDirectory, versions
from longshort.settings import Settings
from longshort.study.dependencies import DEPENDENCIES, Dependency
from longshort.study.gradient_flow import GradientFlow, gradient_flow
from longshort.study.network import NAMES, Start, StudyNetwork, make_layer
from longshort.study.problem import DependencyProblem
from longshort.training import Hardware, Progress, Schedule, default_progress
from longshort.training.member import train_member

RESULTS = "results.json"
# Sequences over which norms are averaged.
SEQUENCES = 32
# Factors of orthogonal recurrent weights, from vanishing to exploding, and the norm that clipping allows.
GAINS = (0.5, 0.8, 1.0, 1.2, 1.5, 2.0)
CLIP = 1.0
BATCH = 64
LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class GradientConfig(Settings):
    """Settings of a study of gradients.

    Attributes:
        task: a name in `DEPENDENCIES`: what the sequences are, and what is trained.
        lag: steps over which something must be remembered.
        hidden_size: units of each network.
        steps: optimiser steps of each training; 0 for none.
        seed: of sequences and weights.
    """

    task: str = "recall"
    lag: int = 100
    hidden_size: int = 64
    steps: int = 1500
    seed: int = 0

    def __post_init__(self) -> None:
        self._one_of("task", tuple(DEPENDENCIES))
        self._whole("lag", least=max(2, self.dependency.least))
        self._whole("hidden_size", least=2)
        self._whole("steps", "seed", least=0)

    @property
    def dependency(self) -> Dependency:
        """The task itself."""
        return DEPENDENCIES[self.task]


@dataclass(frozen=True)
class Course:
    """How the gradient fares in one network.

    Attributes:
        cell: its name.
        start: what the layer began with.
        score: on 1,000 sequences of the task after training, in its metric; None before.
        flow: the norms.
    """

    cell: str
    start: str
    score: float | None
    flow: GradientFlow

    @property
    def name(self) -> str:
        """Cell and start."""
        return f"{NAMES[self.cell]}, {self.start}"


@dataclass(frozen=True)
class Explosion:
    """Gradients of the recurrent weights of a plain RNN whose recurrent weights have one gain.

    Attributes:
        gain: the factor of its orthogonal recurrent weights.
        arriving: what is left of the gradient of h at the first step.
        norm: of the gradient of the recurrent weights.
        clipped: what is left of it by clipping.
    """

    gain: float
    arriving: float
    norm: float
    clipped: float


@dataclass(frozen=True)
class GradientStudy:
    """What was found; `report` draws it.

    Attributes:
        config: settings.
        before, after: networks as they begin, and trained on the task.
        explosions: of RNNs with ReLU, by gain.
    """

    config: GradientConfig
    before: tuple[Course, ...]
    after: tuple[Course, ...]
    explosions: tuple[Explosion, ...]

    @property
    def verdict(self) -> str:
        """What the numbers say, in a sentence."""
        reach = {course.name: _reach(course.flow) for course in self.before}
        far, near = max(reach, key=lambda name: reach[name]), min(reach, key=lambda name: reach[name])
        return (
            f"Before any training, a tenth of the gradient still arrives {reach[far]} steps back in the {far}, and "
            f"{reach[near]} steps back in the {near}."
        )

    def to_json(self) -> dict[str, Any]:
        """As results.json holds it; a number that is not finite becomes null."""
        return {
            "before": [_course(course) for course in self.before],
            "after": [_course(course) for course in self.after],
            "explosions": [{name: _finite(v) for name, v in vars(explosion).items()} for explosion in self.explosions],
            "verdict": self.verdict,
        }


def study_gradients(
    config: GradientConfig | None = None,
    /,
    *,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> GradientStudy:
    """Measure how gradients vanish.

    Args:
        config: settings; or give its fields by name.
        run: a folder for results.json and report.html.
        resume: go on with a study that was stopped in that folder.
        overwrite: replace the study that is there.
        progress: who is told.

    Raises:
        InputError: settings that do not fit, or a folder that cannot be written.
    """
    config = config or GradientConfig.from_dict(settings)
    progress = progress or default_progress()
    if run is None:
        with tempfile.TemporaryDirectory(prefix="longshort-") as folder:
            return _study(config, Path(folder), progress)
    described = {"study": "gradients", "settings": config.to_dict(), "versions": versions()}
    directory = RunDirectory.create(run, config=described, resume=resume, overwrite=overwrite)
    study = _study(config, directory.checkpoints, progress)
    from longshort.study.report.gradients import render

    directory.write_json(RESULTS, study.to_json())
    directory.write("report.html", render(study).encode())
    directory.finish()
    return study


def _study(config: GradientConfig, checkpoints: Path, progress: Progress) -> GradientStudy:
    progress.note(f"task: {config.dependency.meaning}; lag {config.lag}, {config.hidden_size} units")
    starts: dict[str, Sequence[Start]] = {
        "rnn": (Start(), Start(orthogonal=True)),
        "rnn-relu": (Start(), Start(orthogonal=True)),
        "gru": (Start(), Start(orthogonal=True)),
        "lstm": (Start(forget_bias=0.0), Start(forget_bias=1.0), Start(chrono=config.lag), Start(orthogonal=True)),
    }
    before = [_begun(config, cell, start) for cell, several in starts.items() for start in several]
    after: list[Course] = []
    if config.steps:
        trained = {
            "rnn": Start(orthogonal=True),
            "rnn-relu": Start(orthogonal=True),
            "gru": Start(orthogonal=True),
            "lstm": Start(chrono=config.lag, orthogonal=True),
        }
        after = [_trained(config, cell, start, checkpoints, progress) for cell, start in trained.items()]
    explosions = [_explosion(config, gain) for gain in GAINS]
    return GradientStudy(config, tuple(before), tuple(after), tuple(explosions))


def _begun(config: GradientConfig, cell: str, start: Start) -> Course:
    task = config.dependency
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        layer = make_layer(cell, task.inputs, config.hidden_size, start)
        pull = torch.randn(SEQUENCES, config.hidden_size, dtype=torch.float64)
    x = task.sequences(np.random.default_rng(config.seed), config.lag, SEQUENCES).x
    # The loss is a random direction of the last hidden state, another one for each sequence.
    return Course(cell, str(start), None, gradient_flow(layer, x, lambda h: (pull * h).sum()))


def _trained(config: GradientConfig, cell: str, start: Start, checkpoints: Path, progress: Progress) -> Course:
    task = config.dependency

    def make() -> DependencyProblem:
        network = _network(cell, config, start)
        return DependencyProblem(network, task, config.lag, steps=config.steps, batch_size=BATCH, seed=config.seed)

    network, _ = train_member(
        make,
        Schedule(
            steps=config.steps,
            check_every=max(1, config.steps // 10),
            learning_rate=LEARNING_RATE,
            weight_decay=0.0,
            clip=CLIP,
        ),
        name=cell,
        title=f"training the {NAMES[cell]}",
        seed=config.seed,
        threads=None,
        checkpoints=checkpoints,
        hardware=Hardware(),
        progress=progress,
    )
    assert isinstance(network, StudyNetwork)
    test = task.sequences(np.random.default_rng([config.seed, 2]), config.lag, 1_000)
    with torch.no_grad():
        score = task.score(network(test.x), test.targets)
    weight, bias = (p.detach().double() for p in network.readout.parameters())
    last = (test.targets[-1] if task.every_step else test.targets)[:SEQUENCES]

    def loss(h: Tensor) -> Tensor:
        return len(h) * task.loss(h @ weight.t() + bias, last)

    return Course(cell, str(start), score, gradient_flow(network.layer, test.x[:, :SEQUENCES], loss))


def _network(cell: str, config: GradientConfig, start: Start) -> StudyNetwork:
    task = config.dependency
    return StudyNetwork(cell, task.inputs, config.hidden_size, task.outputs, every_step=task.every_step, start=start)


def _explosion(config: GradientConfig, gain: float) -> Explosion:
    task, start = config.dependency, Start(orthogonal=True, gain=gain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = _network("rnn-relu", config, start).double()
    drawn = task.sequences(np.random.default_rng(config.seed), config.lag, SEQUENCES)
    weight = network.layer.weight_hh_l0
    (weight.grad,) = torch.autograd.grad(task.loss(network(drawn.x.double()), drawn.targets), [weight])
    norm = float(weight.grad.norm())
    torch.nn.utils.clip_grad_norm_([weight], CLIP)
    return Explosion(gain, float(_begun(config, "rnn-relu", start).flow.hidden[-1]), norm, float(weight.grad.norm()))


def _reach(flow: GradientFlow) -> int:
    """How many steps back a tenth of the gradient of c, or of h where there is no c, still arrives."""
    gone = np.flatnonzero(~(flow.state >= 0.1))
    return int(gone[0] if len(gone) else len(flow.state)) - 1


def _course(course: Course) -> dict[str, Any]:
    flow = {name: None if norms is None else [_finite(v) for v in norms] for name, norms in vars(course.flow).items()}
    return {"cell": course.cell, "start": course.start, "score": course.score, **flow}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
