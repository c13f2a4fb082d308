"""Transcribers: the text of recordings, from files and samples, and of sounds as they arrive."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.recordings import Columns as TableColumns
from longshort.data.recordings import read_recordings
from longshort.data.tokens import Tokenizer
from longshort.errors import InputError, Note
from longshort.runtime.functions import log_softmax
from longshort.runtime.layers import Recurrent
from longshort.runtime.weights import Weights
from longshort.tasks.transcribe.config import EDGE, Dimensions, Plan, TranscribeConfig, dimensions, steps_of
from longshort.tasks.transcribe.listening import Listener
from longshort.tasks.transcribe.live import Live
from longshort.tasks.transcribe.normalising import Prior
from longshort.tasks.transcribe.transcript import Transcript
from longshort.tasks.transcribe.units import Units
from longshort.tasks.transcribe.utterances import load as load_utterances

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]


class Transcriber:
    """What `longshort.Transcriber` hears, without PyTorch. Made by `longshort.runtime.load`."""

    def __init__(self, listener: Listener, columns: TableColumns, features: str | None) -> None:
        self._listener, self._columns, self._features = listener, columns, features

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> Transcriber:
        """From a run of the task "transcribe"."""
        from longshort.runtime import load

        config, model = TranscribeConfig.from_dict(settings), run.read_json("model.json")
        plan = Plan.from_dict(model["plan"])
        listener = Listener(
            network=Network(dimensions(config, plan), config.cell, Weights.of(run)),
            config=config,
            plan=plan,
            units=Units(Tokenizer.from_json(run.read_json("tokenizer.json"))),
            prior=Prior.from_json(model["prior"]),
            load=load,
        )
        return cls(listener, TableColumns(**model["columns"]), model["features"])

    def transcribe(self, source: Any, *, rate: int | None = None, **decoding: Any) -> Transcript:
        """The text of a recording, and when each word is said. It may be hours long: it is read piece by piece.

        Args:
            source: samples (N,) or (N, channels), floats from −1 to 1 or integers of their full range; or the path of
                an audio file, or the bytes of one, which need soundfile and soxr.
            rate: samples a second of samples; another one than the run's needs soxr.
            decoding: fields of `Decoding`, such as `beam=16`, `words=[…]`, `language="runs/lm"`.

        Raises:
            InputError: it cannot be read, or the run was trained on features that were computed elsewhere.
        """
        return self._listener.transcribe(source, rate, decoding)

    def live(self, *, rate: int, **decoding: Any) -> Live:
        """A sound that is transcribed as it arrives: `feed` it samples, and `finish` it.

        Args:
            rate: samples a second that it will be fed.
            decoding: as for `transcribe`.

        Raises:
            InputError: the run was not trained with `live=True`.
        """
        return self._listener.live(rate, decoding)

    def predict(self, data: Any, *, features: Any = None, **decoding: Any) -> Columns:
        """The text of recordings.

        Args:
            data: paths of audio files, a folder of them, an `.npz` file of features; or a table as
                `longshort.Transcriber.predict` takes it, to read which needs Polars and Narwhals.
            features: an `.npz` file in place of audio; the one that `fit` read if None.
            decoding: as for `transcribe`.

        Returns:
            `recording`, `text` and `confidence`; a row for each.

        Raises:
            InputError: a recording cannot be read.
        """
        features, plan = features if features is not None else self._features, self._listener.plan
        try:
            recordings = read_recordings(data, self._columns, features=features, need_transcripts=False)
        except ImportError as error:
            raise InputError(f"reading tables needs Polars: pip install polars narwhals ({error})") from None
        found, notes = load_utterances(recordings, plan.features, longest=float("inf"), learn=False)
        for note in (*recordings.notes, *notes):
            warnings.warn(note, Note, stacklevel=2)
        heard = self._listener.transcripts(found.features, found.speakers, decoding)
        return {
            "recording": np.array(found.names, dtype=object),
            "text": np.array([one.text for one in heard], dtype=object),
            "confidence": np.array([one.confidence for one in heard]),
        }


class Network:
    """The equations of `longshort.tasks.transcribe.network`, in evaluation. Shapes as there."""

    def __init__(self, dims: Dimensions, cell: str, weights: Weights) -> None:
        self.dims, self._weights = dims, weights
        front = weights["front.weight"]  # (D H, C, K)
        self._front = np.ascontiguousarray(front.transpose(0, 2, 1).reshape(len(front), -1).T)
        self._layers = [Recurrent(cell, weights.under(f"layers.{k}")) for k in range(dims.num_layers)]

    def hear(self, frames: FloatArray, lengths: IntArray) -> tuple[FloatArray, IntArray]:
        """Log-probabilities (S, B, V) of frames (T, B, C), 0 behind the ends, and the steps of each recording, (B,)."""
        steps: IntArray = steps_of(lengths, self.dims.stride)
        x = self._convolve(np.pad(frames, ((EDGE, EDGE), (0, 0), (0, 0))))
        for layer in self._layers:
            x, _ = layer(x, lengths=steps)
        return self._emit(x), steps

    def follow(self) -> Callable[[FloatArray], FloatArray]:
        """Reads a recording some padded frames at a time, (T, C) to log-probabilities (S, V), without going back."""
        streams = [layer.stream(1) for layer in self._layers]

        def read(frames: FloatArray) -> FloatArray:
            rows = []
            for x in self._convolve(frames[:, None]):
                for stream in streams:
                    x = stream(x)
                rows.append(x)
            return self._emit(np.concatenate(rows))

        return read

    def _convolve(self, frames: FloatArray) -> FloatArray:
        """What the first recurrent layer reads of frames that are padded already, (T, B, C) to (S, B, D H)."""
        kernel = len(self._front) // self.dims.inputs
        windows = np.lib.stride_tricks.sliding_window_view(frames, kernel, axis=0)[:: self.dims.stride]
        flat = windows.transpose(0, 1, 3, 2).reshape(*windows.shape[:2], -1)  # (S, B, K C)
        found: FloatArray = np.maximum(flat @ self._front + self._weights["front.bias"], 0)
        return found

    def _emit(self, x: FloatArray) -> FloatArray:
        return log_softmax(self._weights.linear("output", x))
