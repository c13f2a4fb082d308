"""Classification of texts and of sequences of numbers: the probability of every class."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.tasks.classify.config import ClassifyConfig
    from longshort.tasks.classify.estimator import Classifier
    from longshort.tasks.classify.evaluation import ClassifyScores

__all__ = ["Classifier", "ClassifyConfig", "ClassifyScores"]

__getattr__ = lazy(__name__, {"Classifier": "estimator", "ClassifyConfig": "config", "ClassifyScores": "evaluation"})
