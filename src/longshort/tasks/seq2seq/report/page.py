"""The whole page: which sections there are, in which order, below which headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, RIVALS, Section, comparison, el, page, training_section
from longshort.tasks.seq2seq.chat import ChatScores
from longshort.tasks.seq2seq.evaluation import Seq2SeqScores
from longshort.tasks.seq2seq.report.again import again_section
from longshort.tasks.seq2seq.report.answers import answers_section
from longshort.tasks.seq2seq.report.context import context_section
from longshort.tasks.seq2seq.report.copied import copied_section
from longshort.tasks.seq2seq.report.length import length_section
from longshort.tasks.seq2seq.report.looks import looks_section
from longshort.tasks.seq2seq.report.told import Told

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.estimator import Seq2Seq

# What each task is called, its metric of single answers, and what it reads and writes.
KINDS = {
    "translate": ("Translator", "chrF", "sentences"),
    "summarize": ("Summarizer", "ROUGE-1", "documents"),
    "chat": ("Chatbot", "chrF", "contexts"),
}


def render(model: Seq2Seq) -> str:
    """The report of a fitted model: a whole HTML document that opens offline."""
    fitted, plan = model.fitted, model.fitted.plan
    kind, measure, what = KINDS[model.task]
    headline, sections = f"{model.name} learnt from {plan.training:,} pairs; nothing was held out to test it on.", []
    if fitted.scores:
        headline = fitted.scores.verdict
        sections.append(_comparison_section(fitted.scores, what))
        if isinstance(fitted.scores, ChatScores):
            sections.append(context_section(fitted.scores))
        if len(fitted.scores.by_length) > 1:
            sections.append(length_section(fitted.scores, model.metric))
    told = Told.of(model)
    if model.config.attention != "none":
        sections.append(looks_section(told))
        if plan.copy:
            sections.append(copied_section(told))
    loss = "the mean negative log-likelihood of a target token, in nats, in training with smoothed labels"
    sections += [
        answers_section(told, measure),
        training_section(fitted.checks, loss, "those weights are kept"),
        again_section(model),
    ]
    held = f"{plan.test:,} were kept for the test" if plan.test else "none was kept for a test"
    return page(
        title=f"{kind} by longshort",
        kind=kind,
        headline=headline,
        lead=[f"{plan.training:,} pairs were learnt from, {held}."],
        sections=sections,
    )


def _comparison_section(scores: Seq2SeqScores, what: str) -> Section:
    lines = {name: OURS if k == 0 else RIVALS[k - 1] for k, name in enumerate(scores.overall)}
    shown = comparison(scores, lines, f"Over {scores.examples:,} held-out {what}")
    how = [f"{metric}: {signature}" for metric, signature in scores.signatures.items()]
    signed = el("p", "How it was computed: ", "; ".join(how), ".", class_="note")
    see = f"Every model answered the same {scores.examples:,} {what}, which none of them learnt from."
    return Section("Against the baselines", see, [shown, signed])
