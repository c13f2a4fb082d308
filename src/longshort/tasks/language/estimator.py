"""`LanguageModel`: from a text to the probability of every next token, and to texts of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.corpus import read_corpus
from longshort.data.tokens import Tokenizer
from longshort.errors import InputError
from longshort.estimator import Checks, Estimator
from longshort.explainable import Explainable, chosen
from longshort.exportable import Exportable
from longshort.sequence.network import LanguageNetwork
from longshort.sequence.sampling import Sampling
from longshort.sequence.writer import Writer
from longshort.settings import is_whole
from longshort.space import Ranges
from longshort.tasks.language import parts, scoring
from longshort.tasks.language.adaptation import choose_cache, choose_dynamic, gradient_roots
from longshort.tasks.language.baselines import Baselines
from longshort.tasks.language.config import LanguageConfig, Plan, ranges
from longshort.tasks.language.evaluation import LanguageScores, score
from longshort.tasks.language.generation import Text
from longshort.tasks.language.material import PARTS, Material, joined, read_material
from longshort.tasks.language.prompts import Prompts
from longshort.training import Hardware, Progress

IntArray = NDArray[np.int32]

# Tokens of the training part that a run keeps: what the baselines of a later evaluation count.
KEPT = 20_000_000
# What a report shows of the held-out text.
PASSAGE = 2_000
NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        network: in evaluation.
        tokenizer: its vocabulary.
        plan: sizes and length of training.
        training, validation, test: tokens of the parts, the last ones of a long training part; the test may be empty.
        order: of the model of counts.
        checks: of the one training its looks at the validation split.
        scores: of the test part, or None.
    """

    network: LanguageNetwork
    tokenizer: Tokenizer
    plan: Plan
    training: IntArray
    validation: IntArray
    test: IntArray
    order: int
    checks: Checks
    scores: LanguageScores | None = None

    @property
    def networks(self) -> tuple[LanguageNetwork, ...]:
        """The one there is, in evaluation."""
        return (self.network,)

    @cached_property
    def writer(self) -> Writer:
        """What draws texts from the network, in the precision in which training would be fastest here."""
        precision = Hardware(precision="auto").resolved(LanguageModel.half).precision
        return Writer(self.network, rounds=precision == "bf16-mixed")

    @property
    def passage(self) -> IntArray:
        """The first tokens that were held out, for the report."""
        return (self.test if len(self.test) else self.validation)[:PASSAGE]

    @property
    def before_passage(self) -> IntArray:
        """Tokens before the passage, at least one."""
        return self.training[-parts.OVERLAP :]


class LanguageModel(Estimator[LanguageConfig, Material, Fitted]):
    """The probability of every next token of a text, by an LSTM; and texts drawn from it.

    >>> model = LanguageModel().fit("novel.txt")             # doctest: +SKIP
    >>> model.generate("It was", temperature=0.8)            # doctest: +SKIP

    It learns from texts as `longshort.data.read_corpus` takes them: a text file, several, a folder, JSON Lines, or a
    `Corpus`. Options of `fit`: `validation=` and `test=`, further texts in place of the end of the first one; `field=`,
    the field of JSON Lines that holds the text. Its settings are those of `LanguageConfig`.
    """

    task = "language"
    settings_type = LanguageConfig
    scores_type = LanguageScores
    measures = ("tokens", "vocabulary_size", "validation", "test", "seed")
    half = True
    next_steps = {  # noqa: RUF012 - as the base class says
        "Write": "longshort generate {run} --temperature 0.8",
        "Score": "longshort score {run} TEXT",
    }

    @property
    def name(self) -> str:
        """How the model is called in tables: its cell."""
        return NAMES[self.config.cell]

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes tokens of texts."""
        return self.fitted.tokenizer

    def expect(self, token: int, state: Any = None) -> tuple[NDArray[np.float64], Any]:
        """The log-probability of every token after one and what the state holds, (V,), and the new state."""
        return scoring.expect(self.fitted.network, token, state)

    def evaluate(
        self, data: Any = None, *, field: str | None = None, cache: bool = False, dynamic: bool = False
    ) -> LanguageScores:
        """Perplexity beside the baselines'.

        With `cache` or `dynamic` there is a row more for the network that goes on learning from the text as it reads
        it; their settings are chosen on the validation part. Both read the text in one go, the second with a training
        step for every 20 tokens; see docs/language.md for what that costs.

        Args:
            data: texts as `fit` takes them; None gives the scores of the test part that `fit` held out.
            field: of JSON Lines, the field with the text.
            cache: also with a neural cache (Grave et al. 2017).
            dynamic: also with dynamic evaluation (Krause et al. 2018).

        Raises:
            InputError: a text cannot be read, or nothing was held out and no text is given.
        """
        fitted = self.fitted
        if data is None:
            if fitted.scores is None:
                raise InputError("no test part was held out: give a text that the model has not learnt from")
            if not cache and not dynamic:
                return fitted.scores
            ids, characters, context = fitted.test, fitted.scores.characters, fitted.before_passage
        else:
            text = joined(read_corpus(data, field=field))
            ids, characters, context = fitted.tokenizer.encode(text).ids, len(text), self.beginning
        baselines = Baselines.fit(fitted.tokenizer, fitted.training, order=fitted.order)
        return self._score(ids, characters, baselines, context, cache=cache, dynamic=dynamic)

    def score(self, text: str) -> pl.DataFrame:
        """The log-probability of every token of a text, given all that comes before it.

        Returns:
            Columns `token` (as it stands in the text), `log_probability` (natural), `begin` and `end` (characters).
            The perplexity of the text is exp of minus the mean of `log_probability`.

        Raises:
            InputError: the text is empty.
        """
        encoded = self._prompts.encode(text)
        logs = scoring.log_probabilities(self.fitted.network, encoded.ids, self.beginning)
        begin, end = encoded.spans.T
        tokens = [text[a:b] for a, b in zip(begin, end, strict=True)]
        return pl.DataFrame({"token": tokens, "log_probability": logs, "begin": begin, "end": end})

    def next(self, prompt: str = "", k: int = 10) -> pl.DataFrame:
        """The k most likely next tokens after a prompt.

        Returns:
            Columns `token` (as it would stand in the text, printable) and `probability`, the most likely first.
        """
        import torch

        if not is_whole(k) or k < 1:
            raise InputError(f"k must be a whole number from 1, not {k!r}")
        fitted = self.fitted
        with torch.no_grad():
            features, _, _ = fitted.network(
                torch.from_numpy(self._prompts.prompt(prompt).astype(np.int64)).unsqueeze(1)
            )
            p = fitted.network.log_probabilities(features[-1, 0]).exp()
        best = p.topk(min(k, len(p)))
        tokens = [fitted.tokenizer.label(int(i)) for i in best.indices]
        return pl.DataFrame({"token": tokens, "probability": best.values.double().numpy()})

    def predict(self, data: Any = None, *, k: int = 10) -> pl.DataFrame:
        """The most likely next tokens after one or several prompts.

        Args:
            data: a list of prompts, or a path or `Corpus` whose texts are the prompts; None for where a text begins.
            k: how many.

        Returns:
            Columns `text` (number of the prompt, from 1), `token` and `probability`; see `next`.
        """
        if data is None:
            prompts = [""]
        elif isinstance(data, list):
            prompts = data
            if not prompts:
                raise InputError("there is no prompt: give at least one, or None for where a text begins")
        else:
            prompts = [document.text for document in read_corpus(data).documents]
        tables = [
            self.next(prompt, k).select(pl.lit(number).alias("text"), pl.all())
            for number, prompt in enumerate(prompts, 1)
        ]
        return pl.concat(tables)

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The network and a text, opened up for `longshort.study.explain`.

        Args:
            data: a list of texts, or texts as `fit` takes them; None for the beginning of what was held out.
            which: number of the text, from 1; the first one if None.
            steps: tokens to look at, the last ones of the text; 400 if None.
        """
        from longshort.tasks.language.explaining import explainable

        if data is None:
            if which is not None:
                raise InputError("there is one held-out text alone: leave out which")
            return explainable(self, None, steps)
        texts = data if isinstance(data, list) else [document.text for document in read_corpus(data).documents]
        return explainable(self, self._prompts.encode(texts[chosen(which, [""] * len(texts), "text")]).ids, steps)

    def exportable(self) -> Exportable:
        """The network and what stands around it, for `longshort export`."""
        from longshort.tasks.language.exporting import exportable

        return exportable(self)

    def generate(self, prompt: str = "", **sampling: Any) -> str | list[str]:
        """Draw a text that goes on from a prompt.

        Args:
            prompt: what comes before; it is not part of what is returned.
            sampling: the fields of `Sampling` by name, such as `temperature=0.8, length=500, stop="\\n\\n"`.

        Returns:
            The text, or a list of texts where `samples` is above 1.
        """
        settings = Sampling.from_dict(sampling)
        texts = [""] * settings.samples
        for pieces in self.stream(prompt, settings):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        return texts if settings.samples > 1 else texts[0]

    def stream(self, prompt: str = "", sampling: Sampling | None = None) -> Iterator[list[str]]:
        """Like `generate`, but gives the pieces of every sample as they come."""
        sampling, fitted = sampling or Sampling(), self.fitted
        start = self._prompts.prompt(prompt)
        texts = [Text(fitted.tokenizer, start.tolist(), sampling.stop) for _ in range(sampling.samples)]
        for drawn in fitted.writer.generate(start.tolist(), sampling, fitted.tokenizer.unknown_id):
            yield [text.add(token) for text, token in zip(texts, drawn, strict=True)]
            if all(text.ended for text in texts):
                return
        yield [text.end() for text in texts]

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _read(self, data: Any, **options: Any) -> Material:
        return read_material(data, self.config, **options)

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": material.data}

    def _untrained(self, material: Material) -> list[LanguageNetwork]:
        from longshort.tasks.language.training import make_network

        return [make_network(self.config, material.plan)]

    def _ranges(self, material: Material) -> Ranges:
        return ranges(material.plan)

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        from longshort.tasks.language.training import train_network

        for note in (*material.notes, material.plan.describe()):
            progress.note(note)
        network, checks = train_network(material, self.config, checkpoints, hardware, progress)
        return Fitted(
            network=network,
            tokenizer=material.tokenizer,
            plan=material.plan,
            training=material.training[-KEPT:],
            validation=material.validation,
            test=material.test,
            order=0,
            checks=[checks],
        )

    def _test(self, material: Material, progress: Progress) -> None:
        progress.note("counting for the baselines")
        baselines = Baselines.fit(material.tokenizer, self.fitted.training, material.validation)
        self._fitted = replace(self.fitted, order=baselines.counts.order)
        if len(material.test):
            progress.note(f"evaluating on {len(material.test):,} held-out tokens, beside {baselines.name}")
            scores = self._score(material.test, material.characters, baselines, self.fitted.before_passage)
            self._fitted = replace(self.fitted, scores=scores)

    def _score(
        self,
        ids: IntArray,
        characters: int,
        baselines: Baselines,
        context: IntArray,
        *,
        cache: bool = False,
        dynamic: bool = False,
    ) -> LanguageScores:
        fitted = self.fitted
        tokenizer = fitted.tokenizer
        unknown = 0 if tokenizer.unknown_id is None else int((ids == tokenizer.unknown_id).sum())
        found = {self.name: scoring.log_probabilities(fitted.network, ids, context)}
        adapted: dict[str, str] = {}
        network, validation, before = fitted.network, fitted.validation, fitted.training[-parts.OVERLAP :]
        if cache:
            chosen = choose_cache(network, validation, before)
            adapted[f"{self.name} + cache"] = str(chosen)
            found[f"{self.name} + cache"] = chosen.log_probabilities(network, ids, context)
        if dynamic:
            roots = gradient_roots(network, fitted.training)
            stepping = choose_dynamic(network, validation, before, roots)
            adapted[f"{self.name} + dynamic evaluation"] = str(stepping)
            found[f"{self.name} + dynamic evaluation"] = stepping.log_probabilities(network, ids, context, roots)
        found[baselines.name] = baselines.log_probabilities(ids, context)
        compressed = None if unknown else baselines.compressed(tokenizer.decode(ids))
        return score(
            found,
            kind=tokenizer.kind,
            characters=characters,
            unknown=unknown,
            compressed=compressed,
            adapted=adapted,
        )

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        run.write_tensors("model.safetensors", {k: v.numpy() for k, v in fitted.network.state_dict().items()})
        run.write_json("model.json", {"plan": fitted.plan.to_dict(), "order": fitted.order})
        run.write_json("tokenizer.json", fitted.tokenizer.to_json())
        run.write_tensors("text.safetensors", {part: getattr(fitted, part) for part in PARTS})

    def _restore(self, run: RunDirectory, checks: Checks, scores: LanguageScores | None) -> Fitted:
        import torch

        from longshort.tasks.language.training import make_network

        described = run.read_json("model.json")
        plan = Plan.from_dict(described["plan"])
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            network = make_network(self.config, plan).eval()
        weights = run.read_tensors("model.safetensors")
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        text = run.read_tensors("text.safetensors")
        return Fitted(
            network=network,
            tokenizer=Tokenizer.from_json(run.read_json("tokenizer.json")),
            plan=plan,
            **{part: text[part].astype(np.int32) for part in PARTS},
            order=described["order"],
            checks=checks,
            scores=scores,
        )

    def _report(self) -> str:
        from longshort.tasks.language.report import render

        return render(self)

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def beginning(self) -> IntArray:
        """What stands before a text that nothing stands before: a line end, or else the first token learnt from."""
        return self._prompts.beginning

    @property
    def _prompts(self) -> Prompts:
        return Prompts(self.fitted.tokenizer, self.fitted.training[:1])
