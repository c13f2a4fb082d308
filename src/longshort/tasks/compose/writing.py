"""How a new tune is written: what may come next, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from longshort.data.music_tokens import MusicTokens
from longshort.data.rolls import KEYS, LOWEST
from longshort.errors import InputError
from longshort.sequence.draws import Draws
from longshort.sequence.sampling import Sampling
from longshort.settings import Settings
from longshort.tasks.compose.keys import Key, find_key
from longshort.tasks.compose.pieces import Encoding, Piece, RollEncoding, TokenEncoding

# After so many tokens a bar ends, so that a network that has learnt nothing comes to an end.
CROWDED = 200
# The key of a tune that begins from nothing is that of its first bars.
KEY_BARS = 2
# Quarter notes of a bar of a roll, which has no metre.
BAR = 4.0

FloatArray = NDArray[np.float32]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Composing(Settings):
    """Settings of a composition.

    Attributes:
        bars: how long the new part is; of rolls in bars of four quarter notes.
        tempo: quarter notes a minute; None for that of the tune that is continued, or else 120.
        temperature: the logits are divided by it: below 1 likely notes become likelier; 0 always takes the likeliest.
        top_k, top_p: draw from the k likeliest tokens only; from the fewest that together have this probability. For
            tokens alone.
        key: "free"; "kept" for that of the tune that is continued, or of the first two bars of a new one; or one such
            as "D" or "F# minor". Notes outside it are not drawn.
        instruments: programs from 0 to 127, by which those of the tune are replaced in their order; () leaves them.
        seed: of the draws; None for other ones every time.
    """

    bars: int = 16
    tempo: float | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    key: str = "free"
    instruments: tuple[int, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        self._whole("bars", least=1)
        self._number("tempo", positive=True, optional=True)
        self._need(self.tempo is None or 4 <= self.tempo <= 1000, f"tempo must be from 4 to 1000, not {self.tempo}")
        self.sampling(1)
        right = isinstance(self.instruments, tuple) and all(
            isinstance(p, int) and not isinstance(p, bool) and 0 <= p < 128 for p in self.instruments
        )
        self._need(right, f"instruments must be programs from 0 to 127, not {self.instruments!r}")
        self._need(isinstance(self.key, str), f"key must be free, kept, or the name of one, not {self.key!r}")
        if self.key not in ("free", "kept"):
            Key.parse(self.key)

    def sampling(self, tunes: int) -> Sampling:
        """How tokens are drawn, for so many tunes side by side."""
        return Sampling(
            length=(CROWDED + 4) * self.bars + 1,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            samples=tunes,
            seed=self.seed,
        )


class TokenAuthor(Protocol):
    """What tells tokens, a network or a chain, whoever computes it."""

    def generate(
        self, start: Sequence[int], sampling: Sampling, restrict: Callable[[FloatArray], FloatArray]
    ) -> Iterator[list[int]]:
        """The next token of every tune, again and again.

        Args:
            start: tokens to go on from, at least one.
            sampling: how to draw.
            restrict: from the logits of the next tokens, (tunes, V), to those that are drawn from.
        """


class RollAuthor(Protocol):
    """What tells frames, a network or a chain, whoever computes it."""

    def frames(self, start: Piece) -> Generator[FloatArray, Piece, None]:
        """Logits of the keys of the next frame, (S, K), of S tunes that begin (T, S, K); and again for every frame
        that is sent, (S, K)."""


def compose(
    author: TokenAuthor | RollAuthor,
    encoding: Encoding,
    composing: Composing,
    openings: Piece,
    before: Piece | None = None,
    tunes: int = 1,
) -> list[Piece]:
    """New tunes, or continuations of one, without what was before.

    Args:
        author: of tunes of the encoding's kind.
        encoding: of tunes.
        composing: how.
        openings: first frames, one of which a new roll begins with, (any, K).
        before: a tune to go on from.
        tunes: how many, side by side.
    """
    return ended(writing(author, encoding, composing, openings, before, tunes))


def writing(
    author: TokenAuthor | RollAuthor,
    encoding: Encoding,
    composing: Composing,
    openings: Piece,
    before: Piece | None = None,
    tunes: int = 1,
) -> Generator[None, None, list[Piece]]:
    """The same as `compose`, with a break after every token or frame; the tunes are what it returns."""
    if isinstance(encoding, TokenEncoding):
        return (yield from _tokens(author, encoding.tokens, composing, before, tunes))  # type: ignore[arg-type]
    assert isinstance(encoding, RollEncoding)
    if composing.top_k is not None or composing.top_p is not None:
        raise InputError("top_k and top_p are for tokens, and the run learnt from piano rolls: leave them out")
    return (yield from _rolls(author, encoding, composing, openings, before, tunes))  # type: ignore[arg-type]


def ended(steps: Generator[None, None, Value]) -> Value:
    """What something with breaks returns, without breaks."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        value: Value = end.value
        return value


def _tokens(
    author: TokenAuthor, tokens: MusicTokens, composing: Composing, before: Piece | None, tunes: int
) -> Generator[None, None, list[Piece]]:
    start = [tokens.begin, *([] if before is None else before.tolist())]
    score = Score(tokens, composing, start, tunes)
    for ids in author.generate(start, composing.sampling(tunes), score.restrict):
        score.add(ids)
        if all(score.ended):
            break
        yield
    return [np.array(tune, np.int32) for tune in score.tunes]


class Score:
    """Tunes as they grow, and what may come next in each: what REMI allows, in its bar, within the key.

    Args:
        tokens: the vocabulary.
        composing: how.
        start: tokens before, the begin among them.
        tunes: how many, S.
    """

    def __init__(self, tokens: MusicTokens, composing: Composing, start: Sequence[int], tunes: int) -> None:
        self.tokens, self.bars = tokens, composing.bars
        self.tunes: list[list[int]] = [[] for _ in range(tunes)]
        self.ended = [False] * tunes
        self._count = [0] * tunes
        self._last = [tokens.begin] * tunes  # what is written begins with a bar, also behind another tune
        self._crowd = [0] * tunes
        self._is_bar = np.array([kind == "Bar" for kind in tokens.types])
        self._place, self._long = [-1] * tunes, [0] * tunes
        kinds = sorted(set(tokens.types))
        self._follows = {kind: np.isin(tokens.types, [*tokens.followers(kind)]) for kind in kinds}
        self._positions = tokens.positions
        self._is_end = np.arange(len(tokens)) == tokens.end
        self._key = composing.key
        self._in_key: list[NDArray[np.bool_] | None] = [None] * tunes
        if composing.key not in ("free", "kept"):
            self._in_key = [self._inside(Key.parse(composing.key))] * tunes
        elif composing.key == "kept" and len(start) > 1:
            self._in_key = [self._inside(self._found(start[1:]))] * tunes

    def restrict(self, logits: FloatArray) -> FloatArray:
        """Logits of the next tokens, (S, V), with those that may not come at −∞."""
        allowed = np.stack([self._allowed(k) for k in range(len(self.tunes))])
        return np.where(allowed, logits, np.float32(-np.inf))

    def add(self, ids: Sequence[int]) -> None:
        """Take up the next token of every tune."""
        for k, token in enumerate(ids):
            if self.ended[k]:
                continue
            kind = self.tokens.types[token]
            if kind == "Bar":
                if self._count[k] == self.bars:
                    self.ended[k] = True
                    continue
                self._count[k] += 1
                self._crowd[k] = 0
                self._place[k] = -1
                settled = self._count[k] > KEY_BARS and self.tokens.count_notes(np.array(self.tunes[k])) > 0
                if self._key == "kept" and self._in_key[k] is None and settled:
                    self._in_key[k] = self._inside(self._found(self.tunes[k]))
            elif kind == "TimeSig":
                self._long[k] = self.tokens.bar_length(token)
            elif kind == "Position":
                self._place[k] = int(self.tokens.positions[token])
            self._crowd[k] += 1
            self.tunes[k].append(token)
            self._last[k] = token

    def _allowed(self, k: int) -> NDArray[np.bool_]:
        allowed: NDArray[np.bool_] = self._follows[self.tokens.types[self._last[k]]] & ~self._is_end
        # Time goes on within a bar, and not beyond it; the notes of one place come one after the other.
        ahead = (self._positions > self._place[k]) & (self._positions < self._long[k])
        allowed = allowed & (ahead | (self._positions < 0))
        if self._crowd[k] >= CROWDED and (allowed & self._is_bar).any():
            return self._is_bar
        inside = self._in_key[k]
        return allowed if inside is None else allowed & inside

    def _found(self, ids: Sequence[int]) -> Key:
        return find_key(TokenEncoding(self.tokens).notes(np.array(ids)))

    def _inside(self, key: Key) -> NDArray[np.bool_]:
        pitches = self.tokens.pitches
        inside: NDArray[np.bool_] = (pitches < 0) | key.holds[pitches % 12]
        return inside


def _rolls(
    author: RollAuthor,
    encoding: RollEncoding,
    composing: Composing,
    openings: Piece,
    before: Piece | None,
    tunes: int,
) -> Generator[None, None, list[Piece]]:
    draws = Draws(composing.seed)
    if before is None:
        start = openings[draws.below(len(openings), tunes)][None]
    else:
        start = np.repeat(before[:, None], tunes, 1)
    frames = [] if before is not None else [start[0]]
    inside: Piece | None = None
    if composing.key not in ("free", "kept"):
        inside = _in_key(Key.parse(composing.key))
        frames = [frame * inside for frame in frames]
    elif composing.key == "kept" and before is not None:
        inside = _in_key(find_key(encoding.notes(before)))
    steps = author.frames(start)
    logits = next(steps)
    while len(frames) < max(1, round(composing.bars * BAR / encoding.frame)):
        if composing.key == "kept" and inside is None and len(frames) >= KEY_BARS * BAR / encoding.frame:
            done = np.stack(frames)
            inside = np.stack([_in_key(find_key(encoding.notes(done[:, k]))) for k in range(tunes)])
        if composing.temperature == 0:
            p = (logits > 0).astype(np.float32)
        else:
            p = 0.5 * (1 + np.tanh(logits / np.float32(2 * composing.temperature)))  # the logistic function
        drawn = (draws.even_single(*p.shape) < p).astype(np.uint8)
        frames.append(drawn if inside is None else drawn * inside)
        logits = steps.send(frames[-1])
        yield
    whole = np.stack(frames)
    return [whole[:, k] for k in range(tunes)]


def _in_key(key: Key) -> Piece:
    return key.holds[(np.arange(KEYS) + LOWEST) % 12].astype(np.uint8)
