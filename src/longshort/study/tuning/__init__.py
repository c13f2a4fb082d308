"""A search over the settings of a task."""

from longshort.study.tuning.results import Tuning
from longshort.study.tuning.study import Budget, tune

__all__ = ["Budget", "Tuning", "tune"]
