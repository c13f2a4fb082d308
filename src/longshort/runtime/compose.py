"""Composers: what comes next in a tune, and tunes drawn from it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.midi import first_tune, tempo_of
from longshort.errors import Note
from longshort.runtime.functions import sigmoid
from longshort.runtime.layers import Recurrent, State
from longshort.runtime.sequence import TokenNetwork, Writer
from longshort.runtime.weights import Weights
from longshort.sequence.sampling import Sampling
from longshort.tasks.compose import store
from longshort.tasks.compose.composition import Composition
from longshort.tasks.compose.config import ComposeConfig
from longshort.tasks.compose.material import Part, read_pieces
from longshort.tasks.compose.next_steps import likeliest
from longshort.tasks.compose.pieces import Encoding, Piece, TokenEncoding
from longshort.tasks.compose.writing import Composing, compose

FloatArray = NDArray[np.float32]
Columns = dict[str, NDArray[Any]]


class Composer:
    """What `longshort.Composer` writes, without PyTorch. Made by `longshort.runtime.load`."""

    def __init__(self, author: TokenAuthor | RollAuthor, encoding: Encoding, openings: Piece) -> None:
        self._author, self._encoding, self._openings = author, encoding, openings

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> Composer:
        """From a run of the task "compose"."""
        config, weights = ComposeConfig.from_dict(settings), Weights.of(run)
        encoding, parts, _ = store.read(run, config)
        tokens = isinstance(encoding, TokenEncoding)
        author = TokenAuthor(config.cell, weights) if tokens else RollAuthor(config.cell, weights)
        return cls(author, encoding, np.stack([piece[0] for piece in parts["training"].pieces]))

    def compose(self, before: Any = None, **composing: Any) -> Composition:
        """A new tune, or one that goes on from another: the arguments of `longshort.Composer.compose`.

        To read a MIDI file needs miditok, and to write one symusic.

        Raises:
            InputError: the tune cannot be read, or something is asked that cannot be.
        """
        settings, start, tempo = Composing.from_dict(composing), None, None
        if before is not None:
            start = self._pieces(before).pieces[0]
            tempo = tempo_of(first_tune(before).score) if self._encoding.kind == "tokens" else None
        (piece,) = compose(self._author, self._encoding, settings, self._openings, start)
        return Composition.of(self._encoding, settings, piece, start, tempo)

    def predict(self, data: Any, *, k: int = 10) -> Columns:
        """What most likely comes after tunes: `tune`, `event` and `probability`, the likeliest first.

        Args:
            data: a file of piano rolls; or MIDI files, to read which needs miditok.
            k: how many of the likeliest.
        """
        part = self._pieces(data)
        found = [likeliest(self._encoding, self._author.after(self._encoding.whole(p)), k) for p in part.pieces]
        tunes = [[name] * len(events) for name, (events, _) in zip(part.names, found, strict=True)]
        return {
            "tune": np.concatenate(tunes).astype(object),
            "event": np.concatenate([events for events, _ in found]).astype(object),
            "probability": np.concatenate([p for _, p in found]),
        }

    def _pieces(self, data: Any) -> Part:
        part, notes = read_pieces(data, self._encoding)
        for note in notes:
            warnings.warn(note, Note, stacklevel=3)
        return part


class TokenAuthor:
    """A network over tokens, as `longshort.tasks.compose.writing` asks it."""

    def __init__(self, cell: str, weights: Weights) -> None:
        self._network = TokenNetwork(cell, weights)
        self._writer = Writer(self._network)

    def generate(
        self, start: Sequence[int], sampling: Sampling, restrict: Callable[[FloatArray], FloatArray]
    ) -> Iterator[list[int]]:
        """The next token of every tune, again and again."""
        return self._writer.generate(start, sampling, None, restrict)

    def after(self, whole: Piece) -> FloatArray:
        """Probabilities of every token after a tune, (V,), that ends where `whole` does."""
        features, _ = self._network(whole[:-1, None])
        p: FloatArray = np.exp(self._network.log_probabilities(features[-1, 0]))
        return p


class RollAuthor:
    """A network over frames: the equations of `longshort.tasks.compose.network`, in evaluation."""

    def __init__(self, cell: str, weights: Weights) -> None:
        self._weights = weights
        count = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
        self._layers = [Recurrent(cell, weights.under(f"layers.{k}")) for k in range(count)]

    def frames(self, start: Piece) -> Generator[FloatArray, Piece, None]:
        """Logits of the next frame, and again for every frame that is sent."""
        x, after = self._read(start)
        streams = [layer.stream(start.shape[1], state) for layer, state in zip(self._layers, after, strict=True)]
        while True:
            frame = yield self._weights.linear("output", x)
            x = frame.astype(np.float32)
            for stream in streams:
                x = stream(x)

    def after(self, whole: Piece) -> FloatArray:
        """Probabilities of every key after a tune, (K,)."""
        x, _ = self._read(whole[:, None])
        return sigmoid(self._weights.linear("output", x[0]))

    def _read(self, frames: Piece) -> tuple[FloatArray, list[list[State]]]:
        """The last layer's last output, (B, H), for frames (T, B, K), and the state of every layer."""
        x, after = frames.astype(np.float32), []
        for layer in self._layers:
            x, state = layer(x)
            after.append(state)
        return x[-1], after
