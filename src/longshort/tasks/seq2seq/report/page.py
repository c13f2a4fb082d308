"""The whole page: which sections there are, in which order, below which headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, RIVALS, Section, comparison, page, training_section

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.estimator import Seq2Seq


def render(model: Seq2Seq) -> str:
    """The report of a fitted model: a whole HTML document that opens offline."""
    fitted, plan = model.fitted, model.fitted.plan
    headline, sections = "Nothing was held out to test it on.", []
    if fitted.scores:
        headline = fitted.scores.verdict
        lines = {name: OURS if k == 0 else RIVALS[k - 1] for k, name in enumerate(fitted.scores.overall)}
        caption = f"Over {fitted.scores.examples:,} held-out examples"
        sections.append(Section("Against the baselines", "How.", [comparison(fitted.scores, lines, caption)]))
    sections.append(training_section(fitted.checks, "the loss", "those weights are kept"))
    return page(title="longshort", kind=model.task, headline=headline, lead=[plan.describe()], sections=sections)
