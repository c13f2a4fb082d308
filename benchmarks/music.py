"""Every figure on music that the README quotes. Each part prints a table and writes it as JSON.

    python benchmarks/music.py jsb                  JSB Chorales, piano rolls, nats a frame
    python benchmarks/music.py nottingham-rolls     Nottingham, piano rolls, nats a frame
    python benchmarks/music.py nottingham-tunes     Nottingham, MIDI files as tokens: nats a note, habits, novelty

The rolls are split as in the literature; of the tunes a tenth is held out for the test, drawn once. Data sets come from
the folder LONGSHORT_DATA; the rolls are fetched if they are not there, the tunes (music/nottingham-midi, the MIDI files
of jukedeck/nottingham-dataset) are not. A part writes a run directory for each seed below --runs and goes on with what
it finds there unfinished; a finished one is only read. Settings are to be chosen on validation parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from longshort import Composer
from longshort.data.datasets import dataset_path
from record import fitted, main, spread


def jsb(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """229 / 76 / 77 chorales, a frame a quarter note."""
    given = {"frame": 1.0, "steps": 4_000, **settings}
    return _fit(runs / "jsb", seeds, dataset_path("music/JSB_Chorales.mat"), given)


def nottingham_rolls(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """694 / 173 / 170 folk tunes, a frame an eighth note."""
    given = {"frame": 0.5, "steps": 5_000, **settings}
    return _fit(runs / "nottingham-rolls", seeds, dataset_path("music/Nottingham.mat"), given)


def nottingham_tunes(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """1,034 folk tunes with melody and chords; the network and the chain write 20 tunes of 16 bars each."""
    folder = Path(os.environ.get("LONGSHORT_DATA", "data")) / "music" / "nottingham-midi"
    return _fit(runs / "nottingham-tunes", seeds, folder, settings)


def _fit(runs: Path, seeds: Sequence[int], data: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Train a model for each seed; give mean and spread of ours, and the other rows of the last one."""
    rows, others, inside = [], {}, {}
    for seed in seeds:
        model, seconds = fitted(Composer(seed=seed, **settings), runs / f"seed-{seed}", data)
        learnt = model.fitted
        assert learnt.scores
        overall = learnt.scores.overall
        weights = sum(p.numel() for p in learnt.network.parameters())
        valid = min(check.validation or 0.0 for check in learnt.checks[0])
        rows.append({**overall[model.name], "validation loss": valid, "weights": weights, "seconds": seconds})
        others = {name: row for name, row in overall.items() if name != model.name}
        # Of every habit how far the written tunes are from the corpus, and how far held-out ones are at most.
        inside[f"seed {seed}"] = {
            f"{name}, {which}": value
            for name, pair in learnt.scores.inside.items()
            for which, value in zip(("ours", "held-out"), pair, strict=True)
        }
        print(f"seed {seed}:", {k: round(v, 4) for k, v in rows[-1].items() if v is not None}, flush=True)
        print(learnt.scores.verdict, flush=True)
    return {model.name: spread(rows), **others, **inside}


PART: dict[str, Callable[..., dict[str, Any]]] = {
    "jsb": jsb,
    "nottingham-rolls": nottingham_rolls,
    "nottingham-tunes": nottingham_tunes,
}


if __name__ == "__main__":
    main(__doc__, "music", PART)
