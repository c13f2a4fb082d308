"""Inside the last recurrent layer: its gates and states over some of the held-out text."""

from __future__ import annotations

from longshort.report import Above, Layer, Section, explorer, memory, timescales, visible
from longshort.report.gates import KEEPERS
from longshort.tasks.language.evaluation import ONE
from longshort.tasks.language.report.passage import Passage

SHOWN = 200


def inside_section(passage: Passage, kind: str, cell: str, layers: int) -> Section:
    """The gates over the beginning of the passage, below the surprise of its tokens."""
    count = min(SHOWN, len(passage.tokens))
    states = {key: value[:count] for key, value in passage.states.items()}
    labels = [visible(label) for label in passage.labels[:count]]
    above = Above(labels, ONE[kind], text=True, curves={"surprise, bits": passage.bits[:count]})
    which = "the last layer" if layers > 1 else "the layer"
    keeps = timescales(states[KEEPERS[cell]]) if cell in KEEPERS else None
    maps = explorer(
        [Layer(which, cell, states, keeps)], above, caption=f"The first {count} held-out tokens, as {which} reads them."
    )
    return Section("Inside the recurrent layer", memory(cell, states, step="token"), [maps])
