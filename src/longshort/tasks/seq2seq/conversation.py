"""Conversations as a network reads them: each turn behind the mark of its speaker, and the mark of who replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshort.data.dialogues import Dialogues, Turn, read_dialogues, turns_of
from longshort.errors import InputError
from longshort.tasks.seq2seq.vocabulary import mark, named

# The mark of speakers that were not learnt from.
OTHER = "somebody"


@dataclass(frozen=True)
class Conversation:
    """Who speaks.

    Attributes:
        speaker: who replies.
        marks: names of all that were learnt from, and `OTHER`.
    """

    speaker: str
    marks: tuple[str, ...]

    def context(self, turns: Sequence[Turn]) -> str:
        """What is read of turns."""
        number = {name: k for k, name in enumerate(self.marks)}
        said = [f"{mark(number.get(turn.speaker, number[OTHER]))} {turn.text}" for turn in turns]
        return " ".join([*said, mark(number[self.speaker])])

    def contexts(self, data: Any) -> list[str]:
        """What is read of dialogues: the path of a file of them, `Dialogues`, or a list of lists of turns.

        Raises:
            InputError: they cannot be read, or nothing was said yet.
        """
        if isinstance(data, str | Path):
            asked: Sequence[tuple[Turn, ...]] = read_dialogues(data, least=1).dialogues
        elif isinstance(data, Dialogues):
            asked = data.dialogues
        else:
            asked = [self._history(turns, f"dialogue {number}") for number, turns in enumerate(data, 1)]
        return [self.context(turns) for turns in asked]

    def _history(self, turns: Any, place: str) -> tuple[Turn, ...]:
        """Turns as a user gives them; texts without names are spoken by turns, the last one not by the model."""
        if isinstance(turns, str):
            turns = [turns]
        if all(isinstance(turn, str) for turn in turns):
            partner = next((name for name in self.marks if name not in (self.speaker, OTHER)), OTHER)
            names = (partner, self.speaker)
            turns = [(names[(len(turns) - 1 - k) % 2], text) for k, text in enumerate(turns)]
        found = turns_of(turns, place)
        if not found:
            raise InputError(f"{place}: nothing was said yet; give at least one turn")
        return found

    def shown(self, context: str) -> str:
        """A context with a line for every turn."""
        return "\n".join(line.strip() for line in named(context, self.marks).split("\n")[:-1])

    def to_json(self) -> dict[str, Any]:
        """As model.json holds it."""
        return {"speaker": self.speaker, "speakers": list(self.marks)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Conversation:
        """The inverse of `to_json`."""
        return cls(value["speaker"], tuple(value["speakers"]))
