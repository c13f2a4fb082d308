"""Music as a row of tokens, by miditok's REMI, and back.

REMI (Huang & Yang 2020, arXiv 2002.00212) says where in its bar a note begins, and names every bar: the length of a
tune in bars is a count of tokens, metre and repetition are easy to see, and a transposition changes pitches alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.midi import Notes
from longshort.errors import InputError

IntArray = NDArray[np.int32]

# Keys of a piano; twelve steps a quarter note hold sixteenths and triplets, long notes are rounded to sixteenths.
PITCHES = (21, 109)
RESOLUTION = {(0, 4): 12, (4, 16): 4}
SPECIAL = ["PAD", "BOS", "EOS"]


# Places of a beat in its bar, and ticks of a quarter note: an eighth has as many places as a quarter.
PLACES, TICKS = 12, 24
# What may come after a token of each type. Where notes say their instrument, that comes before the pitch.
FOLLOWERS = {
    "BOS": {"Bar"},
    "Bar": {"TimeSig"},
    "TimeSig": {"Bar", "Position", "Pitch"},
    "Position": {"Pitch"},
    "Pitch": {"Duration"},
    "Duration": {"Bar", "Position", "Pitch"},
}


class MusicTokens:
    """The vocabulary and both directions; only music that is read needs miditok.

    Args:
        programs: whether notes say their instrument; else all but drums is one instrument's, and drums are left out.
        names: of all tokens, in the order of their numbers; None for miditok's.
    """

    def __init__(self, programs: bool, names: Sequence[str] | None = None) -> None:
        self.programs = programs
        self.names = list(_miditoks(programs)[1] if names is None else names)
        self.types = [name.partition("_")[0] for name in self.names]
        self.begin, self.end = self.names.index("BOS_None"), self.names.index("EOS_None")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def pitches(self) -> IntArray:
        """The pitch of every token, -1 for those that are none, (V,); a drum has none."""
        return self._numbers("Pitch")

    @cached_property
    def positions(self) -> IntArray:
        """The place in its bar that a token stands for, -1 for those that stand for none, (V,)."""
        return self._numbers("Position")

    def _numbers(self, kind: str) -> IntArray:
        """What stands behind the name of a kind of token, -1 for the others."""
        pairs = (name.split("_", 1) for name in self.names)
        return np.array([int(number) if which == kind else -1 for which, number in pairs], np.int32)

    def bar_length(self, token: int) -> int:
        """How many places a bar has in the metre of a token such as TimeSig_6/8."""
        return PLACES * int(self.names[token].partition("_")[2].partition("/")[0])

    def followers(self, kind: str) -> set[str]:
        """Types of tokens that may come after one of a type."""
        if not self.programs:
            return FOLLOWERS.get(kind, set())
        if kind == "Program":
            return {"Pitch", "PitchDrum"}
        after = FOLLOWERS.get(kind.removesuffix("Drum"), set())
        return {"Program" if which == "Pitch" else which for which in after}

    def encode(self, score: Any) -> IntArray:
        """Tokens of a score, (N,), without begin and end; none where it has no note that the tokens can say.

        Raises:
            InputError: miditok cannot read it, is not installed, or numbers its tokens in another way.
        """
        inner = self._inner
        score = score.copy()
        if not self.programs:
            score = _one_track(score)
        if not len(score.tracks):
            return np.zeros(0, np.int32)
        try:
            found = inner.encode(score)
        except Exception as error:  # a bar that miditok cannot count, and the like
            raise InputError(f"miditok cannot read it ({' '.join(str(error).split()[:12])})") from None
        found = found[0] if isinstance(found, list) else found
        return np.asarray(found.ids, np.int32)

    def notes(self, ids: IntArray) -> Notes:
        """The notes of tokens, as `longshort.data.midi.notes_of` gives those of a score; what makes no sense where it
        stands is passed over."""
        names = [self.names[i].split("_", 1) for i in ids if i not in (self.begin, self.end)]
        told = next(
            (i for i, (kind, _) in enumerate(names) if kind in ("TimeSig", "Pitch", "PitchDrum", "Duration")), 0
        )
        beats, beat = _metre(names[told][1]) if names and names[told][0] == "TimeSig" else _metre("4/4")
        found: dict[int, list[tuple[int, int, int, int]]] = {}
        bar, now, begun, program = 0, 0, False, 0
        for (kind, value), (after, long) in zip(names, [*names[1:], ("", "")], strict=True):
            if kind == "Bar":
                bar, begun = (bar + beats * beat if begun else now), True
                now = bar
            elif kind == "TimeSig":
                beats, beat = _metre(value)
            elif kind == "Position":
                begun, now = True, bar + int(value) * beat // PLACES
            elif kind == "Program":
                program = int(value)
            elif kind in ("Pitch", "PitchDrum") and after == "Duration":
                whole, part, parts = map(int, long.split("."))
                row = (now, (whole * parts + part) * beat // parts, int(value), program)
                found.setdefault(program, []).append(row)
        notes = np.array([row for rows in found.values() for row in rows], dtype=np.float64).reshape(-1, 4)
        notes[:, :2] /= TICKS
        return notes[np.lexsort((-notes[:, 2], notes[:, 0]))]

    def transposed(self, ids: IntArray, interval: int) -> IntArray:
        """The same tune so many semitones higher; it must have room, see `room`."""
        return self._table(interval)[ids] if interval else ids

    def room(self, ids: IntArray) -> tuple[int, int]:
        """By how many semitones a tune can go down (0 or below) and up."""
        pitches = self.pitches[ids]
        pitches = pitches[pitches >= 0]
        if not len(pitches):
            return 0, 0
        return PITCHES[0] - int(pitches.min()), PITCHES[1] - 1 - int(pitches.max())

    def count_notes(self, ids: IntArray) -> int:
        """How many notes a row of tokens holds."""
        return int(np.isin(ids, self._note_ids).sum())

    @cached_property
    def _note_ids(self) -> list[int]:
        return [k for k, kind in enumerate(self.types) if kind in ("Pitch", "PitchDrum")]

    def _table(self, interval: int) -> IntArray:
        place = {int(pitch): k for k, pitch in enumerate(self.pitches) if pitch >= 0}
        return np.array(
            [place.get(int(p) + interval, k) if p >= 0 else k for k, p in enumerate(self.pitches)], np.int32
        )

    def to_json(self) -> dict[str, Any]:
        """As tokenizer.json holds it: which tokens there are, in the order of their numbers."""
        return {"kind": "REMI", "programs": self.programs, "tokens": self.names}

    @classmethod
    def from_json(cls, described: dict[str, Any]) -> MusicTokens:
        """The inverse of `to_json`."""
        return cls(bool(described["programs"]), described["tokens"])

    @cached_property
    def _inner(self) -> Any:
        """What makes tokens of scores."""
        inner, names = _miditoks(self.programs)
        if names != self.names:
            raise InputError(
                "the run's tokens are those of another version of miditok: install the one it was made with"
            )
        return inner


def _miditoks(programs: bool) -> tuple[Any, list[str]]:
    """The tokenizer of miditok, and the names of its tokens."""
    try:
        from miditok import REMI, TokenizerConfig
    except ImportError:
        raise InputError("MIDI needs the extra music: pip install 'longshort[music]'") from None
    inner = REMI(
        TokenizerConfig(
            pitch_range=PITCHES,
            beat_res=RESOLUTION,
            special_tokens=SPECIAL,
            use_velocities=False,
            use_chords=False,
            use_rests=False,
            use_tempos=False,
            use_time_signatures=True,
            use_programs=programs,
            one_token_stream_for_programs=programs,
            use_pitchdrum_tokens=programs,
            use_sustain_pedals=False,
            use_pitch_bends=False,
        )
    )
    vocabulary: dict[str, int] = inner.vocab
    return inner, sorted(vocabulary, key=lambda name: vocabulary[name])


def _metre(text: str) -> tuple[int, int]:
    """Beats of a bar, and ticks of a beat, of a metre such as 6/8."""
    beats, beat = map(int, text.split("/"))
    return beats, 4 * TICKS // beat


def _one_track(score: Any) -> Any:
    """All but the drums as the notes of one instrument."""
    tracks = [track for track in score.tracks if not track.is_drum]
    for other in tracks[1:]:
        tracks[0].notes.extend(other.notes)
    if tracks:
        tracks[0].program = 0
        tracks[0].notes.sort(inplace=True)
    score.tracks = tracks[:1]
    return score
