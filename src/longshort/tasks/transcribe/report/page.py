"""The whole page: which sections there are, in which order, below which headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.report import OURS, RIVALS, Section, Spec, comparison, page, training_section
from longshort.tasks.transcribe.evaluation import TranscribeScores
from longshort.tasks.transcribe.report.again import again_section
from longshort.tasks.transcribe.report.listen import listen_section
from longshort.tasks.transcribe.report.told import Told
from longshort.tasks.transcribe.report.wrong import confusions_section, wrong_section

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber


def render(model: Transcriber) -> str:
    """The report of a fitted transcriber: a whole HTML document that opens offline."""
    fitted, plan = model.fitted, model.fitted.plan
    headline = f"{model.name} learnt to transcribe; nothing was held out to test it on."
    told, sections = Told.of(model), []
    if fitted.scores:
        headline = fitted.scores.verdict
        sections = [_comparison_section(fitted.scores), confusions_section(told, fitted.scores)]
    loss = f"CTC’s, in nats for each of the transcripts’ {plan.unit}, in training over altered recordings"
    sections += [
        wrong_section(told),
        listen_section(model, told),
        training_section(fitted.checks, loss, "those weights are kept"),
        again_section(model),
    ]
    held = f"{plan.test:,} were kept for the test" if plan.test else "none was kept for a test"
    kind = "Transcriber · live" if plan.live else "Transcriber · recordings"
    lead = f"{plan.training:,} recordings, {plan.seconds / 60:,.1f} minutes, were learnt from, {held}."
    return page(title="Transcriber by longshort", kind=kind, headline=headline, lead=[lead], sections=sections)


def _comparison_section(scores: TranscribeScores) -> Section:
    lines: dict[str, Spec] = {name: OURS if k == 0 else RIVALS[k - 1] for k, name in enumerate(scores.overall)}
    see = (
        f"How many of the {scores.words:,} words in {scores.recordings:,} recordings are told wrong. Of our network’s "
        f"errors, {scores.substitutions:,} are words taken for others, {scores.deletions:,} were not heard, and "
        f"{scores.insertions:,} were never said."
    )
    caption = f"Over {scores.recordings:,} held-out recordings"
    return Section("Against the baselines", see, [comparison(scores, lines, caption)])
