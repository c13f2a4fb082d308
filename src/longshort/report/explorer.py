"""Every gate and state of every unit over a sequence, to sort, to pick from and to compare: drawn on canvases.

A network of 400 units over 1,000 steps has 2.4 million numbers in a layer. They are kept in a byte each.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longshort.report.figures import values
from longshort.report.gates import KEEPERS, MEANINGS
from longshort.report.html import Html, definitions, el, join

FloatArray = NDArray[np.float64]

_SCRIPT = Path(__file__).with_name("explorer.js")


@dataclass(frozen=True)
class Layer:
    """One layer in one direction.

    Attributes:
        name: of both.
        cell: "lstm", "gru" or "rnn".
        states: gate or state -> its values, (T, H).
        timescales: of each unit in steps of the input, (H,), or None.
    """

    name: str
    cell: str
    states: Mapping[str, FloatArray]
    timescales: FloatArray | None = None


@dataclass(frozen=True)
class Above:
    """The sequence itself, above its gates.

    Attributes:
        labels: of its steps, (T,).
        step: what a step is called.
        text: whether the labels are a text to be read.
        curves: of its steps, by name, (T,) each, NaN where there is no value.
    """

    labels: Sequence[str]
    step: str = "step"
    text: bool = False
    curves: Mapping[str, FloatArray] = field(default_factory=dict)


def explorer(layers: Sequence[Layer], above: Above, *, stride: int = 1, caption: object) -> Html:
    """The picture with its controls.

    Args:
        layers: in their order.
        above: the sequence.
        stride: its steps in one step of the layers, the last of which end together.
        caption: what it is, below the picture.
    """
    described, packed = [], []
    for layer in layers:
        keys = []
        for key, (name, gate, _) in MEANINGS[layer.cell].items():
            bytes_, reach = _quantised(layer.states[key].T, gate)
            packed.append(bytes_.tobytes())
            keys.append({"key": key, "name": name, "gate": gate, "reach": values(reach, 5)})
        steps, units = layer.states["h"].shape
        described.append(
            {
                "name": layer.name,
                "cell": layer.cell,
                "steps": steps,
                "units": units,
                "keeps": KEEPERS.get(layer.cell),
                "keys": keys,
                "timescales": None if layer.timescales is None else values(layer.timescales, 4),
            }
        )
    meta = {
        "layers": described,
        "labels": list(above.labels),
        "step": above.step,
        "text": above.text,
        "curves": [{"name": name, "y": values(y, 5)} for name, y in above.curves.items()],
        "stride": stride,
    }
    text = json.dumps(meta, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    safe = Html(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
    data = base64.b64encode(gzip.compress(b"".join(packed), 6, mtime=0)).decode()
    most = max((layer.states["h"].shape for layer in layers), key=lambda shape: shape[0] * shape[1])
    meanings = {key: (name, meaning) for layer in layers for key, (name, _, meaning) in MEANINGS[layer.cell].items()}
    return join(
        el(
            "figure",
            el(
                "div",
                "This picture needs a browser from 2023 or later, with scripts.",
                class_="stage",
                role="group",
                aria_label=f"Gates and states of {most[1]} units over {most[0]} steps, with controls to sort, pick and "
                "compare the units and to zoom into the sequence",
            ),
            el("figcaption", caption),
            el("script", safe, type="application/json", class_="meta"),
            el("script", Html(data), type="application/octet-stream", class_="bytes"),
            class_="explorer",
        ),
        definitions([(f"{key}, {name}", meaning) for key, (name, meaning) in meanings.items()]),
        el("script", Html(_SCRIPT.read_text(encoding="utf-8"))),
    )


def _quantised(units: FloatArray, gate: bool) -> tuple[NDArray[np.uint8], FloatArray]:
    """Values (H, T) as bytes, and of each unit the value that the largest byte stands for, (H,).

    Gates, 0 to 1, are 0 to 255. Others are 128 for 0, and 1 to 255 for minus to plus the unit's largest size.
    """
    if gate:
        return np.clip(np.rint(units * 255), 0, 255).astype(np.uint8), np.ones(len(units))
    reach = np.maximum(np.abs(units).max(1), 1e-6)
    return (np.rint(units / reach[:, None] * 127) + 128).astype(np.uint8), reach
