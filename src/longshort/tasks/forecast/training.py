"""From a panel and a plan to a `ForecastModel`: every member trained, or taken over from an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from longshort.data import Panel, Series
from longshort.tasks.forecast.calibration import interval_factor, trust
from longshort.tasks.forecast.config import PLANNED, ForecastConfig, Plan
from longshort.tasks.forecast.model import ForecastModel, make_dimensions, make_network
from longshort.tasks.forecast.network import Dimensions, ForecastNetwork
from longshort.tasks.forecast.problem import ForecastProblem
from longshort.tasks.forecast.windows import Scaler, WindowStore, error_scale, make_store
from longshort.training import Check, Hardware, Progress, Schedule
from longshort.training.member import train_member

CHECK_EVERY = 100
# Seeds of the members lie this far apart, the probe's between them.
SEED_STRIDE = 1000
PROBE = 500
# Shares of the training windows at the phase of the forecasts, member by member in turn: some know the phase that is
# asked best, some are at home at all phases, and their mean is better than that of members of one kind.
AT_PHASE = (0.5, 0.9)
# A refit trains as long as the validation loss was this close to its best: to the end of the cosine, if it may.
GOOD_ENOUGH = 1.02
# Below this width a second thread costs more than it brings, and far more on a busy machine.
ONE_THREAD_BELOW = 256


def untrained(panel: Panel, plan: Plan, config: ForecastConfig) -> list[ForecastNetwork]:
    """The members that `train_model` begins with."""
    *_, dims = _prepare(panel, plan, config)
    return [make_network(dims, config) for _ in range(config.members)]


def train_model(
    panel: Panel, plan: Plan, config: ForecastConfig, checkpoints: Path, hardware: Hardware, progress: Progress
) -> tuple[ForecastModel, list[list[Check]]]:
    """Train all members; no step of a test window is looked at.

    With `config.refit` a first network is stopped by the validation windows and only tells for how many steps to
    train and how wide the intervals must be; the members then learn from those windows too.

    Args:
        panel: all series, held-out steps included.
        plan, config: sizes and settings.
        checkpoints: folder for what a resumption needs; networks finished in it are not trained again.
        hardware: where to train.
        progress: told of every step.

    Returns:
        The model, and for each training that was validated its looks at the validation split.
    """
    scaler, naive_error, store, dims = _prepare(panel, plan, config)

    def problem(network: ForecastNetwork, *, validate: bool, at_phase: float = 0.0) -> ForecastProblem:
        return ForecastProblem(network, store, plan, config, validate=validate, at_phase=at_phase)

    def one(
        name: str, seed: int, steps: int, title: str, *, validate: bool, at_phase: float = AT_PHASE[0]
    ) -> tuple[ForecastNetwork, list[Check]]:
        schedule = Schedule(
            steps=steps,
            cosine=plan.steps,  # a refit follows the probe's learning rate, and ends where the probe was still good
            check_every=max(1, min(CHECK_EVERY, steps // 20)),
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        network, checks = train_member(
            lambda: problem(make_network(dims, config), validate=validate, at_phase=at_phase),
            schedule,
            name=name,
            title=title,
            seed=seed,
            threads=1 if config.hidden_size < ONE_THREAD_BELOW else None,
            checkpoints=checkpoints,
            hardware=hardware,
            progress=progress,
        )
        return cast(ForecastNetwork, network), checks

    steps, history = plan.steps, []
    unseen: list[ForecastNetwork] = []
    if config.refit:
        probe, checks = one("probe", config.seed + PROBE, steps, "finding when to stop", validate=True)
        unseen.append(probe)
        history.append(checks)
        best = min(c.validation or 0.0 for c in checks)
        steps = max(c.step for c in checks if (c.validation or 0.0) <= GOOD_ENOUGH * best)
    networks = []
    for member in range(config.members):
        title = f"training {member + 1} of {config.members}" if config.members > 1 else "training"
        seed = config.seed + SEED_STRIDE * member
        share = AT_PHASE[member % len(AT_PHASE)]
        network, checks = one(f"member-{member}", seed, steps, title, validate=not config.refit, at_phase=share)
        networks.append(network)
        if not config.refit:
            history.append(checks)
    unseen = unseen or networks
    validation = problem(unseen[0], validate=True).validation_batches()
    trusted = trust(unseen, validation)
    for network in {*unseen, *networks}:
        network.trust.fill_(trusted)
    factor = interval_factor(unseen, validation, config.quantiles)
    return ForecastModel(config, plan, dims, scaler, tuple(networks), naive_error, factor), history


def _prepare(
    panel: Panel, plan: Plan, config: ForecastConfig
) -> tuple[Scaler, dict[str, float], WindowStore, Dimensions]:
    """Scales and naive errors of what comes before the test windows, all windows, and the network's sizes."""
    scaler = Scaler.fit((_before_test(s, plan) for s in panel.some(PLANNED)), of=panel)
    naive_error = {s.id: error_scale(_before_test(s, plan).y, plan.metric_season) for s in panel}
    store = make_store(panel, plan, config.horizon, scaler, naive_error)
    return scaler, naive_error, store, make_dimensions(store, plan, config, scaler)


def _before_test(series: Series, plan: Plan) -> Series:
    return series.head(max(len(series) - plan.test_size, 1))
