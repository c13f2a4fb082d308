"""The page that every report is: one file that opens offline, light or dark, wide or narrow, on screen or on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longshort.report.figures import FIGURE, plotly
from longshort.report.html import Html, el, join

_HERE = Path(__file__).parent
# The browser itself refuses whatever would leave the page.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; media-src data:"
)


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: its heading.
        see: one plain sentence that says what to see.
        body: what is shown.
    """

    title: str
    see: object
    body: Sequence[Html]

    @property
    def id(self) -> str:
        """What a link to it ends with."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def page(*, title: str, kind: str, headline: str, lead: Sequence[object], sections: Sequence[Section]) -> str:
    """A whole HTML document.

    Args:
        title: of the window.
        kind: what sort of report this is, a few words above the headline.
        headline: what the reader should take home, in a sentence.
        lead: paragraphs below it.
        sections: in their order.
    """
    links = [el("li", el("a", section.title, href=f"#{section.id}")) for section in sections]
    body = join(
        el(
            "header",
            el("p", kind, class_="kind"),
            el("h1", headline),
            *(paragraph if isinstance(paragraph, Html) else el("p", paragraph, class_="lead") for paragraph in lead),
            el("nav", el("ul", *links), aria_label="Sections"),
        ),
        el("main", *(_section(section) for section in sections)),
        el("footer", el("p", "Made by longshort. This file is complete in itself: it asks nothing of the network.")),
    )
    style = Html((_HERE / "style.css").read_text(encoding="utf-8"))
    script = [el("script", Html((_HERE / "page.js").read_text(encoding="utf-8")))]
    if FIGURE in body:
        script.insert(0, el("script", Html(plotly()), type="application/octet-stream", id="plotly"))
    head = join(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", style),
    )
    return "<!DOCTYPE html>\n" + el("html", el("head", head), el("body", body, *script), lang="en") + "\n"


def _section(section: Section) -> Html:
    heading = f"{section.id}-heading"
    return el(
        "section",
        el("h2", section.title, id=heading),
        el("p", section.see, class_="see"),
        *section.body,
        id=section.id,
        aria_labelledby=heading,
    )
