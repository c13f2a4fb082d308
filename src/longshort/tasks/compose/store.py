"""The tunes of a run, and what they are made of, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.music_tokens import MusicTokens
from longshort.data.rolls import KEYS
from longshort.tasks.compose.config import ComposeConfig
from longshort.tasks.compose.material import PARTS, Part
from longshort.tasks.compose.pieces import Encoding, Piece, RollEncoding, TokenEncoding

TUNES, NAMES, TOKENIZER = "tunes.safetensors", "tunes.json", "tokenizer.json"
# Prefix of tunes that a model wrote, behind which its number stands.
WRITTEN = "written-"

Tensors = dict[str, NDArray[np.generic]]


def write(
    run: RunDirectory, encoding: Encoding, parts: Mapping[str, Part], written: Mapping[str, Sequence[Piece]]
) -> None:
    """Write the names and the steps of all tunes, one after the other, and the vocabulary if there is one."""
    groups = {part: parts[part].pieces for part in PARTS}
    groups |= {f"{WRITTEN}{k}": tuple(tunes) for k, tunes in enumerate(written.values())}
    tensors: Tensors = {}
    for name, pieces in groups.items():
        empty = np.zeros((0, KEYS), np.uint8) if encoding.kind == "rolls" else np.zeros(0, np.int32)
        tensors[name] = np.concatenate([empty, *pieces])
        tensors[f"{name}.lengths"] = np.array([len(piece) for piece in pieces], np.int64)
    run.write_tensors(TUNES, tensors)
    run.write_json(NAMES, {"names": {p: list(parts[p].names) for p in PARTS}, "written": list(written)})
    if isinstance(encoding, TokenEncoding):
        run.write_json(TOKENIZER, encoding.tokens.to_json())


def read(run: RunDirectory, config: ComposeConfig) -> tuple[Encoding, dict[str, Part], dict[str, tuple[Piece, ...]]]:
    """The inverse of `write`."""
    tensors, described = run.read_tensors(TUNES), run.read_json(NAMES)
    parts = {part: Part(_split(tensors, part), tuple(described["names"][part])) for part in PARTS}
    written = {name: _split(tensors, f"{WRITTEN}{k}") for k, name in enumerate(described["written"])}
    encoding: Encoding = RollEncoding(config.frame)
    if run.has(TOKENIZER):
        encoding = TokenEncoding(MusicTokens.from_json(run.read_json(TOKENIZER)))
    return encoding, parts, written


def _split(tensors: Tensors, name: str) -> tuple[Piece, ...]:
    lengths = tensors[f"{name}.lengths"].astype(np.int64)
    return tuple(np.split(tensors[name], np.cumsum(lengths)[:-1])) if len(lengths) else ()
