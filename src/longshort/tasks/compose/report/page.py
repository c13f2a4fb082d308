"""The whole page: which sections there are, in which order, below which headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, RIVALS, TRUTH, Section, comparison, page, training_section
from longshort.tasks.compose.evaluation import HELD_OUT, ComposeScores
from longshort.tasks.compose.report.again import again_section
from longshort.tasks.compose.report.counts import counts_section
from longshort.tasks.compose.report.novelty import novelty_section
from longshort.tasks.compose.report.tunes import tunes_section

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer


def render(model: Composer) -> str:
    """The report of a fitted composer: a whole HTML document that opens offline."""
    fitted, plan = model.fitted, model.fitted.plan
    headline = f"{model.name} learnt what comes next in a tune; nothing was held out to test it on."
    sections = []
    if fitted.scores:
        headline = fitted.scores.verdict
        sections.append(_comparison_section(fitted.scores))
    sections.append(tunes_section(model))
    if fitted.scores:
        sections += [counts_section(model), novelty_section(model, fitted.scores)]
    loss = f"the mean negative log-likelihood of a {plan.step}, in nats"
    sections += [training_section(fitted.checks, loss, "those weights are kept"), again_section(model)]
    what = "MIDI files, as tokens" if plan.kind == "tokens" else "Piano rolls"
    return page(
        title="Composer by longshort",
        kind=f"Composer · {what}",
        headline=headline,
        lead=[f"{plan.training:,} tunes were learnt from, {plan.test:,} were kept for the test."],
        sections=sections,
    )


def _comparison_section(scores: ComposeScores) -> Section:
    ours, chain = list(scores.overall)[:2]
    lines = {ours: OURS, chain: RIVALS[0], HELD_OUT: TRUTH}
    see = (
        f"How well each model foretells {scores.tunes:,} tunes that it did not learn from; and how much like the tunes "
        f"that were learnt from, and how new, are {scores.written:,} tunes that each of them wrote. Held-out tunes "
        "show how much of that is natural."
    )
    return Section("Against the baseline", see, [comparison(scores, lines, "Over the held-out and the written tunes")])
