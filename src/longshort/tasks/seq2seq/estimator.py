"""What the three tasks share: the life cycle of an encoder-decoder, its answers, its attention, its run directory."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.errors import InputError
from longshort.estimator import Checks, Estimator
from longshort.exportable import Exportable
from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.answering import KINDS, Answering, Kind
from longshort.tasks.seq2seq.beam import Hypothesis
from longshort.tasks.seq2seq.config import Defaults, Plan, Seq2SeqConfig
from longshort.tasks.seq2seq.decoding import Decoding
from longshort.tasks.seq2seq.evaluation import Seq2SeqScores
from longshort.tasks.seq2seq.examples import Examples, read_parts, write_parts
from longshort.tasks.seq2seq.likelihood import log_likelihoods
from longshort.tasks.seq2seq.material import Material
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.problem import Encoded
from longshort.tasks.seq2seq.stepper import Stepper
from longshort.tasks.seq2seq.vocabulary import Vocabulary
from longshort.training import Hardware, Progress

VOCABULARIES, ANSWERS = ("tokenizer.json", "tokenizer-targets.json"), "answers.parquet"


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        network: in evaluation.
        sources, targets: vocabularies; one and the same if they are shared.
        plan: sizes and length of training.
        parts: examples of "training", "validation" and "test".
        more: what else the task keeps.
        checks: of the one training its looks at the validation split.
        answers: model -> its answers to the test part; {} where there is none.
        scores: of the test part, or None.
    """

    network: Seq2SeqNetwork
    sources: Vocabulary
    targets: Vocabulary
    plan: Plan
    parts: dict[str, Examples]
    more: dict[str, Any]
    checks: Checks
    answers: dict[str, list[str]]
    scores: Any = None

    @property
    def networks(self) -> tuple[Seq2SeqNetwork, ...]:
        """The one network."""
        return (self.network,)

    @property
    def held_out(self) -> Examples:
        """The test part, or the validation part where there is no test."""
        return self.parts["test"] if len(self.parts["test"]) else self.parts["validation"]


class Seq2Seq(Estimator[Seq2SeqConfig, Material, Fitted]):
    """An LSTM that reads one sequence and writes another: the base of `Translator`, `Summarizer` and `Chatbot`.

    Attributes:
        defaults: what the task takes where the settings say nothing.
        metric: by which models are compared first of all.
    """

    settings_type = Seq2SeqConfig
    scores_type = Seq2SeqScores
    half = True
    defaults: ClassVar[Defaults]
    metric: ClassVar[str]

    @property
    def kind(self) -> Kind:
        """How the task differs from the others."""
        return KINDS[self.task]

    @property
    def columns(self) -> tuple[str, str]:
        """What an answer's source and the answer are called in tables."""
        return self.kind.columns

    @property
    def from_end(self) -> bool:
        """Whether of a source that is too long the end is read."""
        return self.kind.from_end

    @property
    def name(self) -> str:
        """How the model is called in tables."""
        return "LSTM without attention" if self.config.attention == "none" else "LSTM with attention"

    def decoding(self, **settings: Any) -> Decoding:
        """How answers are found: as the model's settings say, and changed by `settings`, fields of `Decoding`."""
        return self._answering.decoding(**settings)

    def evaluate(self, data: Any = None, **decoding: Any) -> Any:
        """Score beside the baselines: on new data as `fit` takes it, or what `fit` held out if None.

        Args:
            data: sources with their targets.
            decoding: fields of `Decoding`.

        Raises:
            InputError: the data cannot be read, or nothing was held out and none is given.
        """
        if data is None and not decoding:
            if self.fitted.scores is None:
                raise InputError("no test part was held out: give data that the model has not learnt from")
            return self.fitted.scores
        examples = self.fitted.parts["test"] if data is None else self._examples(data)
        return self._score(examples, self._all_answers(examples, decoding))

    def predict(self, data: Any = None, *, alignments: bool = False, **decoding: Any) -> pl.DataFrame:
        """Answers to new sources.

        Args:
            data: what is to be answered; None for the sources that `fit` held out.
            alignments: whether to tell where the network looked: a column `alignment` with, for each word of the
                answer, the word of the source that was looked at most ("0-0 1-2"), and where it may copy a column
                `copied`: the answer with the copied words in brackets.
            decoding: fields of `Decoding`, such as `beam=10`, `n_best=3`, `method="sample"`, `forbidden=("car",)`.

        Returns:
            A row for each answer: the source, the answer, its `score` (natural log-probability, divided by the length
            to the power `length_penalty`), and with several answers to a source their `rank`.
        """
        settings = self.decoding(**decoding)
        if alignments:
            self._need_attention()
        sources = self.fitted.held_out.sources if data is None else self._sources(data)
        found = self._found(sources, settings)
        columns = self._answering.table(sources, found, self.shown, self.aligned if alignments else None)
        types = {"rank": pl.Int64, "score": pl.Float64}
        table = pl.DataFrame(columns, schema={name: types.get(name, pl.String) for name in columns})
        return table if settings.n_best > 1 else table.drop("rank")

    def align(self, source: Any, answer: str | None = None) -> Alignment:
        """Where the network looked in a source while it wrote an answer, by default its own.

        Raises:
            InputError: the network has no attention.
        """
        self._need_attention()
        (asked,) = self._sources([source])
        return self.aligned(asked, self.answer([asked])[0] if answer is None else answer)

    def _need_attention(self) -> None:
        if self.config.attention == "none":
            raise InputError("this network has no attention to show: fit one with attention")

    def exportable(self) -> Exportable:
        """The encoder, the decoder's step and the vocabularies, for `longshort export`."""
        from longshort.tasks.seq2seq.exporting import exportable

        return exportable(self)

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": material.data}

    def _untrained(self, material: Material) -> Sequence[Seq2SeqNetwork]:
        from longshort.tasks.seq2seq.training import make_network

        return [make_network(self.config, material.plan)]

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        from longshort.tasks.seq2seq.training import train_network

        for note in (*material.notes, material.plan.describe()):
            progress.note(note)
        training, validation = material.encoded["training"], material.encoded["validation"]
        network, checks = train_network(
            training, validation, self.config, material.plan, checkpoints, hardware, progress
        )
        return Fitted(
            network=network,
            sources=material.sources,
            targets=material.targets,
            plan=material.plan,
            parts=material.parts,
            more=material.more,
            checks=[checks],
            answers={},
        )

    def _test(self, material: Material, progress: Progress) -> None:
        test = material.parts["test"]
        if not len(test):
            return
        progress.note(f"answering {len(test):,} held-out examples, beside the baselines")
        found = self._all_answers(test, {})
        self._fitted = replace(self.fitted, answers=found, scores=self._score(test, found))

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        run.write_tensors("model.safetensors", {k: v.numpy() for k, v in fitted.network.state_dict().items()})
        run.write_json("model.json", {"plan": fitted.plan.to_dict(), "more": fitted.more})
        run.write_json(VOCABULARIES[0], fitted.sources.to_json())
        if not self.config.shared:
            run.write_json(VOCABULARIES[1], fitted.targets.to_json())
        write_parts(run, fitted.parts)
        if fitted.answers:
            run.write_table(ANSWERS, pl.DataFrame(fitted.answers))

    def _restore(self, run: RunDirectory, checks: Checks, scores: Any) -> Fitted:
        from longshort.tasks.seq2seq.training import make_network

        described = run.read_json("model.json")
        plan = Plan.from_dict(described["plan"])
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            network = make_network(self.config, plan).eval()
        weights = {name: torch.from_numpy(value) for name, value in run.read_tensors("model.safetensors").items()}
        network.load_state_dict(weights)
        sources = Vocabulary.from_json(run.read_json(VOCABULARIES[0]))
        return Fitted(
            network=network,
            sources=sources,
            targets=sources if self.config.shared else Vocabulary.from_json(run.read_json(VOCABULARIES[1])),
            plan=plan,
            parts=read_parts(run),
            more=described["more"],
            checks=checks,
            answers=run.read_table(ANSWERS).to_dict(as_series=False) if run.has(ANSWERS) else {},
            scores=scores,
        )

    def _report(self) -> str:
        from longshort.tasks.seq2seq.report import render

        return render(self)

    # -- answers -------------------------------------------------------------------------------------------------------

    def _all_answers(self, examples: Examples, decoding: dict[str, Any]) -> dict[str, list[str]]:
        """Of our model and of every baseline the answers to examples."""
        found = self._found(examples.sources, self.decoding(**{**decoding, "n_best": 1}))
        said = [self._answering.said(best) for best, *_ in found]
        return {self.name: said, **self._rivals(examples.sources)}

    @property
    def _answering(self) -> Answering:
        fitted = self.fitted
        return Answering(self.kind, self.config, fitted.plan, fitted.sources, fitted.targets)

    def _begin(self, sources: Sequence[NDArray[np.integer]], width: int) -> Stepper:
        return Stepper(self.fitted.network, sources, width)

    def _found(self, sources: Sequence[str], settings: Decoding) -> list[list[Hypothesis]]:
        rounds = Hardware(precision="auto").resolved(self.half).precision == "bf16-mixed"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=rounds):
            return self._answering.found(self._begin, sources, settings)

    def _perplexity(self, sources: Sequence[str], targets: Sequence[str]) -> float:
        """Exponential of the mean negative log-likelihood of a target token, the end included."""
        fitted = self.fitted
        written = [row[: fitted.plan.max_target] for row in fitted.targets.encode(targets)]
        pairs = Encoded(self._answering.tokens(sources), written, fitted.targets.begin, fitted.targets.end)
        logs = log_likelihoods(fitted.network, pairs)
        return math.exp(min(-logs.sum() / sum(len(row) + 1 for row in written), 700.0))

    def shown(self, source: str) -> str:
        """A source, as examples have it, as people read it."""
        return source

    def answer(self, sources: Sequence[str]) -> list[str]:
        """The best answer to each source, as examples have it."""
        return [self._answering.said(best) for best, *_ in self._found(sources, self.decoding())]

    def aligned(self, source: str, answer: str) -> Alignment:
        """`align` of a source as examples have it."""
        return self._answering.align(self._begin, source, answer)

    # -- what a task fills in ------------------------------------------------------------------------------------------

    @abstractmethod
    def _examples(self, data: Any) -> Examples:
        """New sources with their targets."""

    @abstractmethod
    def _sources(self, data: Any) -> Sequence[str]:
        """New sources alone, as examples have them."""

    @abstractmethod
    def _rivals(self, sources: Sequence[str]) -> dict[str, list[str]]:
        """Every baseline's answers."""

    @abstractmethod
    def _score(self, examples: Examples, found: dict[str, list[str]]) -> Any:
        """Scores of the answers of all models, ours first."""

    @abstractmethod
    def quality(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """How good each answer is by itself, 0 to 100."""
