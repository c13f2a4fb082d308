"""Quality of written texts, by the libraries whose figures others can compare with: sacrebleu and rouge-score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from longshort.errors import InputError

References = Sequence[Sequence[str]]


def check_libraries() -> None:
    """Raise InputError where a library is missing."""
    from importlib.util import find_spec

    for module in ("sacrebleu", "rouge_score", "tokenizers"):
        if find_spec(module) is None:
            raise InputError(
                f"translation, summaries and chat need the package {module}: pip install 'longshort[seq2seq]'"
            )


def bleu(answers: Sequence[str], references: References) -> tuple[float, str]:
    """Corpus BLEU with sacrebleu's defaults (Post 2018), 0 to 100, and its signature."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(list(answers), _streams(references)).score
    return float(score), str(metric.get_signature())


def chrf(answers: Sequence[str], references: References) -> tuple[float, str]:
    """Corpus chrF2 (Popović 2015), 0 to 100, and its signature."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    score = metric.corpus_score(list(answers), _streams(references)).score
    return float(score), str(metric.get_signature())


def sentence_chrf(answers: Sequence[str], references: References) -> list[float]:
    """chrF2 of every answer, 0 to 100."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    return [
        float(metric.sentence_score(answer, list(several)).score)
        for answer, several in zip(answers, references, strict=True)
    ]


def _streams(references: References) -> list[list[str | None]]:
    """References as sacrebleu wants them: the first of all, the second of all, …, None where there is none."""
    most = max(map(len, references), default=1)
    return [[several[k] if k < len(several) else None for several in references] for k in range(most)]


ROUGE = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}


def rouge(answers: Sequence[str], references: References) -> tuple[list[dict[str, float]], str]:
    """F1 of ROUGE-1, 2 and L of every answer, 0 to 100, the best of its references; and how it was computed."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer: Any = RougeScorer(list(ROUGE.values()), use_stemmer=True)
    rows = []
    for answer, several in zip(answers, references, strict=True):
        found = scorer.score_multi(list(several), answer)
        rows.append({name: 100 * float(found[key].fmeasure) for name, key in ROUGE.items()})
    return rows, f"rouge-score {version('rouge-score')}, F1, Porter's stems, the best of several references"


def distinct(answers: Sequence[str], n: int) -> float:
    """Share of different n-grams of words among all of them (Li et al. 2016): low where answers are all alike."""
    grams: Counter[tuple[str, ...]] = Counter()
    for answer in answers:
        words = answer.lower().split()
        grams.update(zip(*(words[k:] for k in range(n)), strict=False))
    return len(grams) / max(1, sum(grams.values()))
