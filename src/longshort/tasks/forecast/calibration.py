"""Two numbers measured on the validation windows: how far to trust what was learnt, how wide the intervals must be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from longshort.tasks.forecast.network import Batch, ForecastNetwork

TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)
# From fewer windows nothing is said against what was learnt.
WINDOWS_NEEDED = 20
LIMITS = (0.5, 2.0)
# With so many windows half of the measured correction is applied; with few, next to none.
HALF = 50


def trust(networks: Sequence[ForecastNetwork], batches: Sequence[Batch]) -> float:
    """The share of the learnt correction that forecasts the validation windows best.

    The median is the mixture of naive forecasts plus a correction (`Parts`). Where there is nothing to learn, as in
    prices, the correction is noise, and 0 gives back the naive forecasts; where there is, 1 is best.

    Args:
        networks: not trained on the validation windows; their medians are averaged.
        batches: the validation windows.
    """
    errors, windows = np.zeros(len(TRUST)), 0
    for batch in batches:
        with torch.no_grad():
            parts = [network.parts(batch) for network in networks]
        copies = torch.stack([p.copies for p in parts]).mean(0)
        correction = torch.stack([p.linear + p.learnt for p in parts]).mean(0)
        weight = batch.target_observed * batch.weight
        medians = (copies + share * correction for share in TRUST)
        errors += [float(((batch.target - median).abs() * weight).sum()) for median in medians]
        windows += int((batch.target_observed.sum(1) > 0).sum())
    return TRUST[int(errors.argmin())] if windows >= WINDOWS_NEEDED else 1.0


def interval_factor(networks: Sequence[ForecastNetwork], batches: Sequence[Batch], levels: Sequence[float]) -> float:
    """The factor on every quantile's distance from the median.

    The widest pair of learnt levels (a, 1 - a) up to 80 % is made to cover 1 - 2a of the validation values: the factor
    is the (1 - 2a) quantile of |y - median| over the distance of the bound on y's side (split conformal prediction with
    locally weighted residuals; Lei et al. 2018, arXiv 1604.04173). It is shrunk towards 1 where there are few windows.

    Args:
        networks: not trained on the validation windows; their quantiles are averaged.
        batches: the validation windows.
        levels: the learnt quantiles.
    """
    pairs = [q for q in levels if 0.1 <= q < 0.5 and round(1 - q, 9) in {round(other, 9) for other in levels}]
    if not pairs:
        return 1.0
    low, middle, high = (
        list(levels).index(q) for q in (pairs[0], 0.5, min(levels, key=lambda x: abs(x - 1 + pairs[0])))
    )
    ratios, windows = [], 0
    for batch in batches:
        with torch.no_grad():
            answer = torch.stack([network(batch) for network in networks]).mean(0).double().numpy()
        median = answer[..., middle]
        error = batch.target.double().numpy() - median
        bound = np.where(error > 0, answer[..., high] - median, median - answer[..., low])
        seen = batch.target_observed.numpy() > 0
        ratios.append((np.abs(error) / np.maximum(bound, 1e-9))[seen])
        windows += int(seen.any(1).sum())
    flat = np.concatenate(ratios)
    if not len(flat):
        return 1.0
    factor = float(np.clip(np.quantile(flat, 1 - 2 * pairs[0]), *LIMITS))
    return float(factor ** (windows / (windows + HALF)))
