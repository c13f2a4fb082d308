"""Conversations: turns of speakers, from JSON Lines or from a table with a turn on each row."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshort.data.cleaning import clean
from longshort.data.encoding import decode_utf8, read_file
from longshort.data.jsonl import JSONL_SUFFIXES, objects
from longshort.errors import InputError

TURN_FIELDS = ("turns", "dialogue", "dialog", "messages", "conversation", "utterances")
SPEAKER_FIELDS = ("speaker", "role", "from", "author")
TEXT_FIELDS = ("text", "content", "utterance", "value", "message")
# Who speaks where nobody is named: by turns.
NAMELESS = ("A", "B")
# Conversations in which more different speakers talk are not told apart; the rest become one.
SPEAKERS = 8


@dataclass(frozen=True)
class Turn:
    """What one speaker said."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Dialogues:
    """Conversations of two turns or more.

    Attributes:
        dialogues: the turns of each, in their order; texts are clean, none is empty.
        name: the path as it was given, or "the list".
        notes: what was left out, a sentence each.
    """

    dialogues: tuple[tuple[Turn, ...], ...]
    name: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.dialogues)

    def fingerprint(self) -> dict[str, str | int]:
        """What config.json keeps of the data: a SHA-256 of all turns, and the number of dialogues."""
        digest = hashlib.sha256()
        for turns in self.dialogues:
            for turn in turns:
                data = f"{turn.speaker}\0{turn.text}\0".encode()
                digest.update(data)
            digest.update(b"/")
        return {"sha256": digest.hexdigest(), "dialogues": len(self)}

    @property
    def speakers(self) -> Counter[str]:
        """Turns of each speaker."""
        return Counter(turn.speaker for turns in self.dialogues for turn in turns)


def read_dialogues(source: Any, *, least: int = 2) -> Dialogues:
    """Conversations from a JSON Lines file, a list, or `Dialogues`.

    Each line is an object with "turns" (or "messages", "dialogue", …), a list of turns; each turn is an object with
    "speaker" (or "role", "from") and "text" (or "content", "value"), or a text alone, and then the speakers take turns.

    Args:
        source: where they are.
        least: turns of a dialogue; those with fewer are left out with a note.

    Raises:
        InputError: a line is no such object, a turn has no text, or nothing is left.
    """
    if isinstance(source, Dialogues):
        return source
    if isinstance(source, list | tuple):
        if len(source) == 1 and isinstance(source[0], str | Path):
            return read_dialogues(source[0], least=least)
        found = [(f"dialogue {k}", turns) for k, turns in enumerate(source, 1)]
        return _checked(found, "the list", least)
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{source}: there is no such file; check the path")
    if not str(source).lower().endswith(JSONL_SUFFIXES):
        raise InputError(f'{source}: dialogues are read from JSON Lines (.jsonl), an object with "turns" on each line')
    text = decode_utf8(read_file(path), str(source)).removeprefix("\ufeff")
    found = []
    for line, item in objects(text, str(source)):
        place = f"{source}, line {line}"
        field = next((name for name in TURN_FIELDS if name in item), None)
        if field is None:
            raise InputError(f'{place}: no list of turns; write {{"turns": [{{"speaker": "…", "text": "…"}}, …]}}')
        found.append((place, item[field]))
    if not found:
        raise InputError(f"{source}: the file is empty; give a dialogue on each line")
    return _checked(found, str(source), least)


def turns_of(turns: Any, place: str) -> tuple[Turn, ...]:
    """Turns as they are given: objects, pairs of speaker and text, texts alone, or `Turn`; those without text go.

    Raises:
        InputError: a turn is none of these.
    """
    if isinstance(turns, str) or not isinstance(turns, Sequence):
        raise InputError(f"{place}: turns must be a list, not a {type(turns).__name__}; correct it")
    result = []
    for number, turn in enumerate(turns):
        speaker, text = _speaker_and_text(turn, number)
        if not isinstance(text, str) or not isinstance(speaker, str):
            raise InputError(f'{place}, turn {number + 1}: no text; write {{"speaker": "…", "text": "…"}}')
        if clean(text):
            result.append(Turn(clean(speaker) or NAMELESS[number % 2], clean(text)))
    return tuple(result)


def _speaker_and_text(turn: Any, number: int) -> tuple[Any, Any]:
    if isinstance(turn, Turn):
        return turn.speaker, turn.text
    if isinstance(turn, str):
        return NAMELESS[number % 2], turn
    if isinstance(turn, Mapping):
        speaker = next((turn[name] for name in SPEAKER_FIELDS if name in turn), NAMELESS[number % 2])
        return speaker, next((turn[name] for name in TEXT_FIELDS if name in turn), None)
    if isinstance(turn, list | tuple) and len(turn) == 2:
        return turn[0], turn[1]
    return "", None


def _checked(found: Sequence[tuple[str, Any]], name: str, least: int) -> Dialogues:
    dialogues = [turns_of(turns, place) for place, turns in found]
    kept = tuple(turns for turns in dialogues if len(turns) >= least)
    notes = []
    if len(kept) < len(dialogues):
        count = len(dialogues) - len(kept)
        what = "dialogue has" if count == 1 else "dialogues have"
        few = "fewer than two turns" if least == 2 else "no turn"
        notes.append(f"{name}: {count:,} {what} {few} with text: left out, there is nothing to reply to")
    if not kept:
        few = "two turns" if least == 2 else "a turn"
        raise InputError(f"{name}: no dialogue has {few}; give conversations with replies")
    return Dialogues(kept, name, tuple(notes))
