"""`Classifier`: from labelled examples to the probability of every class of new ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from longshort.artifact import RunDirectory
from longshort.errors import InputError, Note
from longshort.estimator import Checks, Estimator
from longshort.explainable import Explainable, chosen
from longshort.exportable import Exportable
from longshort.space import Ranges
from longshort.tasks.classify import store
from longshort.tasks.classify.answers import Answers, answer
from longshort.tasks.classify.baselines import Baselines
from longshort.tasks.classify.config import ClassifyConfig, Plan, ranges
from longshort.tasks.classify.encoder import Encoder, read_encoder, write_encoder
from longshort.tasks.classify.evaluation import ClassifyScores, score
from longshort.tasks.classify.examples import Examples, Labelled, check_fits, examples_of, read
from longshort.tasks.classify.material import Material, check_scikit_learn, read_material, read_part
from longshort.tasks.classify.network import ClassifyNetwork
from longshort.tasks.classify.temperature import fit_temperature, probabilities
from longshort.training import Hardware, Progress

NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        networks: in evaluation; their logits are averaged.
        encoder: what makes its inputs.
        plan: sizes and length of training.
        parts: examples of "training", "validation" and "test".
        columns, label, channels: how later files are read; see `Material`.
        temperature: by which the logits are divided.
        trust: of the baseline's regression.
        checks: for each network its looks at the validation split.
        scores: of the test part, or None.
    """

    networks: tuple[ClassifyNetwork, ...]
    encoder: Encoder
    plan: Plan
    parts: dict[str, Examples]
    columns: dict[str, Any]
    label: str | None
    channels: tuple[str, ...]
    temperature: float
    trust: float
    checks: Checks
    scores: ClassifyScores | None = None

    @property
    def held_out(self) -> Examples:
        """The test part, or the validation part where there is no test."""
        return self.parts["test"] if len(self.parts["test"]) else self.parts["validation"]


class Classifier(Estimator[ClassifyConfig, Material, Fitted]):
    """The class of texts, or of sequences of numbers, by an LSTM that reads them in both directions.

    >>> model = Classifier().fit("reviews.csv")              # doctest: +SKIP
    >>> model.predict(["A film to remember."])               # doctest: +SKIP

    It learns from labelled examples as `longshort.data.labelled.read_labelled` takes them: a table with a column of
    texts and one of labels; a long table of numbers, a row for each step; or a `.ts` file. Options of `fit`:
    `validation=` and `test=`, further examples in place of a share of the first ones; `text=`, `label=`, `id=`,
    `step=`, `channels=`, columns, found if left out. Its settings are those of `ClassifyConfig`.
    """

    task = "classify"
    settings_type = ClassifyConfig
    scores_type = ClassifyScores
    measures = ("max_length", "balanced", "members", "validation", "test", "seed")
    next_steps = {  # noqa: RUF012 - as the base class says
        "Predict": "longshort predict {run} DATA",
        "Evaluate": "longshort evaluate {run} DATA",
    }

    @property
    def name(self) -> str:
        """How the model is called in tables: its cell."""
        return NAMES[self.config.cell]

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.fitted.plan.classes

    def evaluate(self, data: Any = None) -> ClassifyScores:
        """Accuracy, macro F1, log-loss and calibration error beside the baselines'.

        Args:
            data: labelled examples as `fit` takes them; None gives the scores of the test part that `fit` held out.

        Raises:
            InputError: examples cannot be read, have no labels or unknown ones, or are of another kind; or nothing was
                held out and no examples are given.
        """
        fitted = self.fitted
        if data is None:
            if fitted.scores is None:
                raise InputError("no test part was held out: give labelled examples that the model has not learnt from")
            return fitted.scores
        check_scikit_learn()
        found = read_part(data, fitted.columns, fitted.label)
        check_fits(found, fitted.plan.kind, fitted.channels)
        training, count = fitted.parts["training"], len(self.classes)
        baselines = Baselines.fit(fitted.plan.kind, count, training, trust=fitted.trust)
        return self._score(examples_of(found, self.classes), baselines)

    def predict(self, data: Any = None) -> pl.DataFrame:
        """The most likely class of examples, and the probability of every class.

        Args:
            data: a list of texts; a list of arrays of shape (steps, channels), NaN where missing; or a path or a table
                as `fit` takes them, labels not needed. None for the examples that `fit` held out.

        Returns:
            Columns `text` or `id`, `label`, and `p_<class>` for every class, which add up to 1; a row for each example.

        Raises:
            InputError: the examples cannot be read, or are not of the kind or the channels that were learnt from.
        """
        fitted = self.fitted
        if data is None:
            examples = fitted.held_out
        else:
            found = read(data, fitted.columns, need_labels=False)
            check_fits(found, fitted.plan.kind, fitted.channels)
            examples = examples_of(_without_labels(found), self.classes)
        p = probabilities(self._answer(examples, warn=data is not None).logits, fitted.temperature)
        return pl.DataFrame(
            {
                "text" if fitted.plan.kind == "texts" else "id": pl.Series(examples.names, dtype=pl.String),
                "label": pl.Series([self.classes[k] for k in p.argmax(1)], dtype=pl.String),
                **{f"p_{label}": p[:, k] for k, label in enumerate(self.classes)},
            }
        )

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The first network and an example, opened up for `longshort.study.explain`.

        Args:
            data: as for `predict`.
            which: number of the example from 1, or the name of a sequence. If None, the first one, and of the examples
                that `fit` held out one that is longer than most.
            steps: words or steps to look at, the first ones; all that is read if None.
        """
        from longshort.tasks.classify.explaining import explainable, longer

        fitted = self.fitted
        if data is None:
            examples = fitted.held_out
            place = longer(examples) if which is None else chosen(which, examples.names, "example")
        else:
            found = read(data, fitted.columns, need_labels=False)
            check_fits(found, fitted.plan.kind, fitted.channels)
            examples = examples_of(_without_labels(found), self.classes)
            place = chosen(which, examples.names, "example")
        return explainable(self, examples.chosen([place]), steps)

    def exportable(self) -> Exportable:
        """The networks and what stands around them, for `longshort export`."""
        from longshort.tasks.classify.exporting import exportable

        return exportable(self)

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _read(self, data: Any, **options: Any) -> Material:
        return read_material(data, self.config, **options)

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": material.data}

    def _untrained(self, material: Material) -> list[ClassifyNetwork]:
        from longshort.tasks.classify.training import make_network

        return [make_network(self.config, material.plan) for _ in range(material.plan.members)]

    def _ranges(self, material: Material) -> Ranges:
        return ranges(material.plan)

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        from longshort.tasks.classify.training import train_networks

        for note in (*material.notes, material.plan.describe()):
            progress.note(note)
        networks, checks = train_networks(material, self.config, checkpoints, hardware, progress)
        validation = material.parts["validation"]
        logits = answer(networks, material.encoder.encode(validation.content)).logits
        return Fitted(
            networks=networks,
            encoder=material.encoder,
            plan=material.plan,
            parts=material.parts,
            columns=material.columns,
            label=material.label,
            channels=material.channels,
            temperature=fit_temperature(logits, validation.codes),
            trust=0.0,
            checks=checks,
        )

    def _test(self, material: Material, progress: Progress) -> None:
        plan, parts = material.plan, material.parts
        progress.note("fitting the baselines")
        baselines = Baselines.fit(plan.kind, len(plan.classes), parts["training"], validation=parts["validation"])
        self._fitted = replace(self.fitted, trust=baselines.trust)
        if len(parts["test"]):
            progress.note(f"evaluating on {len(parts['test']):,} held-out examples, beside {baselines.name}")
            self._fitted = replace(self.fitted, scores=self._score(parts["test"], baselines))

    def _score(self, examples: Examples, baselines: Baselines) -> ClassifyScores:
        logits = self._answer(examples).logits
        found = {self.name: probabilities(logits, self.fitted.temperature), **baselines.probabilities(examples)}
        return score(found, examples.codes, kind=self.fitted.plan.kind, classes=self.classes)

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        weights = {
            f"{k}.{name}": value.numpy()
            for k, network in enumerate(fitted.networks)
            for name, value in network.state_dict().items()
        }
        run.write_tensors("model.safetensors", weights)
        run.write_json(
            "model.json",
            {
                "plan": fitted.plan.to_dict(),
                "temperature": fitted.temperature,
                "trust": fitted.trust,
                "columns": fitted.columns,
                "label": fitted.label,
                "channels": list(fitted.channels),
            },
        )
        write_encoder(run, fitted.encoder)
        store.write_parts(run, fitted.parts, self.classes)

    def _restore(self, run: RunDirectory, checks: Checks, scores: ClassifyScores | None) -> Fitted:
        import torch

        from longshort.tasks.classify.training import make_network

        described = run.read_json("model.json")
        plan = Plan.from_dict(described["plan"])
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            networks = tuple(make_network(self.config, plan).eval() for _ in range(plan.members))
        weights = run.read_tensors("model.safetensors")
        for k, network in enumerate(networks):
            own = {name.partition(".")[2]: value for name, value in weights.items() if name.startswith(f"{k}.")}
            network.load_state_dict({name: torch.from_numpy(value) for name, value in own.items()})
        return Fitted(
            networks=networks,
            encoder=read_encoder(run, self.config.character_buckets, self.config.max_length),
            plan=plan,
            parts=store.read_parts(run, plan.classes),
            columns=described["columns"],
            label=described["label"],
            channels=tuple(described["channels"]),
            temperature=described["temperature"],
            trust=described["trust"],
            checks=checks,
            scores=scores,
        )

    def _report(self) -> str:
        from longshort.tasks.classify.report import render

        return render(self)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _answer(self, examples: Examples, warn: bool = False) -> Answers:
        encoded = self.fitted.encoder.encode(examples.content)
        if warn and encoded.cut:
            longest = f"{self.config.max_length:,} {'words' if self.fitted.plan.kind == 'texts' else 'steps'}"
            warnings.warn(f"{encoded.cut:,} of {len(examples):,} examples are cut to {longest}", Note, stacklevel=3)
        if warn and encoded.unknown:
            what = f"{encoded.unknown:,} of {len(examples):,} texts hold no word that was learnt"
            warnings.warn(f"{what}: they are judged by their letters alone", Note, stacklevel=3)
        return answer(self.fitted.networks, encoded)


def _without_labels(found: Labelled) -> Labelled:
    """What is to be predicted may have any labels."""
    return replace(found, labels=None)
