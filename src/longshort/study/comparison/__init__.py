"""`compare`, `compare_task` and `compare_lags`: cells side by side, fairly."""

from longshort.study.comparison.config import CompareConfig, LagsConfig, TaskConfig
from longshort.study.comparison.lags import LagComparison
from longshort.study.comparison.result import Comparison
from longshort.study.comparison.run import compare, compare_lags, compare_task

__all__ = [
    "CompareConfig",
    "Comparison",
    "LagComparison",
    "LagsConfig",
    "TaskConfig",
    "compare",
    "compare_lags",
    "compare_task",
]
