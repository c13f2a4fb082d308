"""A piano roll as a picture of its own: time to the right, pitch upwards, a bar for every note."""

from __future__ import annotations

import numpy as np

from longshort.data.midi import Notes
from longshort.tasks.compose.next_steps import pitch_name

# Pixels of a quarter note and of a semitone; what lies before the notes.
WIDE, HIGH, LEFT = 24, 8, 40
COLOURS = ("#2a6fbb", "#c2571a", "#3a8a4d", "#8a4fa3")


def picture(notes: Notes, new: float = 0.0) -> str:
    """SVG; what comes before `new`, in quarter notes, is grey."""
    pitched = notes[notes[:, 3] >= 0]
    low, high = (int(pitched[:, 2].min()), int(pitched[:, 2].max())) if len(pitched) else (60, 60)
    low, high = low - low % 12, high + 11 - high % 12
    end = float(np.ceil((notes[:, 0] + notes[:, 1]).max(initial=4)))
    width, height = LEFT + WIDE * end, HIGH * (high - low + 1)
    programs = np.unique(pitched[:, 3]).tolist()
    shapes = []
    for octave in range(low, high + 1, 12):
        y = HIGH * (high - octave + 1)
        shapes.append(f'<line x1="{LEFT}" x2="{width:g}" y1="{y}" y2="{y}" stroke="#ccc"/>')
        shapes.append(f'<text x="4" y="{y - 1}" font-size="11" font-family="sans-serif">{pitch_name(octave)}</text>')
    for quarter in np.arange(0, end + 1, 4):
        x = LEFT + WIDE * quarter
        shapes.append(f'<line x1="{x:g}" x2="{x:g}" y1="0" y2="{height}" stroke="#e4e4e4"/>')
    for start, duration, pitch, program in pitched.tolist():
        colour = "#999" if start < new else COLOURS[programs.index(program) % len(COLOURS)]
        x, y = LEFT + WIDE * start, HIGH * (high - pitch)
        long = max(2.0, WIDE * duration - 1)
        shapes.append(
            f'<rect x="{x:.1f}" y="{y:g}" width="{long:.1f}" height="{HIGH - 1}" rx="2" fill="{colour}">'
            f"<title>{pitch_name(int(pitch))}</title></rect>"
        )
    size = f'width="{width:g}" height="{height}" viewBox="0 0 {width:g} {height}"'
    label = f"Piano roll of {len(notes)} notes over {end:g} quarter notes"
    ground = '<rect width="100%" height="100%" fill="white"/>'
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return begin + ground + "".join(shapes) + "</svg>\n"
