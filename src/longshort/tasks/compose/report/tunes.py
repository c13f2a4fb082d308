"""Tunes to hear and to see: the network's, the chain's, and one that was held out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from longshort.data.midi import Notes
from longshort.report import Html, Section, Spec, el, figure, plain
from longshort.tasks.compose.authors import author
from longshort.tasks.compose.evaluation import HELD_OUT
from longshort.tasks.compose.keys import find_key
from longshort.tasks.compose.next_steps import pitch_name
from longshort.tasks.compose.sound import wav
from longshort.tasks.compose.writing import Composing, compose

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer

# Tunes of ours that are shown, and how many quarter notes of each.
SHOWN, QUARTERS = 3, 32
TEMPO = 120.0


def tunes_section(model: Composer) -> Section:
    """Players and piano rolls."""
    fitted, encoding = model.fitted, model.fitted.encoding
    ours = fitted.written.get(model.name)
    if ours is None:
        composing = Composing(bars=8, seed=model.config.seed)
        ours = tuple(compose(author(fitted.network), encoding, composing, fitted.openings, tunes=SHOWN))
    shown = [(f"{model.name}, tune {k}", piece, "var(--ours)") for k, piece in enumerate(ours[:SHOWN], 1)]
    shown += [(name, pieces[0], "var(--rival-1)") for name, pieces in fitted.written.items() if name != model.name]
    name, held = fitted.held_out.names[0], fitted.held_out.pieces[0]
    shown.append((f"{HELD_OUT[:-1]} {name}", held, "var(--truth)"))
    body = [part for title, piece, colour in shown for part in _tune(title, encoding.notes(piece), colour)]
    see = (
        "Tunes that the network drew note by note, as they came; below them one by the Markov chain, and one that was "
        "held out, for comparison."
    )
    return Section("What it writes", see, body)


def _tune(title: str, notes: Notes, colour: str) -> list[Html]:
    notes = notes.copy()
    if len(notes):
        notes[:, 0] -= notes[:, 0].min()
    whole = len(notes)
    notes = notes[notes[:, 0] < QUARTERS]
    pitched = notes[notes[:, 3] >= 0]
    if not len(pitched):
        return [el("h3", title), el("p", "It has no note with a pitch.")]
    sound = base64.b64encode(wav(notes, TEMPO)).decode()
    player = el("audio", controls=True, preload="none", src=f"data:audio/wav;base64,{sound}", aria_label=title)
    cut = f"the first {QUARTERS} quarter notes" if len(notes) < whole else "all of it"
    caption = f"{whole:,} notes, {cut} to hear and to see, at {TEMPO:g} quarter notes a minute; {find_key(pitched)}."
    return [
        el("h3", title),
        el("p", player),
        figure(_roll(pitched, colour), alt=f"Piano roll of {title}", caption=caption, height=260),
    ]


def _roll(notes: Notes, colour: str) -> Spec:
    x: list[float | None] = []
    y: list[int | None] = []
    text: list[str] = []
    for start, duration, pitch, _ in notes.tolist():
        x += [round(start, 4), round(start + max(duration - 0.06, 0.04), 4), None]
        y += [int(pitch), int(pitch), None]
        text += [plain(pitch_name(int(pitch)))] * 3
    low, high = int(notes[:, 2].min()), int(notes[:, 2].max())
    octaves = list(range(low - low % 12, high + 13, 12))
    trace: Spec = {"type": "scatter", "mode": "lines", "x": x, "y": y, "text": text}
    trace |= {
        "line": {"color": colour, "width": 6},
        "hovertemplate": "%{text} at %{x:.2f}<extra></extra>",
        "connectgaps": False,
    }
    end = float(np.ceil((notes[:, 0] + notes[:, 1]).max()))
    return {
        "data": [trace],
        "layout": {
            "xaxis": {"title": {"text": "quarter notes"}, "range": [0, min(end, QUARTERS + 2)], "dtick": 4},
            "yaxis": {"tickvals": octaves, "ticktext": [pitch_name(p) for p in octaves], "range": [low - 2, high + 2]},
        },
    }
