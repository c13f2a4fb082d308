"""A forecaster for export: standardised windows in, quantiles of every step of the horizon out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from longshort.exportable import Exportable, Part, Value
from longshort.tasks.forecast.model import ForecastModel
from longshort.tasks.forecast.network import Batch

if TYPE_CHECKING:
    from longshort.tasks.forecast.estimator import Forecaster


class Fan(nn.Module):
    """All members, their quantiles averaged and the intervals widened as the validation windows asked for."""

    def __init__(self, model: ForecastModel, names: list[str]) -> None:
        super().__init__()
        self.networks, self.names = nn.ModuleList(model.networks), names
        self.middle, self.factor = model.config.quantiles.index(0.5), model.interval_factor

    def forward(self, *inputs: Tensor) -> tuple[Tensor]:
        """Fields of a `Batch` to standardised quantiles, (B, H, Q)."""
        given = dict(zip(self.names, inputs, strict=True))
        none = given["y"].new_zeros(())
        batch = Batch(*(given.get(name, none) for name in Batch._fields))
        for name in ("past", "calendar", "future", "static"):
            if name not in given:
                like = given["lagged"] if name == "future" else given["y"].unsqueeze(-1)
                empty = given["y"][:, :0] if name == "static" else like[..., :0]
                batch = batch._replace(**{name: empty})
        mean = torch.stack([network(batch) for network in self.networks]).mean(0)
        median = mean[..., self.middle : self.middle + 1]
        return (median + self.factor * (mean - median),)


def exportable(model: Forecaster) -> Exportable:
    """The members of a forecaster as one network, and its scales."""
    fitted = model.fitted.model
    d, horizon = fitted.dims, fitted.dims.horizon
    lagged = ("batch", horizon, d.lags)
    values = (
        Value("y", ("batch", d.lookback), "target before the origin, standardised; 0 where missing"),
        Value("observed", ("batch", d.lookback), "1 where y is there, else 0"),
        Value("lagged", lagged, "the values that the lags repeat, standardised; 0 where there are none"),
        Value("lagged_observed", lagged, "1 where lagged is there, else 0"),
        Value("past", ("batch", d.lookback, d.past), "exogenous and known columns, standardised, each with its flags"),
        Value("calendar", ("batch", d.lookback, d.calendar), "calendar features before the origin"),
        Value("future", ("batch", horizon, d.future), "known columns and calendar features of the horizon"),
        Value("static", ("batch", d.static), "numeric static columns, standardised, with their flags"),
        Value("categories", ("batch", len(d.categories)), "codes of the categories, 0 for unknown"),
    )
    inputs = [value for value in values if 0 not in value.shape]

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:  # the look-back is fixed
        drawn = torch.Generator().manual_seed(steps)

        def one(value: Value) -> Tensor:
            size = (batch, *(int(n) for n in value.shape[1:]))
            if value.name == "categories":
                return torch.stack([torch.randint(n, (batch,), generator=drawn) for n in d.categories], 1)
            if value.name.endswith("observed"):
                return (torch.rand(size, generator=drawn) < 0.8).float()
            return torch.randn(size, generator=drawn)

        return tuple(map(one, inputs))

    part = Part(
        module=Fan(fitted, [value.name for value in inputs]).eval(),
        inputs=inputs,
        outputs=(
            Value(
                "quantiles",
                ("batch", horizon, len(d.quantiles)),
                "standardised, at the levels " + ", ".join(f"{q:g}" for q in d.quantiles),
            ),
        ),
        example=example,
    )
    how = (
        "Windows are cut and standardised as longshort/tasks/forecast/windows.py does it, by scaler.json; a quantile "
        "in the units of the data is location + scale * quantile of its window.",
        "Each window is read from its beginning: the state of the recurrent layer begins with zeros inside.",
    )
    scaler = {**fitted.describe(), "frequency": model.fitted.panel.frequency.to_dict()}
    return Exportable({"network": part}, how, {"scaler.json": scaler})
