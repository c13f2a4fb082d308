"""The recordings of a run, as files: all their transcripts, and the features of those that are needed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from longshort.artifact import RunDirectory
from longshort.tasks.transcribe.utterances import Utterances

RECORDINGS, FEATURES, TOKENIZER = "recordings.parquet", "features.safetensors", "tokenizer.json"


def write_parts(run: RunDirectory, parts: dict[str, Utterances]) -> None:
    """Write `part`, `name`, `path`, `text` and `speaker` of recordings, and their features in the same order."""
    rows = [(part, k, u) for part, u in parts.items() for k in range(len(u))]
    table: dict[str, list[str | None]] = {
        "part": [part for part, _, _ in rows],
        "name": [u.names[k] for _, k, u in rows],
        "path": [str(u.paths[k].resolve()) if u.paths else None for _, k, u in rows],
        "text": [u.texts[k] for _, k, u in rows],
        "speaker": [u.speakers[k] if u.speakers else None for _, k, u in rows],
    }
    run.write_table(RECORDINGS, pl.DataFrame({k: pl.Series(v, dtype=pl.String) for k, v in table.items()}))
    features = [u.features[k] for _, k, u in rows]
    lengths = np.array([len(f) for f in features], dtype=np.int64)
    run.write_tensors(FEATURES, {"values": np.concatenate(features), "lengths": lengths})


def read_parts(run: RunDirectory, names: tuple[str, ...]) -> dict[str, Utterances]:
    """The inverse of `write_parts`."""
    table, tensors = run.read_table(RECORDINGS), run.read_tensors(FEATURES)
    features = tuple(np.split(tensors["values"].astype(np.float32), np.cumsum(tensors["lengths"])[:-1]))
    paths, speakers = table["path"].to_list(), table["speaker"].to_list()
    whole = Utterances(
        names=tuple(table["name"].to_list()),
        paths=() if None in paths else tuple(Path(path) for path in paths),
        features=features,
        texts=tuple(table["text"].to_list()),
        speakers=() if None in speakers else tuple(speakers),
    )
    part = table["part"].to_numpy()
    return {name: whole.chosen(np.flatnonzero(part == name)) for name in names}
