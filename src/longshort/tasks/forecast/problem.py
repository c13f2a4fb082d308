"""The training problem: which windows are learnt from, which decide when to stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from longshort.tasks.forecast.config import ForecastConfig, Plan
from longshort.tasks.forecast.network import Batch, ForecastNetwork, quantile_loss
from longshort.tasks.forecast.windows import WindowStore
from longshort.training.problem import Problem, Turn

IntArray = NDArray[np.int64]

VALIDATION_BATCH = 512
# Series that are validated on.
MOST = 5_000


class ForecastProblem(Problem[Batch]):
    """Windows of all series: a series drawn evenly, then an origin in its training part.

    Some of the origins are moved to the phase of the season that a forecast begins at: where every series is asked
    once, at its end, what happens at the other hours of the day matters less. That is so where the validation windows
    begin at few phases of the season; where they begin at most of them, no origin is moved.

    Args:
        network: to train.
        store: the panel's windows, held-out steps included.
        plan, config: sizes.
        validate: keep the validation windows out of the training; if not, learn from them too.
        at_phase: share of the training windows that begin at a phase at which forecasts are going to begin.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        store: WindowStore,
        plan: Plan,
        config: ForecastConfig,
        *,
        validate: bool,
        at_phase: float = 0.0,
    ) -> None:
        self.network: nn.Module = network
        self.store, self.plan, self.config, self.validate = store, plan, config, validate
        self._at_phase = at_phase if _few_phases(plan) else 0.0
        train_end = store.lengths - (plan.held_out if validate else plan.test_size)
        latest = train_end - config.horizon
        # A window need not be full: short series are seen from the middle of their training part on.
        self._latest = latest
        self._earliest = np.minimum(plan.lookback, np.maximum(1, latest // 2))
        self._trained = np.flatnonzero(latest >= 1)

    def training_batch(self, turn: Turn) -> Batch:
        """Windows that lie whole in the training part."""
        rng = turn.rng
        series = self._trained[rng.integers(0, len(self._trained), self.config.batch_size)]
        origins = rng.integers(self._earliest[series], self._latest[series] + 1)
        if self._at_phase:
            origins = self._moved(series, origins, rng)
        return self.store.cut(series, origins)[0]

    def _moved(self, series: IntArray, origins: IntArray, rng: np.random.Generator) -> IntArray:
        """Move some of the origins, each by less than a season, to a phase at which forecasts begin."""
        season, validation = self.plan.seasons[0], self.plan.validation
        end = self.store.lengths[series] - self.plan.test_size
        asked = end - validation.step_size * rng.integers(0, validation.windows, len(series))
        later = origins + (asked - origins) % season
        moved = np.where(later > self._latest[series], later - season, later)
        chosen = (rng.random(len(series)) < self._at_phase) & (moved >= self._earliest[series])
        return np.where(chosen, moved, origins)

    def validation_batches(self) -> Sequence[Batch]:
        """Windows between the training part and the test windows; of very many series some."""
        if not self.validate:
            return []
        test, places = self.plan.test_size, np.linspace(0, len(self._trained) - 1, MOST).round().astype(np.int64)
        asked = self._trained[places] if len(self._trained) > MOST else self._trained
        origins = [self.plan.validation.origins(int(n) - test) for n in self.store.lengths[asked]]
        series = np.repeat(asked, [len(o) for o in origins])
        flat = np.concatenate(origins)
        cuts = range(0, len(series), VALIDATION_BATCH)
        return [self.store.cut(series[k : k + VALIDATION_BATCH], flat[k : k + VALIDATION_BATCH])[0] for k in cuts]

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Weighted quantile loss and the number of observed targets."""
        return quantile_loss(network(batch), batch, self.config.quantiles), max(int(batch.target_observed.sum()), 1)


def _few_phases(plan: Plan) -> bool:
    """Whether the validation windows begin at less than half of the season's phases."""
    if not plan.seasons:
        return False
    season, asked = plan.seasons[0], plan.validation
    return 2 * len({k * asked.step_size % season for k in range(asked.windows)}) < season
