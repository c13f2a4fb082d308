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
from longshort.study.explanation import Explanation, explain, explain_network
from longshort.study.gradients import GradientConfig, GradientStudy, study_gradients
from longshort.study.tuning import Budget, Tuning, tune

__all__ = [
    "Budget",
    "CompareConfig",
    "Comparison",
    "Explanation",
    "GradientConfig",
    "GradientStudy",
    "LagComparison",
    "LagsConfig",
    "TaskConfig",
    "Tuning",
    "compare",
    "compare_lags",
    "compare_task",
    "explain",
    "explain_network",
    "study_gradients",
    "tune",
]
