"""`Composer`: from tunes to the probability of every next note, and to tunes of its own."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort.artifact import RunDirectory
from longshort.data.midi import Tune, first_tune, tempo_of
from longshort.errors import InputError, Note
from longshort.estimator import Checks, Estimator
from longshort.explainable import Explainable, chosen
from longshort.exportable import Exportable
from longshort.space import Ranges
from longshort.tasks.compose import store
from longshort.tasks.compose.authors import author
from longshort.tasks.compose.composition import Composition
from longshort.tasks.compose.config import ComposeConfig, Plan, ranges
from longshort.tasks.compose.evaluation import ComposeScores, Corpus, score
from longshort.tasks.compose.markov import Chain
from longshort.tasks.compose.material import Material, Part, piece_of, read_material, read_pieces
from longshort.tasks.compose.next_steps import likeliest
from longshort.tasks.compose.pieces import Encoding, Piece
from longshort.tasks.compose.scoring import after, nats
from longshort.tasks.compose.training import Network, make_network, train_network
from longshort.tasks.compose.writing import Composing, compose, ended, writing
from longshort.training import Hardware, Progress

NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


@dataclass(frozen=True)
class Fitted:
    """What `fit` leaves behind.

    Attributes:
        network: in evaluation.
        encoding: what tunes are made of.
        plan: sizes and length of training.
        parts: the tunes; the test part may be empty.
        order: of the Markov chain.
        written: model -> tunes by which it was judged; empty without a test part.
        checks: of the one training its looks at the validation split.
        scores: of the test part, or None.
    """

    network: Network
    encoding: Encoding
    plan: Plan
    parts: dict[str, Part]
    order: int
    checks: Checks
    written: dict[str, tuple[Piece, ...]]
    scores: ComposeScores | None = None

    @property
    def networks(self) -> tuple[Network, ...]:
        """The one there is, in evaluation."""
        return (self.network,)

    @property
    def held_out(self) -> Part:
        """The test part, or the validation part where there is no test."""
        return self.parts["test"] if len(self.parts["test"]) else self.parts["validation"]

    @property
    def openings(self) -> Piece:
        """First frames of the tunes that were learnt from, (tunes, K); of tokens the first ones."""
        return np.stack([piece[0] for piece in self.parts["training"].pieces])


class Composer(Estimator[ComposeConfig, Material, Fitted]):
    """Tunes by an LSTM that learnt what comes next in others.

    >>> model = Composer().fit("tunes/")                                    # doctest: +SKIP
    >>> model.compose(bars=16, key="D", seed=1).write("tune.mid")           # doctest: +SKIP

    It learns from MIDI files (a folder, a file, several), or from a file of piano rolls (`.mat`, `.npz`); folders and
    arrays named train, valid and test are the parts. Options of `fit`: `validation=` and `test=`, further tunes in
    place of a share of the first ones. Its settings are those of `ComposeConfig`.
    """

    task = "compose"
    settings_type = ComposeConfig
    scores_type = ComposeScores
    measures = ("frame", "tunes", "bars", "validation", "test", "seed")
    next_steps = {  # noqa: RUF012 - as the base class says
        "Compose": "longshort compose {run} -o tune.mid",
        "Go on": "longshort compose {run} --continue TUNE -o more.mid",
    }

    @property
    def name(self) -> str:
        """How the model is called in tables: its cell."""
        return NAMES[self.config.cell]

    def compose(self, before: Any = None, **composing: Any) -> Composition:
        """A new tune, or one that goes on from another.

        Args:
            before: a file with the tune to go on from, the first one of several, or a `Tune`; None for a new tune.
            composing: the fields of `Composing` by name, such as `bars=8, temperature=0.9, key="D", tempo=100`.

        Raises:
            InputError: the tune cannot be read, or something is asked that cannot be.
        """
        return ended(self.composing(before, **composing))

    def composing(self, before: Any = None, **composing: Any) -> Generator[None, None, Composition]:
        """The same as `compose`, with breaks in which others can have their turn; the tune is what it returns."""
        settings, fitted = Composing.from_dict(composing), self.fitted
        start, tempo = None, None
        if isinstance(before, Tune):
            start, tempo = piece_of(before, fitted.encoding), tempo_of(before.score)
        elif before is not None:
            start = self._pieces(before).pieces[0]
            tempo = tempo_of(first_tune(before).score) if fitted.plan.kind == "tokens" else None
        (piece,) = yield from writing(author(fitted.network), fitted.encoding, settings, fitted.openings, start)
        return Composition.of(fitted.encoding, settings, piece, start, tempo)

    def evaluate(self, data: Any = None) -> ComposeScores:
        """Negative log-likelihood beside a Markov chain's; statistics and novelty of tunes that both write.

        Args:
            data: tunes as `fit` takes them; None gives the scores of the test part that `fit` held out.

        Raises:
            InputError: tunes cannot be read, or nothing was held out and none are given.
        """
        fitted = self.fitted
        if data is None:
            if fitted.scores is None:
                raise InputError("no test part was held out: give tunes that the model has not learnt from")
            return fitted.scores
        part = self._pieces(data)
        chain = Chain.of(fitted.encoding, fitted.parts["training"].pieces, fitted.order)
        return self._score(part, chain)[0]

    def predict(self, data: Any = None, *, k: int = 10) -> pl.DataFrame:
        """What most likely comes after tunes.

        Args:
            data: tunes as `fit` takes them; None for those that `fit` held out.
            k: how many of the likeliest.

        Returns:
            Columns `tune`, `event` (a token such as Pitch_62, or a key by its name) and `probability`, the likeliest
            first. The keys of a roll are independent, so that theirs do not add up to 1.
        """
        fitted = self.fitted
        part = fitted.held_out if data is None else self._pieces(data)
        tables = [
            pl.DataFrame({"tune": [name] * len(events), "event": events, "probability": p})
            for name, piece in zip(part.names, part.pieces, strict=True)
            for events, p in [likeliest(fitted.encoding, after(fitted.network, fitted.encoding, piece), k)]
        ]
        return pl.concat(tables)

    def explainable(self, data: Any = None, *, which: str | None = None, steps: int | None = None) -> Explainable:
        """The network and a tune, opened up for `longshort.study.explain`.

        Args:
            data: tunes as `fit` takes them; None for those that `fit` held out.
            which: name of the tune, or its number from 1; the first one if None.
            steps: tokens or frames to look at, the first ones; 400 if None.
        """
        from longshort.tasks.compose.explaining import explainable

        part = self.fitted.held_out if data is None else self._pieces(data)
        return explainable(self, part.chosen([chosen(which, part.names, "tune")]), steps)

    def exportable(self) -> Exportable:
        """The network and what stands around it, for `longshort export`."""
        from longshort.tasks.compose.exporting import exportable

        return exportable(self)

    # -- the life cycle ------------------------------------------------------------------------------------------------

    def _read(self, data: Any, **options: Any) -> Material:
        return read_material(data, self.config, **options)

    def _describe(self, material: Material) -> dict[str, Any]:
        return {"plan": material.plan.to_dict(), "data": material.data}

    def _untrained(self, material: Material) -> list[Network]:
        return [make_network(self.config, material.plan)]

    def _ranges(self, material: Material) -> Ranges:
        return ranges(material.plan)

    def _train(self, material: Material, checkpoints: Path, hardware: Hardware, progress: Progress) -> Fitted:
        for note in (*material.notes, material.plan.describe()):
            progress.note(note)
        network, checks = train_network(material, self.config, checkpoints, hardware, progress)
        return Fitted(
            network=network,
            encoding=material.encoding,
            plan=material.plan,
            parts=material.parts,
            order=0,
            checks=[checks],
            written={},
        )

    def _test(self, material: Material, progress: Progress) -> None:
        progress.note("counting for the Markov chain")
        parts = material.parts
        chain = Chain.best(material.encoding, parts["training"].pieces, parts["validation"].pieces)
        self._fitted = replace(self.fitted, order=chain.order)
        if len(parts["test"]):
            progress.note(f"evaluating on {len(parts['test']):,} held-out tunes, beside a {chain.name}")
            scores, written = self._score(parts["test"], chain)
            self._fitted = replace(self.fitted, scores=scores, written=written)

    def _score(self, part: Part, chain: Chain) -> tuple[ComposeScores, dict[str, tuple[Piece, ...]]]:
        fitted, config, encoding = self.fitted, self.config, self.fitted.encoding
        composing = Composing(bars=config.bars, seed=config.seed)
        models: dict[str, Network | Chain] = {self.name: fitted.network, chain.name: chain}
        written = {
            name: tuple(compose(author(model), encoding, composing, fitted.openings, tunes=config.tunes))
            for name, model in models.items()
        }
        found = {
            self.name: nats(fitted.network, encoding, part.pieces),
            chain.name: chain.nats(part.pieces),
        }
        scores = score(
            Corpus.of([encoding.notes(piece) for piece in fitted.parts["training"].pieces]),
            [encoding.notes(piece) for piece in part.pieces],
            found,
            {name: [encoding.notes(piece) for piece in tunes] for name, tunes in written.items()},
            kind=encoding.kind,
            units=sum(encoding.units(piece) for piece in part.pieces),
        )
        return scores, written

    def _write(self, run: RunDirectory) -> None:
        fitted = self.fitted
        run.write_tensors("model.safetensors", {k: v.numpy() for k, v in fitted.network.state_dict().items()})
        run.write_json("model.json", {"plan": fitted.plan.to_dict(), "order": fitted.order})
        store.write(run, fitted.encoding, fitted.parts, fitted.written)

    def _restore(self, run: RunDirectory, checks: Checks, scores: ComposeScores | None) -> Fitted:
        import torch

        described = run.read_json("model.json")
        plan = Plan(**described["plan"])
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers are none of our business
            network = make_network(self.config, plan).eval()
        weights = run.read_tensors("model.safetensors")
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        encoding, parts, written = store.read(run, self.config)
        return Fitted(
            network=network,
            encoding=encoding,
            plan=plan,
            parts=parts,
            order=described["order"],
            checks=checks,
            written=written,
            scores=scores,
        )

    def _report(self) -> str:
        from longshort.tasks.compose.report import render

        return render(self)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _pieces(self, data: Any) -> Part:
        part, notes = read_pieces(data, self.fitted.encoding)
        for note in notes:
            warnings.warn(note, Note, stacklevel=3)
        return part
