"""Language modelling: the probability of every next token, and texts drawn from it."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy
from longshort.sequence.sampling import Sampling

if TYPE_CHECKING:
    from longshort.tasks.language.config import LanguageConfig
    from longshort.tasks.language.estimator import LanguageModel
    from longshort.tasks.language.evaluation import LanguageScores

__all__ = ["LanguageConfig", "LanguageModel", "LanguageScores", "Sampling"]

__getattr__ = lazy(__name__, {"LanguageConfig": "config", "LanguageModel": "estimator", "LanguageScores": "evaluation"})
