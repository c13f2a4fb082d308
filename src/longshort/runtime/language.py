"""Language models: the probability of every next token, and texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.tokens import Tokenizer
from longshort.errors import InputError
from longshort.runtime.sequence import Reader, TokenNetwork, Writer
from longshort.runtime.weights import Weights
from longshort.sequence.sampling import Sampling
from longshort.settings import is_whole
from longshort.tasks.language.generation import Text
from longshort.tasks.language.parts import windows
from longshort.tasks.language.prompts import Prompts

Columns = dict[str, NDArray[Any]]

# Log-probabilities that are held at once.
LARGEST = 2**21


class LanguageModel:
    """What `longshort.LanguageModel` says of texts, without PyTorch. Made by `longshort.runtime.load`."""

    task = "language"

    def __init__(self, network: TokenNetwork, prompts: Prompts) -> None:
        self._network, self._prompts = network, prompts
        self._writer: Writer | None = None

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> LanguageModel:
        """From a run of the task "language"."""
        network = TokenNetwork(settings["cell"], Weights.of(run))
        tokenizer = Tokenizer.from_json(run.read_json("tokenizer.json"))
        return cls(network, Prompts(tokenizer, run.read_rows("text.safetensors", "training", 1).astype(np.int32)))

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes tokens of texts."""
        return self._prompts.tokenizer

    def expect(self, token: int, state: Any = None) -> tuple[NDArray[np.float64], Any]:
        """The log-probability of every token after one and what the state holds, (V,), and the new state."""
        features, state = self._network(np.array([[token]]), state)
        return self._network.log_probabilities(features[-1, 0]).astype(np.float64), state

    def score(self, text: str) -> Columns:
        """The log-probability of every token of a text, given all that comes before it.

        Returns:
            `token` (as it stands in the text), `log_probability` (natural), `begin` and `end` (characters).

        Raises:
            InputError: the text is empty.
        """
        encoded = self._prompts.encode(text)
        logs = self._log_probabilities(encoded.ids)
        begin, end = encoded.spans.T
        tokens = np.array([text[a:b] for a, b in zip(begin, end, strict=True)], dtype=object)
        return {"token": tokens, "log_probability": logs, "begin": begin, "end": end}

    def next(self, prompt: str = "", k: int = 10) -> Columns:
        """The k most likely next tokens after a prompt.

        Returns:
            `token` (as it would stand in the text, printable) and `probability`, the most likely first.
        """
        features, _ = self._network(self._prompts.prompt(prompt)[:, None])
        return self._likeliest(self._network.log_probabilities(features[-1, 0]), k)

    def predict(self, prompts: list[str] | None = None, *, k: int = 10) -> Columns:
        """The most likely next tokens after several prompts: `text` (number of the prompt), `token`, `probability`."""
        if prompts is not None and not prompts:
            raise InputError("there is no prompt: give at least one, or None for where a text begins")
        tables = [self.next(prompt, k) for prompt in prompts or [""]]
        numbers = [np.full(len(table["token"]), number) for number, table in enumerate(tables, 1)]
        whole = {name: np.concatenate([table[name] for table in tables]) for name in ("token", "probability")}
        return {"text": np.concatenate(numbers), **whole}

    def generate(self, prompt: str = "", **sampling: Any) -> str | list[str]:
        """Draw a text that goes on from a prompt: the arguments of `longshort.LanguageModel.generate`."""
        settings = Sampling.from_dict(sampling)
        texts = [""] * settings.samples
        for pieces in self.stream(prompt, settings):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        return texts if settings.samples > 1 else texts[0]

    def stream(self, prompt: str = "", sampling: Sampling | None = None) -> Iterator[list[str]]:
        """Like `generate`, but gives the pieces of every sample as they come."""
        sampling, tokenizer = sampling or Sampling(), self._prompts.tokenizer
        start = self._prompts.prompt(prompt).tolist()
        self._writer = self._writer or Writer(self._network)
        texts = [Text(tokenizer, start, sampling.stop) for _ in range(sampling.samples)]
        for drawn in self._writer.generate(start, sampling, tokenizer.unknown_id):
            yield [text.add(token) for text, token in zip(texts, drawn, strict=True)]
            if all(text.ended for text in texts):
                return
        yield [text.end() for text in texts]

    def reader(self) -> Reader:
        """Reads tokens one by one: `logs = reader(token)`, the log-probability of every next token, (V,)."""
        return Reader(self._network)

    def _log_probabilities(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        result, state = np.zeros(len(ids)), None
        rows = max(1, LARGEST // self._network.vocabulary_size)
        for window in windows(ids, self._prompts.beginning):
            features, state = self._network(window.inputs, state)
            mine = window.positions >= 0
            asked, targets, places = features[mine], window.targets[mine], window.positions[mine]
            for k in range(0, len(asked), rows):
                logs = self._network.log_probabilities(asked[k : k + rows])
                found = np.take_along_axis(logs, targets[k : k + rows, None], -1)
                result[places[k : k + rows]] = found[:, 0]
        return result

    def _likeliest(self, logs: NDArray[np.float32], k: int) -> Columns:
        if not is_whole(k) or k < 1:
            raise InputError(f"k must be a whole number from 1, not {k!r}")
        best = np.argsort(-logs, kind="stable")[:k]
        tokens = [self._prompts.tokenizer.label(int(token)) for token in best]
        return {"token": np.array(tokens, dtype=object), "probability": np.exp(logs[best]).astype(np.float64)}
