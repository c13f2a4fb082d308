"""What stands between texts and a decoder, whoever computes it: tokens in, rules and limits, texts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.tasks.seq2seq.alignment import Alignment, align
from longshort.tasks.seq2seq.beam import Hypothesis
from longshort.tasks.seq2seq.config import Plan, Seq2SeqConfig
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.decoding import Decoding, answers
from longshort.tasks.seq2seq.steps import Begin
from longshort.tasks.seq2seq.vocabulary import Vocabulary

IntArray = NDArray[np.int32]

# What is empty has an empty answer.
NOTHING = Hypothesis(np.zeros(0, dtype=np.int64), 0.0, 0.0)


@dataclass(frozen=True)
class Kind:
    """How one task differs from the others.

    Attributes:
        columns: what a source and its answer are called in tables.
        from_end: whether of a source that is too long the end is read.
        in_proportion: whether an answer has at most twice as many tokens as its source, and ten more.
    """

    columns: tuple[str, str]
    from_end: bool = False
    in_proportion: bool = False


KINDS = {
    "translate": Kind(("source", "translation"), in_proportion=True),
    "summarize": Kind(("document", "summary")),
    "chat": Kind(("context", "reply"), from_end=True),
}


@dataclass(frozen=True)
class Answering:
    """A task with what a run has learnt, but for the network."""

    kind: Kind
    config: Seq2SeqConfig
    plan: Plan
    sources: Vocabulary
    targets: Vocabulary

    def decoding(self, **settings: Any) -> Decoding:
        """How answers are found: as the model's settings say, and changed by `settings`, fields of `Decoding`."""
        known = {
            "length_penalty": self.config.length_penalty,
            "no_repeat": self.plan.no_repeat,
            "max_length": self.plan.max_target,
        }
        beam = max(self.config.beam, settings.get("n_best", 1) if settings.get("method") != "sample" else 1)
        return Decoding.from_dict({"beam": beam, **known, **settings})

    def tokens(self, sources: Sequence[str]) -> list[IntArray]:
        """What is read of sources."""
        return cut_to(self.sources.encode(sources), self.plan.max_source, self.kind.from_end)

    def found(self, begin: Begin, sources: Sequence[str], settings: Decoding) -> list[list[Hypothesis]]:
        """The best answers to each source, the best first."""
        tokens, vocabulary = self.tokens(sources), self.targets
        limits = [min(settings.max_length, self._limit(len(row))) for row in tokens]
        special = tuple(range(vocabulary.end + 1, len(vocabulary)))
        constraints = Constraints(
            end=vocabulary.end,
            never=(vocabulary.begin, *special),
            forbidden=tuple(tuple(row.tolist()) for row in vocabulary.encode(settings.forbidden)),
            forced=tuple(tuple(row.tolist()) for row in vocabulary.encode(settings.forced)),
            min_length=settings.min_length,
            no_repeat=settings.no_repeat,
        )
        found = answers(begin, tokens, settings, constraints, limits)
        return [row if source else [NOTHING] for source, row in zip(sources, found, strict=True)]

    def said(self, hypothesis: Hypothesis) -> str:
        """An answer as a text."""
        return self.targets.decode(hypothesis.tokens)

    def align(self, begin: Begin, source: str, answer: str) -> Alignment:
        """Where the network looks in a source while it writes an answer."""
        (read,), (written,) = self.tokens([source]), self.targets.encode([answer])
        return align(begin, self.sources, self.targets, read, written)

    def table(
        self,
        sources: Sequence[str],
        found: Sequence[Sequence[Hypothesis]],
        shown: Callable[[str], str],
        aligned: Callable[[str, str], Alignment] | None,
    ) -> dict[str, list[Any]]:
        """The columns of a table of answers, a row for each.

        Args:
            sources: as examples have them.
            found: of each its answers.
            shown: a source as people read it.
            aligned: where the network looked, of a source and its answer; None to leave that out.
        """
        rows = [
            (source, self.said(one), rank, one.score)
            for source, several in zip(sources, found, strict=True)
            for rank, one in enumerate(several, 1)
        ]
        names = (*self.kind.columns, "rank", "score")
        table: dict[str, list[Any]] = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        table[names[0]] = [shown(source) for source, *_ in rows]
        if aligned is not None:
            looked = [aligned(source, answer) if answer else None for source, answer, *_ in rows]
            table["alignment"] = [one.words() if one else "" for one in looked]
            if self.plan.copy:
                table["copied"] = [one.bracketed() if one else "" for one in looked]
        return table

    def _limit(self, length: int) -> int:
        """Tokens of an answer at most, for a source of so many."""
        return min(self.plan.max_target, 2 * length + 10) if self.kind.in_proportion else self.plan.max_target


def cut_to(tokens: list[IntArray], most: int, from_end: bool) -> list[IntArray]:
    """What is read of sources: at most so many tokens of each, and a line's worth of nothing where there is none."""
    nothing = np.zeros(1, dtype=np.int32)
    return [(row[-most:] if from_end else row[:most]) if len(row) else nothing for row in tokens]
