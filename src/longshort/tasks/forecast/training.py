"""From a panel and a plan to a `ForecastModel`: every member trained, or taken over from an interrupted run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from longshort.data import Panel
from longshort.tasks.forecast.config import ForecastConfig, Plan
from longshort.tasks.forecast.model import ForecastModel, make_dimensions, make_network, make_store
from longshort.tasks.forecast.network import ForecastNetwork
from longshort.tasks.forecast.problem import ForecastProblem
from longshort.tasks.forecast.windows import Scaler, error_scale
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.checkpoint import SafetensorsIO
from longshort.training.loop import train

CHECK_EVERY = 100
# Below this width a second thread costs more than it brings, and far more on a busy machine.
ONE_THREAD_BELOW = 256


def train_model(
    panel: Panel, plan: Plan, config: ForecastConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[ForecastModel, list[list[Check]]]:
    """Train all members on the steps before the validation windows.

    Args:
        panel: all series, held-out steps included.
        plan, config: sizes and settings.
        checkpoints: folder for what a resumption needs; members finished in it are not trained again.
        hardware: where to train.
        progress: told of every step.

    Returns:
        The model, and for each member its looks at the validation split.
    """
    held_out = plan.test.test_size if plan.test else 0
    before_test = [s.head(max(len(s) - held_out, 1)) for s in panel]
    scaler = Scaler.fit(before_test)
    naive_error = {s.id: error_scale(s.y, plan.metric_season) for s in before_test}
    store = make_store(panel, plan, config.horizon, scaler, naive_error)
    dims = make_dimensions(store, plan, config, scaler)
    schedule = Schedule(
        steps=plan.steps,
        check_every=max(1, min(CHECK_EVERY, plan.steps // 5)),
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    networks: list[ForecastNetwork] = []
    history: list[list[Check]] = []
    for member in range(config.members):
        done = checkpoints / f"member-{member}.safetensors"
        seed = config.seed + 1000 * member
        # The caller's random numbers are none of our business.
        with torch.random.fork_rng(devices=[]), _threads(config.hidden_size):
            torch.manual_seed(seed)
            network = make_network(dims, config)
            if done.exists():
                saved = SafetensorsIO().load_checkpoint(done)
                network.load_state_dict(saved["network"])
                checks = [Check(*values) for values in saved["checks"]]
            else:
                with progress.member(member, config.members, plan.steps) as watcher:
                    checks = train(
                        ForecastProblem(network, store, plan, config),
                        schedule,
                        seed=seed,
                        hardware=hardware,
                        checkpoints=checkpoints / f"member-{member}",
                        watcher=watcher,
                    )
                values = [[c.step, c.training, c.validation] for c in checks]
                SafetensorsIO().save_checkpoint({"network": network.state_dict(), "checks": values}, done)
        networks.append(network.eval())
        history.append(checks)
    return ForecastModel(config, plan, dims, scaler, tuple(networks), naive_error), history


@contextmanager
def _threads(hidden_size: int) -> Iterator[None]:
    """As many threads as pay for a network of this width."""
    before = torch.get_num_threads()
    if hidden_size < ONE_THREAD_BELOW:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
