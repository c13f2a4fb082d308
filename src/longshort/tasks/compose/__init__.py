"""Music: the probability of every next note, and tunes drawn from it."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.tasks.compose.composition import Composition
    from longshort.tasks.compose.config import ComposeConfig
    from longshort.tasks.compose.estimator import Composer
    from longshort.tasks.compose.evaluation import ComposeScores
    from longshort.tasks.compose.writing import Composing

__all__ = ["ComposeConfig", "ComposeScores", "Composer", "Composing", "Composition"]

__getattr__ = lazy(
    __name__,
    {
        "ComposeConfig": "config",
        "ComposeScores": "evaluation",
        "Composer": "estimator",
        "Composing": "writing",
        "Composition": "composition",
    },
)
