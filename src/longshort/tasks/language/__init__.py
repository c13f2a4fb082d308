"""Language modelling: the probability of every next token, and texts drawn from it."""

from longshort.sequence.sampling import Sampling
from longshort.tasks.language.config import LanguageConfig
from longshort.tasks.language.estimator import LanguageModel
from longshort.tasks.language.evaluation import LanguageScores

__all__ = ["LanguageConfig", "LanguageModel", "LanguageScores", "Sampling"]
