"""The whole page: which sections there are, in which order, below which headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, RIVALS, Section, comparison, page, training_section
from longshort.tasks.language.evaluation import ONE, LanguageScores
from longshort.tasks.language.report.again import again_section
from longshort.tasks.language.report.inside import inside_section
from longshort.tasks.language.report.passage import Passage
from longshort.tasks.language.report.samples import samples_section
from longshort.tasks.language.report.surprise import surprise_section
from longshort.tasks.language.report.units import units_section

if TYPE_CHECKING:
    from longshort.tasks.language.estimator import LanguageModel


def render(model: LanguageModel) -> str:
    """The report of a fitted language model: a whole HTML document that opens offline."""
    fitted, kind = model.fitted, model.fitted.tokenizer.kind
    headline = f"{model.name} learnt to foretell the next {ONE[kind]}; nothing was held out to test it on."
    sections = []
    if fitted.scores:
        headline = fitted.scores.verdict
        sections.append(_comparison_section(fitted.scores))
    passage = Passage.of(model)
    loss = "the mean negative log-likelihood of a token, in nats"
    sections += [
        samples_section(model),
        surprise_section(passage, kind),
        units_section(passage),
        inside_section(passage, kind, model.config.cell, model.config.num_layers),
        training_section(fitted.checks, loss, "those weights are kept"),
        again_section(model),
    ]
    return page(
        title="Language model by longshort",
        kind=f"Language model · {kind}",
        headline=headline,
        lead=[f"{fitted.plan.training:,} {kind} were learnt from, {fitted.plan.test:,} were kept for the test."],
        sections=sections,
    )


def _comparison_section(scores: LanguageScores) -> Section:
    names = list(scores.overall)
    lines = {name: OURS if k == 0 else RIVALS[k - 1] for k, name in enumerate(names)}
    what = f"{scores.tokens:,} {scores.kind} that none of them learnt from"
    unknown = f", {scores.unknown:,} of them not in the vocabulary" if scores.unknown else ""
    return Section(
        "Against the baselines",
        f"How well each model foretells {what}{unknown}, every token given all that stands before it.",
        [comparison(scores, lines, f"Over {scores.tokens:,} held-out {scores.kind}")],
    )
