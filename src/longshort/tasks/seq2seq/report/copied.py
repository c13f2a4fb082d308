"""What was copied from the source, and what the network said of itself."""

from __future__ import annotations

import numpy as np

from longshort.report import Html, Section, el, marked
from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.report.told import Told

# A token is said to be copied if more than this share of its probability came from copying.
MOSTLY = 0.5


def copied_section(told: Told) -> Section:
    """Answers with each token shaded by the share of its probability that came from copying."""
    body: list[Html] = []
    shares = []
    for k, alignment in told.alignments:
        shares.append(alignment.copied[:-1])
        body += [el("p", f"{told.quality[k]:.0f} of 100", class_="note"), _marked(alignment)]
    everything = np.concatenate(shares) if shares else np.zeros(0)
    share = float((everything > MOSTLY).mean()) if len(everything) else 0.0
    see = (
        "The deeper the colour of a token, the more of its probability came from copying it out of what was read. "
        f"In these answers {share:.0%} of the tokens are mostly copied."
    )
    return Section("What it copies", see, body)


def _marked(alignment: Alignment) -> Html:
    tokens = [token[1:] if token.startswith("·") else f" {token}" for token in alignment.answer[:-1]]
    hints = [f"{share:.0%} copied" for share in alignment.copied[:-1]]
    shades = [float(share) for share in alignment.copied[:-1]]
    return marked(tokens or [" "], shades or [0.0], hints or [""], label="Answer, shaded by what was copied")
