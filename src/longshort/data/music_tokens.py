"""Music as a row of tokens, by miditok's REMI, and back.

REMI (Huang & Yang 2020, arXiv 2002.00212) says where in its bar a note begins, and names every bar: the length of a
tune in bars is a count of tokens, metre and repetition are easy to see, and a transposition changes pitches alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.errors import InputError

IntArray = NDArray[np.int32]

# Keys of a piano; twelve steps a quarter note hold sixteenths and triplets, long notes are rounded to sixteenths.
PITCHES = (21, 109)
RESOLUTION = {(0, 4): 12, (4, 16): 4}
SPECIAL = ["PAD", "BOS", "EOS"]


class MusicTokens:
    """The vocabulary and both directions.

    Args:
        programs: whether notes say their instrument; else all but drums is one instrument's, and drums are left out.
    """

    def __init__(self, programs: bool) -> None:
        try:
            from miditok import REMI, TokenizerConfig
        except ImportError:
            raise InputError("MIDI needs the extra music: pip install 'longshort[music]'") from None
        self.programs = programs
        self._inner = REMI(
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
        vocabulary: dict[str, int] = self._inner.vocab
        self.names = sorted(vocabulary, key=lambda name: vocabulary[name])
        self.types = [name.partition("_")[0] for name in self.names]
        self.begin, self.end = vocabulary["BOS_None"], vocabulary["EOS_None"]

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
        return max(RESOLUTION.values()) * int(self.names[token].partition("_")[2].partition("/")[0])

    def followers(self, kind: str) -> set[str]:
        """Types of tokens that may come after one of a type."""
        if kind == "BOS":
            return {"Bar"}
        after: set[str] = self._inner.tokens_types_graph[kind]
        return after - {"PAD", "BOS", "PAD_None", "BOS_None", "EOS_None"}

    def encode(self, score: Any) -> IntArray:
        """Tokens of a score, (N,), without begin and end; none where it has no note that the tokens can say."""
        score = score.copy()
        if not self.programs:
            score = _one_track(score)
        if not len(score.tracks):
            return np.zeros(0, np.int32)
        try:
            found = self._inner.encode(score)
        except Exception as error:  # a bar that miditok cannot count, and the like
            raise InputError(f"miditok cannot read it ({' '.join(str(error).split()[:12])})") from None
        found = found[0] if isinstance(found, list) else found
        return np.asarray(found.ids, np.int32)

    def decode(self, ids: IntArray) -> Any:
        """A score of tokens; those that make no sense where they stand are passed over."""
        inner = [int(i) for i in ids if i not in (self.begin, self.end)]
        return self._inner.decode(inner if self.programs else [inner])

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
        """The inverse of `to_json`.

        Raises:
            InputError: the miditok that is installed numbers its tokens in another way.
        """
        tokens = cls(bool(described["programs"]))
        if tokens.names != described["tokens"]:
            raise InputError(
                "the run's tokens are those of another version of miditok: install the one it was made with"
            )
        return tokens


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
