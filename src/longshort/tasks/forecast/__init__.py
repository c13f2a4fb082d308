"""Forecasting: the future of one or many series, with intervals."""

from longshort.tasks.forecast.config import ForecastConfig
from longshort.tasks.forecast.estimator import Forecaster
from longshort.tasks.forecast.evaluation import Backtest, Scores

__all__ = ["Backtest", "ForecastConfig", "Forecaster", "Scores"]
