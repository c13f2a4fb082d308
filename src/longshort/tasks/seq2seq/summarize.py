"""`Summarizer`: from a document to a few words, some of them copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from longshort.data.pairs import Pairs, read_pairs
from longshort.data.sources import read_sources
from longshort.scores import HIGHEST, Metric
from longshort.tasks.seq2seq import metrics
from longshort.tasks.seq2seq.baselines import Retrieval, central_sentence, check_scikit_learn, first_words
from longshort.tasks.seq2seq.config import Defaults
from longshort.tasks.seq2seq.estimator import Seq2Seq
from longshort.tasks.seq2seq.evaluation import PERPLEXITY, Seq2SeqScores, by_length, tenths, verdict
from longshort.tasks.seq2seq.examples import Examples
from longshort.tasks.seq2seq.material import Material, make_material

FIRST, CENTRAL, NEAREST = "First words", "TextRank sentence", "Most similar document (TF-IDF)"


def _rouge(what: str) -> Metric:
    meaning = f"F1 of {what} that the summary shares with the nearest of its references, mean, 0 to 100. High is good."
    return Metric(meaning, aim=HIGHEST, show=tenths)


@dataclass(frozen=True)
class SummarizeScores(Seq2SeqScores):
    """Scores of summaries."""

    metrics: ClassVar[Mapping[str, Metric]] = {
        "ROUGE-1": _rouge("words"),
        "ROUGE-2": _rouge("pairs of words"),
        "ROUGE-L": _rouge("the longest row of words, with gaps,"),
        "perplexity": PERPLEXITY,
    }


class Summarizer(Seq2Seq):
    """Summaries by an LSTM with attention that may copy, learnt from documents and their summaries.

    >>> model = Summarizer().fit("mail.jsonl")               # doctest: +SKIP
    >>> model.predict(["Dear all, the meeting …"])           # doctest: +SKIP

    It learns from pairs as `longshort.data.read_pairs` takes them: a table with columns of documents and summaries,
    and perhaps one of several references, or two aligned files. Options of `fit`: `validation=` and `test=`, further
    pairs in place of a share of the first ones; `document=` and `summary=`, columns. Its settings are those of
    `Seq2SeqConfig`.
    """

    task = "summarize"
    scores_type = SummarizeScores
    metric = "ROUGE-1"
    next_steps = {  # noqa: RUF012 - as the base class says
        "Summarize": 'longshort predict {run} --text "…"',
        "Evaluate": "longshort evaluate {run} DATA",
    }
    defaults = Defaults(
        copy=True,
        embedding_size=256,
        hidden_size=512,
        max_source=300,
        max_target=32,
        word_dropout=0.1,
        input_dropout=0.3,
        hidden_dropout=0.3,
        output_dropout=0.3,
        batch_tokens=8_000,
        epochs=15,
        no_repeat=3,
    )

    def _read(self, data: Any, **options: Any) -> Material:
        return self._material(data, **options)

    def _material(
        self,
        data: Any,
        *,
        validation: Any = None,
        test: Any = None,
        document: str | None = None,
        summary: str | None = None,
    ) -> Material:
        metrics.check_libraries()
        check_scikit_learn()
        columns, given, notes = [document, summary], {}, list[str]()
        for part, where in {"training": data, "validation": validation, "test": test}.items():
            if where is not None:
                pairs = read_pairs(where, columns=columns)
                given[part] = _as_examples(pairs)
                notes += [note for note in pairs.notes if note not in notes]
        return make_material(given, notes, self.config, self.defaults, more={"columns": columns})

    def _examples(self, data: Any) -> Examples:
        return _as_examples(read_pairs(data, columns=self.fitted.more["columns"]))

    def _sources(self, data: Any) -> Sequence[str]:
        return read_sources(data, column=self.fitted.more["columns"][0])[0]

    def _rivals(self, sources: Sequence[str]) -> dict[str, list[str]]:
        training = self.fitted.parts["training"]
        usual = int(np.median([len(target.split()) for target in training.targets]))
        return {
            NEAREST: Retrieval(training.sources, training.targets)(sources),
            FIRST: first_words(sources, usual),
            CENTRAL: [central_sentence(source, 2 * usual) for source in sources],
        }

    def quality(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """ROUGE-1 of each summary, 0 to 100."""
        return [row["ROUGE-1"] for row in metrics.rouge(answers, references)[0]]

    def _score(self, examples: Examples, found: dict[str, list[str]]) -> SummarizeScores:
        overall: dict[str, dict[str, float | None]] = {}
        single, how = dict[str, list[float]](), ""
        for model, answers in found.items():
            rows, how = metrics.rouge(answers, examples.references)
            overall[model] = {name: float(np.mean([row[name] for row in rows])) for name in metrics.ROUGE}
            overall[model]["perplexity"] = None
            single[model] = [row["ROUGE-1"] for row in rows]
        overall[self.name]["perplexity"] = self._perplexity(examples.sources, examples.targets)

        def measure(values: Sequence[float], places: list[int]) -> float:
            return float(np.mean([values[k] for k in places]))

        return SummarizeScores(
            overall=overall,
            verdict=verdict(overall, self.metric, f"on {len(examples):,} held-out documents"),
            examples=len(examples),
            signatures={"ROUGE": how},
            by_length=by_length(examples.sources, single, measure),
        )


def _as_examples(pairs: Pairs) -> Examples:
    return Examples(pairs.sources, pairs.references, tuple(range(len(pairs))))
