from longshort.data.corpus import Corpus, Document, read_corpus
from longshort.data.dialogues import Dialogues, Turn, read_dialogues
from longshort.data.files import read_table
from longshort.data.frequency import Frequency
from longshort.data.labelled import Sequences, Texts, read_labelled
from longshort.data.pairs import Pairs, read_pairs
from longshort.data.panel import Columns, Panel, Series
from longshort.data.reading import read_future, read_panel
from longshort.data.seasons import find_seasons

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
    "read_corpus",
    "read_dialogues",
    "read_future",
    "read_labelled",
    "read_pairs",
    "read_panel",
    "read_table",
]
