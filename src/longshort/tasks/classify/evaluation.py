"""How well classes are told: accuracy, macro F1, log-loss and calibration, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from longshort.scores import HIGHEST, Metric, Overall, Scores
from longshort.wording import percent

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Bins of the calibration error, equally wide (Guo et al. 2017, equation 3).
BINS = 15
# A difference that chance makes more rarely than this is clear.
CLEAR = 0.05


def _percents(found: Sequence[float | None]) -> list[str]:
    return [percent(v, 1) for v in found]


def _thousandths(found: Sequence[float | None]) -> list[str]:
    return ["–" if v is None else f"{v:.3f}" for v in found]


@dataclass(frozen=True)
class ClassifyScores(Scores):
    """Scores of several models over the same examples.

    Attributes:
        kind: "texts" or "numbers".
        examples: how many there are.
        classes: labels.
        confusion: of our model, true class (row) by told class (column), counts.
        reliability: model -> for each of 15 equally wide bins of the confidence the number of examples, their mean
            confidence and the share of them that is right; the latter two None where there are none.
        rival: the baseline with the best accuracy.
        only_ours, only_rival: examples that only one of the two has right.
        p_value: of McNemar's exact test that both are as good.
    """

    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": Metric(
            "Share of the examples whose most likely class is the right one. High is good.",
            aim=HIGHEST,
            show=_percents,
        ),
        "macro F1": Metric(
            "Harmonic mean of precision and recall of each class, averaged over the classes: rare classes count as "
            "much as frequent ones. High is good.",
            aim=HIGHEST,
            show=_thousandths,
        ),
        "log-loss": Metric(
            "Mean negative logarithm of the probability that the right class was given, in nats: being sure and wrong "
            "costs most. Low is good.",
            show=_thousandths,
        ),
        "calibration error": Metric(
            "By how much the probability of the most likely class misses the share that is right, over 15 bins of "
            "equal width (ECE, Guo et al. 2017). 0 is good.",
            show=_percents,
        ),
    }

    kind: str
    examples: int
    classes: list[str]
    confusion: list[list[int]]
    reliability: dict[str, list[list[Any]]]
    rival: str
    only_ours: int
    only_rival: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        names = ("kind", "examples", "classes", "confusion", "reliability", "rival")
        more = {name: getattr(self, name) for name in (*names, "only_ours", "only_rival", "p_value")}
        return {**super().to_json(), **more}


def score(found: Mapping[str, FloatArray], targets: IntArray, *, kind: str, classes: Sequence[str]) -> ClassifyScores:
    """Scores from the probability of every class.

    Args:
        found: model -> probabilities, (N, K), ours first.
        targets: the right classes, (N,).
        kind: "texts" or "numbers".
        classes: labels, K of them.
    """
    from scipy.stats import binomtest
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

    everything = list(range(len(classes)))
    overall: Overall = {}
    for model, p in found.items():
        told = p.argmax(1)
        overall[model] = {
            "accuracy": float(accuracy_score(targets, told)),
            "macro F1": float(f1_score(targets, told, average="macro", zero_division=0)),
            # A class that was never seen has probability 0 with some baselines, whose loss would have no end.
            "log-loss": float(log_loss(targets, _above_zero(p), labels=everything)),
            "calibration error": calibration_error(p, targets),
        }
    ours, *rivals = found
    rival = max(rivals, key=lambda model: (overall[model]["accuracy"], -(overall[model]["log-loss"] or 0.0)))
    right = {model: found[model].argmax(1) == targets for model in (ours, rival)}
    only_ours, only_rival = int((right[ours] & ~right[rival]).sum()), int((right[rival] & ~right[ours]).sum())
    apart = only_ours + only_rival
    p_value = float(binomtest(only_ours, apart, 0.5).pvalue) if apart else 1.0
    return ClassifyScores(
        overall=overall,
        verdict=_verdict(overall, ours, rival, p_value, len(targets), kind),
        kind=kind,
        examples=len(targets),
        classes=list(classes),
        confusion=confusion_matrix(targets, found[ours].argmax(1), labels=everything).tolist(),
        reliability={model: reliability(p, targets) for model, p in found.items()},
        rival=rival,
        only_ours=only_ours,
        only_rival=only_rival,
        p_value=p_value,
    )


def reliability(p: FloatArray, targets: IntArray) -> list[list[Any]]:
    """For each bin of the confidence the number of examples, their mean confidence, and the share that is right."""
    confidence, right = p.max(1), p.argmax(1) == targets
    # Bins are open below and closed above, as in equation 2 of Guo et al. 2017.
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    rows: list[list[Any]] = []
    for k in range(BINS):
        here = bins == k
        count = int(here.sum())
        rows.append([count, *([float(confidence[here].mean()), float(right[here].mean())] if count else [None, None])])
    return rows


def calibration_error(p: FloatArray, targets: IntArray) -> float:
    """Expected calibration error over 15 bins of equal width, 0 to 1, of probabilities (N, K)."""
    rows = [row for row in reliability(p, targets) if row[0]]
    return float(sum(count * abs(confidence - right) for count, confidence, right in rows) / len(targets))


def _above_zero(p: FloatArray) -> FloatArray:
    p = np.maximum(p, 1e-12)
    result: FloatArray = p / p.sum(1, keepdims=True)
    return result


def _verdict(overall: Overall, ours: str, rival: str, p_value: float, count: int, kind: str) -> str:
    mine, its = (overall[model]["accuracy"] or 0.0 for model in (ours, rival))
    what = "text" if kind == "texts" else "sequence"
    basis = f"of {count:,} held-out {what}s" if count != 1 else f"of 1 held-out {what}"
    sure = "a clear difference" if p_value < CLEAR else "within what chance does"
    test = f"{sure} (McNemar’s exact test, p = {p_value:.2g})"
    if mine == its:
        return f"{ours} and {rival} are right on the same share {basis}: {percent(mine, 1)}."
    if mine > its:
        start = f"{ours} is right on {percent(mine, 1)} {basis}, the best baseline, {rival}, on {percent(its, 1)}"
    else:
        start = f"{rival} wins: it is right on {percent(its, 1)} {basis}, {ours} on {percent(mine, 1)}"
    return f"{start}: {test}."
