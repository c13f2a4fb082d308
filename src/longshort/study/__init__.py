"""Experiments about networks: what they remember, and why."""

from longshort.study.comparison import (
    CompareConfig,
    Comparison,
    LagComparison,
    LagsConfig,
    TaskConfig,
    compare,
    compare_lags,
    compare_task,
)
from longshort.study.gradients import GradientConfig, GradientStudy, study_gradients

__all__ = [
    "CompareConfig",
    "Comparison",
    "GradientConfig",
    "GradientStudy",
    "LagComparison",
    "LagsConfig",
    "TaskConfig",
    "compare",
    "compare_lags",
    "compare_task",
    "study_gradients",
]
