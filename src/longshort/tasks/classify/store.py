"""The examples of a run, as files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from longshort.artifact import RunDirectory
from longshort.tasks.classify.examples import Examples
from longshort.tasks.classify.material import PARTS

EXAMPLES, VALUES = "examples.parquet", "values.safetensors"


def write_parts(run: RunDirectory, parts: dict[str, Examples], classes: Sequence[str]) -> None:
    """Write all examples: `part`, `name` (a text, or the name of a sequence) and `label`; and values of sequences."""
    names = [name for part in PARTS for name in parts[part].names]
    table = {
        "part": [part for part in PARTS for _ in range(len(parts[part]))],
        "name": pl.Series(names, dtype=pl.String),
        "label": [classes[code] for part in PARTS for code in parts[part].codes],
    }
    run.write_table(EXAMPLES, pl.DataFrame(table))
    contents = [content for part in PARTS for content in parts[part].content]
    if contents and not isinstance(contents[0], str):
        lengths = np.array([len(content) for content in contents], dtype=np.int64)
        run.write_tensors(VALUES, {"values": np.concatenate(contents), "lengths": lengths})


def read_parts(run: RunDirectory, classes: Sequence[str]) -> dict[str, Examples]:
    """The inverse of `write_parts`."""
    table = run.read_table(EXAMPLES)
    number = {label: k for k, label in enumerate(classes)}
    names = tuple(table["name"].to_list())
    codes = np.array([number[label] for label in table["label"]], dtype=np.int64)
    content: tuple[object, ...] = names
    if run.has(VALUES):
        tensors = run.read_tensors(VALUES)
        content = tuple(np.split(tensors["values"].astype(np.float32), np.cumsum(tensors["lengths"])[:-1]))
    whole, part = Examples(content, names, codes), table["part"].to_numpy()
    return {name: whole.chosen(np.flatnonzero(part == name)) for name in PARTS}
