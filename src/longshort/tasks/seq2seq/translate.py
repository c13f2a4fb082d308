"""`Translator`: from sentences of one language to those of another, learnt from pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from longshort.data.pairs import Pairs, read_pairs
from longshort.data.sources import read_sources
from longshort.scores import HIGHEST, Metric
from longshort.tasks.seq2seq import metrics
from longshort.tasks.seq2seq.baselines import Retrieval, check_scikit_learn
from longshort.tasks.seq2seq.config import Defaults
from longshort.tasks.seq2seq.estimator import Seq2Seq
from longshort.tasks.seq2seq.evaluation import BLEU, PERPLEXITY, Seq2SeqScores, by_length, tenths, verdict
from longshort.tasks.seq2seq.examples import Examples
from longshort.tasks.seq2seq.material import Material, make_material

COPY, NEAREST = "Copy of the source", "Most similar source (TF-IDF)"
# A pair of which one side has more than so many times the characters of the other is no translation.
RATIO = 30


@dataclass(frozen=True)
class TranslateScores(Seq2SeqScores):
    """Scores of translations."""

    metrics: ClassVar[Mapping[str, Metric]] = {
        "BLEU": BLEU,
        "chrF": Metric(
            "chrF2 of sacrebleu: F-score of 1 to 6 characters in a row, recall counting twice, 0 to 100. It sees that "
            "a wrong ending is not a wrong word. High is good.",
            aim=HIGHEST,
            show=tenths,
        ),
        "perplexity": PERPLEXITY,
    }


class Translator(Seq2Seq):
    """Translations by an LSTM with attention, learnt from pairs of sentences.

    >>> model = Translator().fit(("train.de", "train.en"))   # doctest: +SKIP
    >>> model.predict(["Ein Hund läuft."])                   # doctest: +SKIP

    It learns from pairs as `longshort.data.read_pairs` takes them: two aligned files, or a table with two columns.
    Options of `fit`: `validation=` and `test=`, further pairs in place of a share of the first ones; `source=` and
    `target=`, columns of a table. Its settings are those of `Seq2SeqConfig`.
    """

    task = "translate"
    scores_type = TranslateScores
    metric = "BLEU"
    next_steps = {  # noqa: RUF012 - as the base class says
        "Translate": 'longshort predict {run} --text "…"',
        "Evaluate": "longshort evaluate {run} SOURCE TARGET",
    }
    defaults = Defaults(
        copy=False,
        embedding_size=256,
        hidden_size=512,
        max_source=128,
        max_target=128,
        word_dropout=0.1,
        input_dropout=0.3,
        hidden_dropout=0.3,
        output_dropout=0.3,
        batch_tokens=2_000,
        epochs=28,
        no_repeat=0,
    )

    def _read(self, data: Any, **options: Any) -> Material:
        return self._material(data, **options)

    def _material(
        self,
        data: Any,
        *,
        validation: Any = None,
        test: Any = None,
        source: str | None = None,
        target: str | None = None,
    ) -> Material:
        metrics.check_libraries()
        check_scikit_learn()
        columns, given, notes = [source, target], {}, list[str]()
        for part, where in {"training": data, "validation": validation, "test": test}.items():
            if where is not None:
                pairs = read_pairs(where, columns=columns, longest_ratio=RATIO if part == "training" else None)
                given[part] = _as_examples(pairs)
                notes += [note for note in pairs.notes if note not in notes]
        return make_material(given, notes, self.config, self.defaults, more={"columns": columns})

    def _examples(self, data: Any) -> Examples:
        return _as_examples(read_pairs(data, columns=self.fitted.more["columns"]))

    def _sources(self, data: Any) -> Sequence[str]:
        return read_sources(data, column=self.fitted.more["columns"][0])[0]

    def _rivals(self, sources: Sequence[str]) -> dict[str, list[str]]:
        training = self.fitted.parts["training"]
        return {NEAREST: Retrieval(training.sources, training.targets)(sources), COPY: list(sources)}

    def quality(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """chrF of each translation, 0 to 100."""
        return metrics.sentence_chrf(answers, references)

    def _score(self, examples: Examples, found: dict[str, list[str]]) -> TranslateScores:
        overall: dict[str, dict[str, float | None]] = {}
        signatures: dict[str, str] = {}
        for model, answers in found.items():
            bleu, signatures["BLEU"] = metrics.bleu(answers, examples.references)
            chrf, signatures["chrF"] = metrics.chrf(answers, examples.references)
            overall[model] = {"BLEU": bleu, "chrF": chrf, "perplexity": None}
        overall[self.name]["perplexity"] = self._perplexity(examples.sources, examples.targets)

        def measure(answers: Sequence[str], places: list[int]) -> float:
            return metrics.bleu([answers[k] for k in places], [examples.references[k] for k in places])[0]

        basis = f"on {len(examples):,} held-out sentences"
        return TranslateScores(
            overall=overall,
            verdict=verdict(overall, self.metric, basis),
            examples=len(examples),
            signatures=signatures,
            by_length=by_length(examples.sources, found, measure),
        )


def _as_examples(pairs: Pairs) -> Examples:
    return Examples(pairs.sources, pairs.references, tuple(range(len(pairs))))
