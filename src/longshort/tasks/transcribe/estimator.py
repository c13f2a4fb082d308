"""`Transcriber`: from recordings with their transcripts to the text of new ones."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort.artifact import RunDirectory
from longshort.data.recordings import Columns, read_recordings
from longshort.data.tokens import Tokenizer
from longshort.errors import InputError, Note
from longshort.estimator import Checks, Estimator
from longshort.explainable import Explainable, chosen
from longshort.exportable import Exportable
from longshort.space import Ranges
from longshort.tasks.transcribe import store
from longshort.tasks.transcribe.baselines import REFERENCES, Baselines, isolated, most_frequent
from longshort.tasks.transcribe.config import Plan, TranscribeConfig, ranges
from longshort.tasks.transcribe.evaluation import TranscribeScores, score
from longshort.tasks.transcribe.listening import Listener
from longshort.tasks.transcribe.live import Live
from longshort.tasks.transcribe.material import PARTS, Material, check_jiwer, read_material
from longshort.tasks.transcribe.network import TranscribeNetwork
from longshort.tasks.transcribe.normalising import Prior, normalised
from longshort.tasks.transcribe.transcript import Transcript
from longshort.tasks.transcribe.units import CLEANERS, Units
from longshort.tasks.transcribe.utterances import Utterances, load
from longshort.training import Hardware, Progress

NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
# Recordings of the parts whose features a run keeps: to be scored again, and to be looked at in the report.
KEPT = {"training": REFERENCES, "validation": 1_000, "test": 3_000}


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        network: in evaluation.
        units: that it emits.
        prior: mean and mean square of the training part's features.
        plan: sizes and length of training.
        parts: recordings of "validation" and "test", and of "training" those that a baseline compares with; some
            thousands at most.
        frequent: the most frequent transcript.
        columns: how later tables are read.
        features: path of the file of features, None for audio.
        checks: looks at the validation split.
        scores: of the test part, or None.
    """

    network: TranscribeNetwork
    units: Units
    prior: Prior
    plan: Plan
    parts: dict[str, Utterances]
    frequent: str
    columns: Columns
    features: str | None
    checks: Checks
    scores: TranscribeScores | None = None

    @property
    def networks(self) -> tuple[TranscribeNetwork, ...]:
        """The one there is, in evaluation."""
        return (self.network,)

    @property
    def held_out(self) -> Utterances:
        """The test part, or the validation part where there is no test."""
        return self.parts["test"] if len(self.parts["test"]) else self.parts["validation"]


class Transcriber(Estimator[TranscribeConfig, Material, Fitted]):
    """The text of recorded speech, by an LSTM with CTC (Graves et al. 2006), and when each word is said.

    >>> model = Transcriber().fit("recordings.csv")          # doctest: +SKIP
    >>> model.transcribe("new.wav").text                     # doctest: +SKIP

    It learns from a table with a column of paths to audio and one of transcripts, perhaps of speakers and of parts too;
    or from a folder of audio with a text file of the same name beside each. Options of `fit`: `validation=` and
    `test=`, further recordings; `features=`, an `.npz` file with features for each path in place of audio; `path=`,
    `transcript=`, `speaker=`, `split=`, columns, found if left out. Its settings are those of `TranscribeConfig`.
    """

    task = "transcribe"
    settings_type = TranscribeConfig
    scores_type = TranscribeScores
    measures = ("units", "vocabulary_size", "text", "max_seconds", "split_by", "validation", "test", "seed")
    next_steps = {  # noqa: RUF012 - as the base class says
        "Transcribe": "longshort transcribe {run} AUDIO",
        "Evaluate": "longshort evaluate {run} DATA",
    }

    @property
    def name(self) -> str:
        """How the model is called in tables: its cell."""
        return NAMES[self.config.cell]

    def transcribe(self, source: Any, *, rate: int | None = None, **decoding: Any) -> Transcript:
        """The text of a recording, and when each word is said.

        It may be hours long: it is read piece by piece.

        Args:
            source: path of an audio file, the bytes of one, or samples (N,) or (N, channels), floats from −1 to 1 or
                integers of their full range.
            rate: samples a second of samples.
            decoding: the fields of `Decoding` by name, such as `beam=16, language="runs/lm"`.

        Raises:
            InputError: it cannot be read, or the run was trained on features that were computed elsewhere.
        """
        return self._listener.transcribe(source, rate, decoding)

    def needs_audio(self) -> None:
        """Refuse to hear: InputError where the run was trained on features that were computed elsewhere."""
        self._listener.needs_audio()

    def live(self, *, rate: int, **decoding: Any) -> Live:
        """A sound that is transcribed as it arrives: `feed` it samples, and `finish` it.

        Args:
            rate: samples a second that it will be fed.
            decoding: the fields of `Decoding` by name.

        Raises:
            InputError: the run was not trained with `live=True`.
        """
        return self._listener.live(rate, decoding)

    def evaluate(self, data: Any = None, *, features: Any = None, **decoding: Any) -> TranscribeScores:
        """Word and character error rate beside the baselines'.

        Args:
            data: recordings with transcripts as `fit` takes them, or "validation" or "test" for a part that `fit` held
                out; None for the scores of the test part.
            features: an `.npz` file in place of audio; the one that `fit` read if None.
            decoding: the fields of `Decoding` by name.

        Raises:
            InputError: recordings cannot be read or have no transcripts; or nothing was held out and none are given.
        """
        fitted = self.fitted
        if data is None and not decoding:
            if fitted.scores is None:
                raise InputError("no test part was held out: give recordings that the model has not learnt from")
            return fitted.scores
        check_jiwer()
        if data is None or (isinstance(data, str) and data in PARTS[1:]):
            utterances = fitted.parts[data or "test"]
            if not len(utterances):
                raise InputError("that part was not held out: give recordings that the model has not learnt from")
        else:
            utterances = self._read_new(data, features, need_transcripts=True)
        return self._score(utterances, decoding)

    def predict(self, data: Any = None, *, features: Any = None, **decoding: Any) -> pl.DataFrame:
        """The text of recordings.

        Args:
            data: a table with a column of paths, a folder of audio, a path or a list of paths of audio files, or an
                `.npz` file of features; None for the recordings that `fit` held out.
            features: an `.npz` file in place of audio; the one that `fit` read if None.
            decoding: the fields of `Decoding` by name.

        Returns:
            Columns `recording`, `text` and `confidence`; a row for each.

        Raises:
            InputError: a recording cannot be read.
        """
        utterances = self.fitted.held_out
        if data is not None:
            utterances = self._read_new(data, features, need_transcripts=False)
        found = self._transcripts(utterances, decoding)
        return pl.DataFrame(
            {
                "recording": pl.Series(utterances.names, dtype=pl.String),
                "text": pl.Series([t.text for t in found], dtype=pl.String),
                "confidence": pl.Series([t.confidence for t in found], dtype=pl.Float64),
            }
        )

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The network and a recording, opened up for `longshort.study.explain`.

        Args:
            data: as for `predict`.
            which: name or number of the recording, from 1; the first one if None.
            steps: frames to look at, the first ones; up to the last unit that is heard if None.
        """
        from longshort.tasks.transcribe.explaining import explainable

        utterances = self.fitted.held_out
        if data is not None:
            utterances = self._read_new(data, None, need_transcripts=False)
        return explainable(self, utterances, chosen(which, utterances.names, "recording"), steps)

    def exportable(self) -> Exportable:
        """The network and what stands around it, for `longshort export`."""
        from longshort.tasks.transcribe.exporting import exportable

        return exportable(self)

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _read(self, data: Any, **options: Any) -> Material:
        return read_material(data, self.config, **options)

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": material.data}

    def _untrained(self, material: Material) -> list[TranscribeNetwork]:
        from longshort.tasks.transcribe.training import make_network

        return [make_network(self.config, material.plan)]

    def _ranges(self, material: Material) -> Ranges:
        return ranges(material.plan)

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        from longshort.tasks.transcribe.training import train_network

        for note in (*material.notes, material.plan.describe()):
            progress.note(note)
        network, checks = train_network(material, self.config, checkpoints, hardware, progress)
        training = material.parts["training"]
        keep = {part: min(KEPT[part], len(material.parts[part])) for part in PARTS}
        if not isolated(training.texts):
            keep["training"] = 0
        return Fitted(
            network=network,
            units=material.units,
            prior=material.prior,
            plan=material.plan,
            parts={part: _some(material.parts[part], count) for part, count in keep.items()},
            frequent=most_frequent(training.texts),
            columns=material.columns,
            features=material.features,
            checks=[checks],
        )

    def _test(self, material: Material, progress: Progress) -> None:
        test = material.parts["test"]
        if not len(test):
            return
        seconds = float(test.frames.sum()) * material.plan.features.hop
        progress.note(
            f"evaluating on {len(test):,} held-out recordings ({seconds / 60:,.1f} min), beside the baselines"
        )
        self._fitted = replace(self.fitted, scores=self._score(test, {}))

    def _score(self, utterances: Utterances, decoding: dict[str, Any]) -> TranscribeScores:
        fitted = self.fitted
        references = fitted.parts["training"]
        baselines = Baselines.of(fitted.plan, fitted.frequent, references.features, references.texts)
        ours = [transcript.text for transcript in self._transcripts(utterances, decoding)]
        found = {self.name: ours, **baselines.texts_of(utterances.features, fitted.plan)}
        return score(found, utterances.texts)

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        run.write_tensors("model.safetensors", {k: v.numpy() for k, v in fitted.network.state_dict().items()})
        run.write_json(
            "model.json",
            {
                "plan": fitted.plan.to_dict(),
                "prior": fitted.prior.to_json(),
                "frequent": fitted.frequent,
                "columns": asdict(fitted.columns),
                "features": fitted.features,
            },
        )
        run.write_json(store.TOKENIZER, fitted.units.to_json())
        store.write_parts(run, fitted.parts)

    def _restore(self, run: RunDirectory, checks: Checks, scores: TranscribeScores | None) -> Fitted:
        import torch

        from longshort.tasks.transcribe.training import make_network

        described = run.read_json("model.json")
        plan = Plan.from_dict(described["plan"])
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            network = make_network(self.config, plan).eval()
        weights = run.read_tensors("model.safetensors")
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        return Fitted(
            network=network,
            units=Units(Tokenizer.from_json(run.read_json(store.TOKENIZER))),
            prior=Prior.from_json(described["prior"]),
            plan=plan,
            parts=store.read_parts(run, PARTS),
            frequent=described["frequent"],
            columns=Columns(**described["columns"]),
            features=described["features"],
            checks=checks,
            scores=scores,
        )

    def _report(self) -> str:
        from longshort.tasks.transcribe.report import render

        return render(self)

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def _listener(self) -> Listener:
        fitted = self.fitted
        return Listener(fitted.network, self.config, fitted.plan, fitted.units, fitted.prior)

    def _normalised(self, utterances: Utterances) -> list[Any]:
        fitted = self.fitted
        return normalised(fitted.plan.normalise, utterances.features, utterances.speakers, fitted.prior)

    def _transcripts(self, utterances: Utterances, decoding: dict[str, Any]) -> list[Transcript]:
        return self._listener.transcripts(utterances.features, utterances.speakers, decoding)

    def _read_new(self, data: Any, features: Any, *, need_transcripts: bool) -> Utterances:
        fitted = self.fitted
        features = features if features is not None else fitted.features
        recordings = read_recordings(data, fitted.columns, features=features, need_transcripts=need_transcripts)
        found, notes = load(recordings, fitted.plan.features, longest=float("inf"), learn=need_transcripts)
        for note in (*recordings.notes, *notes):
            warnings.warn(note, Note, stacklevel=3)
        return replace(found, texts=tuple(map(CLEANERS[self.config.text], found.texts)))


def _some(utterances: Utterances, count: int) -> Utterances:
    """So many of them, spread evenly."""
    return utterances.chosen(np.linspace(0, len(utterances) - 1, count).round().astype(np.int64))
