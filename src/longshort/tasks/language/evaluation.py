"""How well a text is foretold: perplexity and bits per character, beside a count-based model and a compressor."""

from __future__ import annotations

import lzma
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from longshort.scores import Metric, Overall, Scores
from longshort.wording import number

# What one token is called.
ONE = {"characters": "character", "bytes": "byte", "words": "word", "subwords": "subword"}
COMPRESSOR = "xz"


def _hundredths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:,.2f}" for v in found]


def _thousandths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:.3f}" for v in found]


@dataclass(frozen=True)
class LanguageScores(Scores):
    """Scores of several models over one text.

    Attributes:
        tokens: how many tokens were foretold.
        characters: how many characters they stand for.
        kind: what a token is.
        unknown: how many of them are not in the vocabulary.
    """

    metrics: ClassVar[Mapping[str, Metric]] = {
        "perplexity": Metric(
            "Between how many equally likely tokens the model is torn on average: the exponential of the mean negative "
            "log-likelihood of a token. Low is good.",
            show=_hundredths,
        ),
        "nats": Metric("Mean negative log-likelihood of a token, natural logarithm. Low is good.", show=_thousandths),
        "bits per character": Metric(
            "Negative log-likelihood over the number of characters, to base 2: as many bits an ideal compressor would "
            "need with this model. Low is good.",
            show=_thousandths,
        ),
    }

    tokens: int
    characters: int
    kind: str
    unknown: int

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        more = {"tokens": self.tokens, "characters": self.characters, "kind": self.kind, "unknown": self.unknown}
        return {**super().to_json(), **more}


def score(
    found: Mapping[str, NDArray[np.float64]],
    *,
    kind: str,
    characters: int,
    unknown: int,
    compressed: float | None,
    adapted: Mapping[str, str] | None = None,
) -> LanguageScores:
    """Scores from the log-probability of every token.

    Args:
        found: model -> natural log-probabilities, (N,), ours first.
        kind: what a token is.
        characters: how many characters the tokens stand for.
        unknown: how many tokens are the unknown one. Where there are any, bits per character are left out: the
            unknown token stands for many texts, and no model says which.
        compressed: bits per character of a compressor, or None.
        adapted: which of the models are ours too, as it learnt on from the text, and with what settings.
    """
    overall: Overall = {}
    for model, logs in found.items():
        nats = -float(logs.mean())
        bits = None if unknown or not characters else -float(logs.sum()) / math.log(2) / characters
        overall[model] = {"perplexity": math.exp(min(nats, 700.0)), "nats": nats, "bits per character": bits}
    if compressed is not None and not unknown:
        overall[COMPRESSOR] = {"perplexity": None, "nats": None, "bits per character": compressed}
    tokens = len(next(iter(found.values())))
    return LanguageScores(overall, _verdict(overall, kind, tokens, adapted or {}), tokens, characters, kind, unknown)


def _verdict(overall: Overall, kind: str, tokens: int, adapted: Mapping[str, str]) -> str:
    frozen = {model: row for model, row in overall.items() if model not in adapted}
    verdict, by_bits = _comparison(frozen, kind, tokens)
    metric = "bits per character" if by_bits else "perplexity"
    for model, chosen in adapted.items():
        value = overall[model][metric] or 0.0
        shown = f"{value:.3f}" if by_bits else number(value)
        verdict += f" {model} {shown} (chosen on the validation part: {chosen})."
    return verdict


def _comparison(overall: Overall, kind: str, tokens: int) -> tuple[str, bool]:
    """A sentence on our model and the others, and whether it is in bits per character."""
    ours = next(iter(overall))
    by_bits = kind != "words" and overall[ours]["bits per character"] is not None
    metric = "bits per character" if by_bits else "perplexity"
    value = {model: row[metric] for model, row in overall.items() if row[metric] is not None}
    basis = f"over {tokens:,} {kind} held out"
    shown = {model: f"{v:.3f}" if by_bits else number(v) for model, v in value.items()}
    rivals = {model: v for model, v in value.items() if model != ours}
    if not rivals:
        return f"{ours} has {shown[ours]} {metric} {basis}.", by_bits
    best = min(rivals, key=lambda model: rivals[model] or 0.0)
    if (value[ours] or 0.0) < (rivals[best] or 0.0):
        unit = f"{metric} {shown[ours]}" if not by_bits else f"{shown[ours]} {metric}"
        better = f"{ours} foretells the text better than every baseline: {unit}, next {best} {shown[best]} ({basis})."
        return better, by_bits
    return f"{best} wins: {shown[best]} {metric}, {ours} {shown[ours]} ({basis}).", by_bits


def compressed_bits(before: str, text: str) -> float:
    """Bits per character that xz (LZMA at its best preset) needs for a text behind another one."""
    options = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]

    def size(content: str) -> int:
        return len(lzma.compress(content.encode(), format=lzma.FORMAT_RAW, filters=options))

    return 8 * (size(before + text) - size(before)) / max(len(text), 1)
