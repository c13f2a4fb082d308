"""Pictures that answer to the mouse: Plotly's traces and layout as plain dicts, drawn by the page's script.

Colours are names of CSS variables, `"var(--ours)"`, that style.css defines once for light and once for dark pages; the
script puts in their values.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.report.html import Html, el, join

Spec = dict[str, Any]

# How the script tells its pictures from other scripts; text from data, being escaped, can never hold this.
FIGURE = Html('<script type="application/json" class="figure">')
# Line of our model, of those it is compared with, and of what happened: colour and dash, told apart without colour.
OURS: Spec = {"color": "var(--ours)", "width": 2.5}
TRUTH: Spec = {"color": "var(--truth)", "width": 1.6}
RIVALS: tuple[Spec, ...] = (
    {"color": "var(--rival-1)", "width": 1.5, "dash": "dot"},
    {"color": "var(--rival-2)", "width": 1.5, "dash": "dash"},
    {"color": "var(--rival-3)", "width": 1.5, "dash": "dashdot"},
    {"color": "var(--rival-4)", "width": 1.5, "dash": "longdash"},
)
# From 0 to 1, and from below 0 to above; both can be told apart by the colour-blind and in grey.
SEQUENTIAL = [[0, "var(--seq-0)"], [0.5, "var(--seq-1)"], [1, "var(--seq-2)"]]
DIVERGING = [[0, "var(--div-0)"], [0.5, "var(--div-1)"], [1, "var(--div-2)"]]


def figure(
    variants: Mapping[str, Spec] | Spec,
    *,
    alt: str,
    caption: object,
    height: int = 380,
    choose: str = "Show",
) -> Html:
    """A picture, or several of which the reader chooses one.

    Args:
        variants: one Plotly figure `{"data": [...], "layout": {...}}`, or several by name.
        alt: what there is to see, for those who cannot.
        caption: a sentence or two below the picture.
        height: in pixels.
        choose: label of the choice.
    """
    named: dict[str, Spec] = {"": dict(variants)} if "data" in variants else {k: dict(v) for k, v in variants.items()}
    chooser: list[Html] = []
    if len(named) > 1:
        options = [el("option", name, value=k) for k, name in enumerate(named)]
        chooser = [el("label", el("span", choose, " "), el("select", *options), class_="choose")]
    return el(
        "figure",
        *chooser,
        el("div", class_="plot", role="img", aria_label=alt, style=f"height:{height}px"),
        el("figcaption", caption),
        join(FIGURE, Html(_json(list(named.values()))), Html("</script>")),
    )


def plain(text: object) -> str:
    """A text for a figure: Plotly reads some HTML in its texts, and `%{…}` in its templates."""
    return html.escape(str(text), quote=False).replace("%{", "%&#123;")


def values(array: Sequence[float] | NDArray[np.floating[Any]], digits: int = 7) -> list[float | None]:
    """Numbers for a figure: few digits, None where there is none."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(array, dtype=np.float64)]


def times(array: NDArray[Any]) -> list[str] | list[int]:
    """Times for a figure: datetimes as ISO texts, integer steps as they are."""
    if array.dtype.kind in "iu":
        return [int(t) for t in array]
    return [str(t).removesuffix(".000000") for t in array]


def fan(
    times_: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None]
) -> tuple[list[Any], list[Any]]:
    """Outline of the band between two curves, as x and y of a filled trace, with a gap behind it."""
    return [*times_, *reversed(times_), None], [*high, *reversed(low), None]


def _json(value: Any) -> str:
    """JSON that can stand in a script element, whatever its texts hold."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@functools.lru_cache(maxsize=1)
def plotly() -> str:
    """plotly.js, packed: base64 of gzip, a third of its size."""
    from plotly.offline.offline import get_plotlyjs

    source: str = get_plotlyjs()  # type: ignore[no-untyped-call]
    return base64.b64encode(gzip.compress(source.encode(), 9, mtime=0)).decode()
