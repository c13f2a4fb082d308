"""How a service reads text: many callers' tokens at once, each from where it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longshort.errors import InputError
from longshort.sequence.network import State
from longshort.sequence.together import read_together
from longshort.serve.engine import Engine, Together
from longshort.serve.limits import NEXT
from longshort.tasks.language.scoring import of_targets

IntArray = NDArray[np.int32]

# Tokens that are read at once, at most.
TOKENS = 65_536
# Units whose gates are shown.
UNITS = 64
# Characters that may still grow into other tokens.
LONGEST = 2_000
# White space behind which earlier tokens do not depend on what is still typed.
BLANKS = " \n\t"


@dataclass(frozen=True)
class Ask:
    """Tokens to read.

    Attributes:
        ids: what is read, (T,), at least one.
        state: that it goes on from; None for the beginning.
        targets: tokens of which the log-probability is asked, (N,): after each of the first N tokens.
        before: what the softmax reads after the token before them, (E,); then the first target is the one behind it.
    """

    ids: IntArray
    state: State | None
    targets: IntArray
    before: Tensor | None = None


@dataclass(frozen=True)
class Found:
    """What was read.

    Attributes:
        log_probabilities: of the targets.
        next: the likeliest next tokens, printable, with their probabilities.
        state: after the last token.
        last: what the softmax reads there, (E,).
    """

    log_probabilities: list[float]
    next: list[tuple[str, float]]
    state: State
    last: Tensor


class Reader:
    """A language model as a service asks it."""

    def __init__(self, model: Any) -> None:
        self.model, self.network, self.tokenizer = model, model.fitted.network, model.fitted.tokenizer

    def compute(self, asks: list[Ask]) -> list[Found]:
        """Read all of them at once."""
        network = self.network
        read = read_together(network, [ask.ids for ask in asks], [ask.state for ask in asks])
        targets = torch.as_tensor(np.concatenate([ask.targets for ask in asks]), dtype=torch.long)
        asked = [
            (features if ask.before is None else torch.cat([ask.before.unsqueeze(0), features]))[: len(ask.targets)]
            for (features, _), ask in zip(read, asks, strict=True)
        ]
        logs = of_targets(network, torch.cat(asked), targets).double().tolist() if len(targets) else []
        last = torch.stack([standing.features[-1] for standing in read])
        with torch.no_grad():
            best = network.log_probabilities(last).exp().topk(min(NEXT, len(self.tokenizer)))
        found, place = [], 0
        for row, (ask, standing) in enumerate(zip(asks, read, strict=True)):
            own = logs[place : place + len(ask.targets)]
            place += len(ask.targets)
            names = [self.tokenizer.label(token) for token in best.indices[row].tolist()]
            likely = list(zip(names, best.values[row].double().tolist(), strict=True))
            found.append(Found(own, likely, standing.state, last[row]))
        return found

    def to_score(self, text: str) -> tuple[Any, Ask]:
        """A text as `LanguageModel.score` reads it: its tokens, and what to ask."""
        encoded = self.encoded(text)
        ids = np.concatenate([self.model.beginning, encoded.ids])
        return encoded, Ask(ids[:-1], None, encoded.ids)

    def to_continue(self, prompt: str) -> Ask:
        """A prompt as `LanguageModel.next` reads it."""
        ids = self.encoded(prompt).ids if prompt else self.model.beginning
        return Ask(ids, None, ids[:0])

    def encoded(self, text: str) -> Any:
        """A text's tokens, at least one."""
        encoded = self.tokenizer.encode(text)
        if not len(encoded.ids):
            raise InputError("the text holds no token: give at least one word")
        return encoded

    @staticmethod
    def perplexity(logs: Sequence[float]) -> float:
        """Of tokens with these log-probabilities."""
        return math.exp(min(-sum(logs) / len(logs), 700.0))

    def gates(self, ids: IntArray, state: State | None, layer: int) -> dict[str, list[list[float]]]:
        """Gates and states of a layer while tokens are read: name -> (T, units), rounded."""
        network = self.network
        if layer >= len(network.recurrent):
            raise InputError(f"there are {len(network.recurrent)} recurrent layers: ask for one from 0")
        with torch.no_grad():
            x = network.embed(torch.as_tensor(ids, dtype=torch.long).unsqueeze(1))
            for k, one in enumerate(network.recurrent[: layer + 1]):
                own = None if state is None else state[k]
                hx = own if own is None or len(own) > 1 else own[0]
                if k == layer:
                    traced = one.trace(x, hx)
                x, _ = one(x, hx)
        values = {name: part[0, 0, :, 0, :UNITS] for name, part in traced._asdict().items()}
        return {name: np.round(part.double().numpy(), 3).tolist() for name, part in values.items()}


@dataclass(frozen=True)
class Reading:
    """What a session is told: see `Typed.add`."""

    begin: int
    tokens: list[str]
    log_probabilities: list[float]
    next: list[tuple[str, float]]
    gates: dict[str, list[list[float]]] | None


@dataclass(frozen=True)
class _Place:
    """Where a text stands: how many tokens there are, and what was found at the last one."""

    count: int
    found: Found


class Typed:
    """A text as it is typed: the state behind it is kept, so that only what is new is read.

    Where tokens are words or parts of words, the last word may still grow: it is read again with every message.
    The numbers are those of the whole text read at once, as `LanguageModel.score` reads it.
    """

    def __init__(self, reader: Reader, together: Together[Ask, Found], engine: Engine) -> None:
        self._reader, self._together, self._engine = reader, together, engine
        self._settled: _Place | None = None
        self._pending = ""
        self._grows = reader.tokenizer.kind in ("words", "subwords")

    async def add(self, text: str, *, restart: bool, gates: int | None) -> Reading:
        """Go on with a text.

        Args:
            text: what comes next.
            restart: whether to begin anew.
            gates: the recurrent layer whose gates are shown, or None.

        Returns:
            Tokens that are new or have changed since the last message, with their log-probabilities, and what is
            likely to come.
        """
        settled = None if restart else self._settled
        if settled is None:
            start = self._reader.to_continue("")
            found = await self._together.patiently(start)
            settled = _Place(0, found)
        pending = ("" if restart else self._pending) + text
        cut = _settles(pending) if self._grows and len(pending) <= LONGEST else len(pending)
        place, tokens, logs, shown = settled, list[str](), list[float](), dict[str, list[list[float]]]()
        parts = [pending[:cut], pending[cut:]]
        for number, part in enumerate(parts):
            ids: IntArray = self._reader.tokenizer.encode(part).ids
            if not len(ids):
                continue
            if gates is not None:
                for name, rows in (await self._engine.run(self._reader.gates, ids, place.found.state, gates)).items():
                    shown.setdefault(name, []).extend(rows)
            after = await self._read(place, ids)
            tokens += [self._reader.tokenizer.label(token) for token in ids.tolist()]
            logs += after.found.log_probabilities
            place = after
            if number == 0:
                settled = after
        self._settled, self._pending = settled, parts[1]
        begin = place.count - len(tokens)
        return Reading(begin, tokens, logs, place.found.next, None if gates is None else shown)

    async def _read(self, place: _Place, ids: IntArray) -> _Place:
        """Tokens after a place; the first one's log-probability is known from what was read before."""
        found = await self._together.patiently(Ask(ids, place.found.state, ids, place.found.last))
        return _Place(place.count + len(ids), found)


def _settles(text: str) -> int:
    """How many characters are tokens that what follows cannot change: those before the last white space."""
    end = len(text.rstrip(BLANKS)) if text[-1:] in BLANKS else len(text)
    if text[-1:] and text[-1] in BLANKS:
        return end
    before = max(map(text.rfind, BLANKS)) + 1
    return len(text[:before].rstrip(BLANKS)) if before else 0
