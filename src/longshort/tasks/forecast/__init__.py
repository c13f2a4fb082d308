"""Forecasting: the future of one or many series, with intervals."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.tasks.forecast.backtest import Backtest
    from longshort.tasks.forecast.config import ForecastConfig
    from longshort.tasks.forecast.estimator import Forecaster
    from longshort.tasks.forecast.evaluation import ForecastScores

__all__ = ["Backtest", "ForecastConfig", "ForecastScores", "Forecaster"]

__getattr__ = lazy(
    __name__,
    {
        "Backtest": "backtest",
        "ForecastConfig": "config",
        "ForecastScores": "evaluation",
        "Forecaster": "estimator",
    },
)
