"""What a composer learns from: tunes of either kind, cut into parts for training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longshort.data.midi import Tune, notes_of, read_tunes
from longshort.data.music_tokens import MusicTokens
from longshort.data.rolls import is_rolls, read_rolls, roll_of_notes
from longshort.errors import InputError
from longshort.tasks.compose.config import ComposeConfig, Plan, make_plan
from longshort.tasks.compose.pieces import Encoding, Piece, RollEncoding, TokenEncoding

PARTS = ("training", "validation", "test")
# The split of tunes that come without parts is the same for every seed of the training.
SPLIT_SEED = 0


@dataclass(frozen=True)
class Part:
    """Tunes and their names."""

    pieces: tuple[Piece, ...] = ()
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pieces)

    def chosen(self, places: Sequence[int]) -> Part:
        """Some of them."""
        return Part(tuple(self.pieces[k] for k in places), tuple(self.names[k] for k in places))


@dataclass(frozen=True)
class Material:
    """Tunes of every part, and what was made of them.

    Attributes:
        encoding: what they are made of.
        parts: the test part may be empty.
        plan: sizes and length of training.
        data: checksums and counts of what was given.
        notes: what was found on reading.
    """

    encoding: Encoding
    parts: dict[str, Part]
    plan: Plan
    data: dict[str, Any]
    notes: tuple[str, ...]


def read_material(source: Any, config: ComposeConfig, *, validation: Any = None, test: Any = None) -> Material:
    """Read tunes and share them out.

    Args:
        source, validation, test: MIDI files or folders, or a file of piano rolls. Parts that are neither given nor
            told apart in the source are drawn from its tunes.
        config: settings.

    Raises:
        InputError: something cannot be read, the kinds differ, or there are too few tunes.
    """
    sources = {"training": source, "validation": validation, "test": test}
    given = {part: where for part, where in sources.items() if where is not None}
    if len({is_rolls(where) for where in given.values()}) > 1:
        raise InputError("some of the files are piano rolls and some are not: give parts of one kind")
    encoding, read, notes = (_rolls if is_rolls(source) else _tunes)(given, config)
    parts = {part: read["training"].get(part, Part()) for part in PARTS}
    for part in PARTS[1:]:
        if part in read:
            parts[part] = merged(read[part])
    parts = _shared_out(parts, config, given=tuple(given))
    for part, least in (("training", 2), ("validation", 1)):
        if len(parts[part]) < least:
            raise InputError(
                f"{source}: the {part} part has {len(parts[part])} tunes, at least {least} are needed: give more tunes"
            )
    counts = (len(parts["training"]), len(parts["validation"]), len(parts["test"]))
    learnt = sum(len(piece) for piece in parts["training"].pieces)
    data = {part: _fingerprint([p for group in read[part].values() for p in group.pieces]) for part in given}
    plan = make_plan(config, encoding.kind, encoding.size, counts, learnt)
    return Material(encoding, parts, plan, data, tuple(notes))


def read_pieces(source: Any, encoding: Encoding) -> tuple[Part, tuple[str, ...]]:
    """Tunes of the kind that was learnt from, for evaluation or to go on from; and notes.

    Of a source with parts only the test is taken, if there is one.

    Raises:
        InputError: they cannot be read, or are of the other kind.
    """
    rolls = is_rolls(source)
    if rolls != isinstance(encoding, RollEncoding):
        what = ("piano rolls", "a .mat or .npz file") if encoding.kind == "rolls" else ("MIDI files", "such files")
        raise InputError(f"the run learnt from {what[0]}: give {what[1]}")
    if rolls:
        found = read_rolls(source)
        part = {name: Part(found.parts[name], found.names[name]) for name in found.parts}
        notes = found.notes
    else:
        assert isinstance(encoding, TokenEncoding)
        tunes = read_tunes(source)
        part, more = _encoded(tunes.parts, encoding.tokens)
        notes = (*tunes.notes, *more)
    chosen = part["test"] if part.get("test") else merged(part)
    if not len(chosen):
        raise InputError(f"{source}: no note in it is on the keys of a piano; give other tunes")
    return chosen, notes


def piece_of(tune: Tune, encoding: Encoding) -> Piece:
    """A tune from MIDI as the network reads it; where that learnt from rolls, one whose notes begin with its frames.

    Raises:
        InputError: no note of it is on the keys of a piano.
    """
    if isinstance(encoding, RollEncoding):
        piece: Piece = roll_of_notes(notes_of(tune.score), encoding.frame)
        notes = int(piece.sum())
    else:
        assert isinstance(encoding, TokenEncoding)
        piece = encoding.tokens.encode(tune.score)
        notes = encoding.tokens.count_notes(piece)
    if not notes:
        raise InputError(f"{tune.name}: no note in it is on the keys of a piano; give another")
    return piece


def merged(parts: dict[str, Part]) -> Part:
    """All parts as one."""
    return Part(
        tuple(piece for part in parts.values() for piece in part.pieces),
        tuple(name for part in parts.values() for name in part.names),
    )


def _rolls(given: dict[str, Any], config: ComposeConfig) -> tuple[Encoding, dict[str, dict[str, Part]], list[str]]:
    found = {part: read_rolls(Path(where)) for part, where in given.items()}
    read = {
        part: {name: Part(rolls.parts[name], rolls.names[name]) for name in rolls.parts}
        for part, rolls in found.items()
    }
    return RollEncoding(config.frame), read, [note for rolls in found.values() for note in rolls.notes]


def _tunes(given: dict[str, Any], config: ComposeConfig) -> tuple[Encoding, dict[str, dict[str, Part]], list[str]]:
    found = {part: read_tunes(where) for part, where in given.items()}
    programs = {
        -1 if track.is_drum else track.program
        for tunes in found["training"].parts.values()
        for tune in tunes
        for track in tune.score.tracks
    }
    tokens = MusicTokens(len(programs) > 1)
    read, notes = {}, [note for tunes in found.values() for note in tunes.notes]
    for part, tunes in found.items():
        read[part], more = _encoded(tunes.parts, tokens)
        notes += more
    return TokenEncoding(tokens), read, notes


def _encoded(parts: dict[str, tuple[Tune, ...]], tokens: MusicTokens) -> tuple[dict[str, Part], list[str]]:
    result, left = {}, []
    for name, tunes in parts.items():
        pieces, names = [], []
        for tune in tunes:
            try:
                ids = tokens.encode(tune.score)
            except InputError as error:
                left.append(f"{tune.name} ({error})")
                continue
            if not tokens.count_notes(ids):
                left.append(f"{tune.name} (no note on the keys of a piano)")
                continue
            pieces.append(ids)
            names.append(tune.name)
        result[name] = Part(tuple(pieces), tuple(names))
    more = f" and {len(left) - 5:,} more" if len(left) > 5 else ""
    return result, [f"{len(left):,} tunes left out: {', '.join(left[:5])}{more}"] if left else []


def _shared_out(parts: dict[str, Part], config: ComposeConfig, given: tuple[str, ...]) -> dict[str, Part]:
    """Draw what is missing from the training part."""
    training = parts["training"]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(training)).tolist()
    result = dict(parts)
    for part in reversed(PARTS[1:]):
        share = getattr(config, part)
        if not len(parts[part]) and part not in given and share > 0:
            count = max(1, round(share * len(training)))
            result[part] = training.chosen(sorted(order[:count]))
            order = order[count:]
    return {**result, "training": training.chosen(sorted(order))}


def _fingerprint(pieces: Sequence[Piece]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little") + np.ascontiguousarray(piece).tobytes())
    return {"sha256": digest.hexdigest(), "tunes": len(pieces), "steps": sum(len(piece) for piece in pieces)}
