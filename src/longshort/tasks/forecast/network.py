"""The forecasting network: an LSTM over patches of the window, answering every step of the horizon at once.

The answer for one step of the horizon is a sum of three parts, all in units of the window's own scale:

* a *mixture of copies*: a softmax gate over seasonal-naive forecasts at several lags (lag 1 repeats the last value,
  lag 24 repeats the last day, ...). At initialisation the network is this average of naive forecasts and no more;
* a *linear path* from the last steps of the window to the horizon (Zeng et al. 2023, arXiv 2205.13504);
* what is *learnt* beyond them: from the last state of the recurrent layer, which has read the sequence of patches
  (P-sLSTM, arXiv 2408.10006), from the calendar, and from the exogenous and static columns.

Quantiles are the median plus and minus cumulated positive increments, so they never cross.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longshort.nn import GRU, LSTM, RNN

CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN, "none": None}


class Batch(NamedTuple):
    """Windows, standardised each on its own. B windows, L steps looked back, H steps of horizon.

    Attributes:
        y: target before the origin, (B, L), 0 where not observed.
        observed: 1 where `y` was observed, else 0, (B, L).
        lagged: seasonal-naive forecasts, (B, H, number of lags), 0 where not available.
        lagged_observed: 1 where `lagged` is available, (B, H, number of lags).
        past: exogenous and known values before the origin, (B, L, P).
        calendar: calendar features before the origin, (B, L, K).
        future: known values and calendar features of the horizon, (B, H, F).
        static: numeric static values, (B, S).
        categories: codes of categorical static columns, 0 for unknown, (B, C), int64.
        target: what came, (B, H), 0 where not observed.
        target_observed: 1 where `target` was observed, (B, H).
        weight: the window's scale over the series' in-sample seasonal-naive error, (B, 1).
    """

    y: Tensor
    observed: Tensor
    lagged: Tensor
    lagged_observed: Tensor
    past: Tensor
    calendar: Tensor
    future: Tensor
    static: Tensor
    categories: Tensor
    target: Tensor
    target_observed: Tensor
    weight: Tensor


class Parts(NamedTuple):
    """What the answer of a `ForecastNetwork` is made up of, standardised as the windows are.

    Attributes:
        weights: share of every lagged copy, (B, H, number of lags), of no meaning where no copy is available.
        copies: the mixture of copies, (B, H).
        linear: the linear path, (B, H), as far as it is trusted.
        learnt: what the recurrent layer, the calendar and the exogenous and static columns add, (B, H), likewise.
        increments: from each quantile to the next one towards the median, (B, H, number of quantiles), positive; that
            of the median itself is not used.
    """

    weights: Tensor
    copies: Tensor
    linear: Tensor
    learnt: Tensor
    increments: Tensor

    @property
    def median(self) -> Tensor:
        """The sum of the parts, (B, H)."""
        return self.linear + self.learnt + self.copies


@dataclass(frozen=True)
class Dimensions:
    """Sizes of a `ForecastNetwork`, read from the data and the config.

    Attributes:
        horizon: steps to answer.
        lookback: steps of the window, a multiple of `patch`.
        patch: steps that make one input of the recurrent layer.
        linear: last steps of the window that the linear path sees.
        lags: number of lagged copies.
        quantiles: levels, ascending, 0.5 among them.
        past, calendar, future, static: numbers of features, as in `Batch`.
        categories: number of codes of each categorical static column.
    """

    horizon: int
    lookback: int
    patch: int
    linear: int
    lags: int
    quantiles: tuple[float, ...]
    past: int = 0
    calendar: int = 0
    future: int = 0
    static: int = 0
    categories: tuple[int, ...] = ()


class ForecastNetwork(nn.Module):
    """Quantiles of every horizon step from a window.

    Args:
        dims: sizes.
        cell: "lstm", "gru", "rnn", or "none" (no recurrent layer: the ablation).
        hidden_size: hidden units of the recurrent layer and width of the decoder.
        num_layers: recurrent layers.
        dropout: probability, on the patches' embedding and on the recurrent state.
    """

    def __init__(
        self, dims: Dimensions, cell: str = "lstm", hidden_size: int = 64, num_layers: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.dims = dims
        patch_features = dims.patch * (2 + dims.past) + dims.calendar
        self.embed = nn.Linear(patch_features, hidden_size)
        layer = CELLS[cell]
        between = dropout if num_layers > 1 else 0.0
        self.recurrent = (
            None
            if layer is None
            else layer(hidden_size, hidden_size, num_layers=num_layers, dropout=between, batch_first=True)
        )
        self.category_embeddings = nn.ModuleList(nn.Embedding(n, min(16, n)) for n in dims.categories)
        context = dims.static + sum(min(16, n) for n in dims.categories) + (hidden_size if layer is not None else 0)
        width = hidden_size
        self.step = nn.Parameter(torch.randn(dims.horizon, width) * 0.1)
        self.from_context = nn.Linear(context, width) if context else None
        self.from_future = nn.Linear(dims.future, width) if dims.future else None
        self.linear = nn.Linear(dims.linear, dims.horizon)
        self.direct = nn.Linear(context, dims.horizon) if context else None
        self.gate = nn.Linear(width, dims.lags)
        self.lift = nn.Linear(width, 1)
        self.spread = nn.Linear(width, len(dims.quantiles))
        self.dropout = nn.Dropout(dropout)
        self.trust: Tensor
        self.register_buffer("trust", torch.ones(()))  # share of the linear and learnt parts; see calibration.py
        for head in (self.linear, self.direct, self.gate, self.lift, self.spread):
            if head is not None:
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)

    def patches(self, batch: Batch) -> Tensor:
        """Inputs of the recurrent layer, (B, lookback / patch, hidden_size)."""
        d = self.dims
        count = d.lookback // d.patch
        steps = torch.cat([batch.y.unsqueeze(-1), batch.observed.unsqueeze(-1), batch.past], dim=-1)
        steps = steps.reshape(steps.shape[0], count, -1)
        last = batch.calendar[:, d.patch - 1 :: d.patch]
        embedded: Tensor = self.dropout(F.gelu(self.embed(torch.cat([steps, last], dim=-1))))
        return embedded

    def context(self, batch: Batch) -> Tensor | None:
        """What is known of the whole window, (B, context), or None where nothing is."""
        parts = [batch.static] if self.dims.static else []
        parts += [e(batch.categories[:, k]) for k, e in enumerate(self.category_embeddings)]
        if self.recurrent is not None:
            y, _ = self.recurrent(self.patches(batch))
            parts.append(self.dropout(y[:, -1]))
        return torch.cat(parts, dim=-1) if parts else None

    def parts(self, batch: Batch) -> Parts:
        """What the answer is made up of."""
        d = self.dims
        hidden = self.step.unsqueeze(0)
        linear = self.linear(batch.y[:, -d.linear :])
        context = self.context(batch)
        if context is not None and self.from_context is not None:
            hidden = hidden + self.from_context(context).unsqueeze(1)
        if self.from_future is not None:
            hidden = hidden + self.from_future(batch.future)
        hidden = F.gelu(hidden).expand(batch.y.shape[0], -1, -1)
        # A copy that is not available gets no weight; with none available the mixture is 0, the window's location.
        weights = torch.softmax(self.gate(hidden).masked_fill(batch.lagged_observed == 0, -1e4), dim=-1)
        copies = (weights * batch.lagged).sum(-1)
        learnt = self.lift(hidden).squeeze(-1)
        if context is not None and self.direct is not None:
            learnt = learnt + self.direct(context)
        return Parts(weights, copies, self.trust * linear, self.trust * learnt, F.softplus(self.spread(hidden) - 1.0))

    def forward(self, batch: Batch) -> Tensor:
        """Standardised quantiles, (B, H, number of quantiles), ascending along the last dimension."""
        parts = self.parts(batch)
        return _ascending(parts.median, parts.increments, self.dims.quantiles)


def _ascending(median: Tensor, increments: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Median (B, H) and positive increments (B, H, Q) to ascending quantiles (B, H, Q)."""
    middle = levels.index(0.5)
    above = torch.cumsum(increments[..., middle + 1 :], dim=-1)
    below = torch.cumsum(increments[..., :middle].flip(-1), dim=-1).flip(-1)
    centre = median.unsqueeze(-1)
    return torch.cat([centre - below, centre, centre + above], dim=-1)


def quantile_loss(quantiles: Tensor, batch: Batch, levels: tuple[float, ...]) -> Tensor:
    """Mean pinball loss over the observed targets, each window weighted by `batch.weight` (a scalar).

    Twice the pinball loss at level 0.5 is the absolute error, so with weights of one over the seasonal-naive error
    this is the MASE of the median, averaged with its counterparts at the other levels.
    """
    error = batch.target.unsqueeze(-1) - quantiles
    level = torch.tensor(levels, dtype=error.dtype, device=error.device)
    pinball = 2 * torch.maximum(level * error, (level - 1) * error).mean(-1)
    weight = batch.target_observed * batch.weight
    return (pinball * weight).sum() / batch.target_observed.sum().clamp_min(1)
