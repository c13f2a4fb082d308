"""To be heard and seen: recordings with their spectrogram and what the network makes of every moment."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from longshort.data.audio import read_audio
from longshort.errors import InputError
from longshort.report import RIVALS, SEQUENTIAL, Html, Section, Spec, el, figure, join, plain, values, visible
from longshort.tasks.transcribe.config import EDGE
from longshort.tasks.transcribe.report.told import Told
from longshort.tasks.transcribe.transcript import Transcript

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber

# Recordings that are shown, and seconds of the longest of them.
SHOWN, LONGEST = 6, 12.0
# Units that have a line of their own.
LINES = 12
COLOURS = ["var(--ours)", *(line["color"] for line in RIVALS)]
DASHES = ["solid", "dash", "dot"]


def listen_section(model: Transcriber, told: Told) -> Section:
    """Some recordings with errors, and some without."""
    title, places = "Listen and look", _chosen(model, told)
    if not places:
        return Section(title, f"No held-out recording is shorter than {LONGEST:g} s.", [])
    bands = "mel band, low to high" if model.fitted.plan.features.rate else "feature"
    see = (
        "Each recording as the network reads it, and below it the probability of every unit at every step: CTC is sure "
        "for a moment only, and calls all else blank. Shaded are the words where they were heard."
    )
    body = [part for k in places for part in _shown(model, told, k, bands)]
    return Section(title, see, body)


def _chosen(model: Transcriber, told: Told) -> list[int]:
    short = told.utterances.frames * model.fitted.plan.features.hop <= LONGEST
    wrong = np.flatnonzero(short & (told.errors > 0))
    right = np.flatnonzero(short & (told.errors == 0))
    half = SHOWN // 2
    worst = wrong[np.argsort(-told.errors[wrong], kind="stable")][:half]
    spread = (
        right[np.linspace(0, len(right) - 1, min(len(right), SHOWN - len(worst))).astype(int)] if len(right) else []
    )
    return [*map(int, worst), *map(int, spread)]


def _shown(model: Transcriber, told: Told, k: int, bands: str) -> list[Html]:
    transcript, said = told.transcripts[k], told.utterances.texts[k]
    right = "told right" if not told.errors[k] else f"said “{said}”"
    sure = f"{100 * transcript.confidence:.0f}\u00a0%"
    heading = el("h3", visible(f"“{transcript.text}”, {right}, confidence {sure}"))
    found = figure(
        _chart(model, told, k, bands),
        alt="Spectrogram of a recording above the probabilities of units over time.",
        caption=join("Recording ", el("code", visible(told.utterances.names[k])), "."),
        height=440,
    )
    return [heading, *_player(model, told, k), found]


def _player(model: Transcriber, told: Told, k: int) -> list[Html]:
    """The sound itself, inside the page; nothing where it is not to be had."""
    plan, paths = model.fitted.plan, told.utterances.paths
    if not paths:
        return []
    import soundfile

    try:
        samples = read_audio(paths[k], plan.features.rate)
    except InputError:
        return [el("p", "The sound is no longer where it was.", class_="see")]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, plan.features.rate, format="WAV", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode()
    label = f"Recording {told.utterances.names[k]}"
    return [el("audio", controls=True, src=f"data:audio/wav;base64,{data}", aria_label=label)]


def _chart(model: Transcriber, told: Told, k: int, bands: str) -> Spec:
    plan, units = model.fitted.plan, model.fitted.units
    features, hop = told.utterances.features[k], model.fitted.plan.features.hop
    p = told.probabilities(model, k)
    middle = (np.arange(len(p)) * plan.stride + (plan.stride + 1) / 2 + plan.stride / 2 - EDGE) * hop
    likely = [u for u in np.argsort(-p[:, 1:].max(0), kind="stable")[:LINES] + 1 if p[:, u].max() >= 0.05]
    data: list[Spec] = [
        {
            "type": "heatmap",
            "z": [values(row, 3) for row in features.T],
            "x": values((np.arange(len(features)) + 0.5) * hop, 5),
            "colorscale": SEQUENTIAL,
            "showscale": False,
            "yaxis": "y2",
            "hovertemplate": "%{x:.2f} s<extra></extra>",
        },
        _line(middle, p[:, 0], "blank", {"color": "var(--soft)", "width": 1, "dash": "dot"}),
    ]
    for n, u in enumerate(sorted(likely, key=lambda u: int(p[:, u].argmax()))):
        name = units.piece(int(u)).strip() or "space"
        line = {"color": COLOURS[n % len(COLOURS)], "width": 2, "dash": DASHES[(n // len(COLOURS)) % len(DASHES)]}
        data.append(_line(middle, p[:, u], name, line))
    layout = {
        "xaxis": {"title": {"text": "seconds"}, "range": [0, float(len(features) * hop)], "anchor": "y"},
        "yaxis": {"domain": [0, 0.42], "title": {"text": "probability"}, "range": [0, 1.02]},
        "yaxis2": {"domain": [0.5, 1], "title": {"text": bands}, "showticklabels": False},
        **_words(told.transcripts[k]),
    }
    return {"data": data, "layout": layout}


def _line(x: Any, y: Any, name: str, line: Spec) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": values(x, 5),
        "y": values(y, 3),
        "name": plain(visible(name)),
        "line": line,
        "hovertemplate": f"%{{x:.2f}} s: %{{y:.0%}}<extra>{plain(visible(name))}</extra>",
    }


def _words(transcript: Transcript) -> Spec:
    """The words below the spectrogram, and where they are."""
    shapes, notes = [], []
    for word in transcript.words:
        common = {"type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 0}}
        shapes.append({**common, "x0": word.start, "x1": word.end, "fillcolor": "var(--ours)", "opacity": 0.08})
        middle = (word.start + word.end) / 2
        text = plain(visible(word.text))
        notes.append({"x": middle, "y": 0.46, "yref": "paper", "yanchor": "middle", "text": text, "showarrow": False})
    return {"shapes": shapes, "annotations": notes}
