"""Reading and checking data: tables, texts, pairs, dialogues, labelled examples."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.data.corpus import Corpus, Document, read_corpus
    from longshort.data.dialogues import Dialogues, Turn, read_dialogues
    from longshort.data.examples import Sequences, Texts
    from longshort.data.files import read_table
    from longshort.data.frequency import Frequency
    from longshort.data.labelled import read_labelled
    from longshort.data.pairs import Pairs, read_pairs
    from longshort.data.panel import Columns, Panel, Series
    from longshort.data.reading import read_future, read_panel
    from longshort.data.seasons import find_seasons
    from longshort.data.stream import is_large, stream_panel

__all__ = [
    "Columns",
    "Corpus",
    "Dialogues",
    "Document",
    "Frequency",
    "Pairs",
    "Panel",
    "Sequences",
    "Series",
    "Texts",
    "Turn",
    "find_seasons",
    "is_large",
    "read_corpus",
    "read_dialogues",
    "read_future",
    "read_labelled",
    "read_pairs",
    "read_panel",
    "read_table",
    "stream_panel",
]

# What reads tables needs Polars, what holds them does not.
__getattr__ = lazy(
    __name__,
    {
        "Columns": "panel",
        "Corpus": "corpus",
        "Dialogues": "dialogues",
        "Document": "corpus",
        "Frequency": "frequency",
        "Pairs": "pairs",
        "Panel": "panel",
        "Sequences": "examples",
        "Series": "panel",
        "Texts": "examples",
        "Turn": "dialogues",
        "find_seasons": "seasons",
        "is_large": "stream",
        "read_corpus": "corpus",
        "read_dialogues": "dialogues",
        "read_future": "reading",
        "read_labelled": "labelled",
        "read_pairs": "pairs",
        "read_panel": "reading",
        "read_table": "files",
        "stream_panel": "stream",
    },
)
