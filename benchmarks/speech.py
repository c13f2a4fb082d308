"""Every speech figure that the README quotes. Each part prints a table and writes it as JSON.

    python benchmarks/speech.py fsdd            Free Spoken Digits, official split, CTC over characters
    python benchmarks/speech.py fsdd-speakers   the same, one speaker left out, mean of six
    python benchmarks/speech.py digit-strings   strings of 3 to 8 digits made from its recordings, speakers mixed
    python benchmarks/speech.py an4             CMU AN4, unseen speakers, features as given; with a language model
    python benchmarks/speech.py live            Free Spoken Digits' strings as a stream: equality, speed, first result

Data sets come from the folder LONGSHORT_DATA. A part writes a run directory for each seed below --runs and goes on with
what it finds there unfinished; a finished one is only read. Settings, those of the search too, are chosen on validation
parts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile
import torch

from longshort import LanguageModel, Transcriber
from longshort.data.datasets import dataset_path
from record import fitted, main, spread

# Strings of digits: how many of each part, how many digits, and the pauses between them in seconds.
STRINGS = {"train": 2_000, "validation": 200, "test": 300}
DIGITS, PAUSES, RATE = (3, 8), (0.05, 0.3), 8_000
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# Weights of the language model and bonuses for words that are tried on the validation part.
WEIGHTS, BONUSES, BEAM = (0.2, 0.4, 0.6, 1.0), (0.0, 1.0, 2.0, 3.0), 16
# Seconds of sound that a live model is fed at a time.
CHUNK = 0.1


def fsdd(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """The official split: 2,700 recordings to learn from, indices 0 to 4 of every digit and speaker for the test."""
    return _fit(runs / "fsdd", seeds, dataset_path("speech/fsdd.csv"), settings)


def fsdd_speakers(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """One speaker after the other is left out and tested on; the mean of the six is what counts."""
    table = pl.read_csv(dataset_path("speech/fsdd.csv")).drop("split")
    folder = dataset_path("speech/fsdd.csv").parent
    table = table.with_columns(path=pl.lit(f"{folder}/") + pl.col("path"))
    found: dict[str, Any] = {}
    of_seeds: dict[str, list[dict[str, float]]] = {}
    for speaker in sorted(table["speaker"].unique()):
        own = pl.col("speaker") == speaker
        given = {"split_by": "recording", **settings}
        rows = _fit(runs / f"fsdd-without-{speaker}", seeds, table.filter(~own), given, test=table.filter(own))
        for name, row in rows.items():
            found[f"{name}, without {speaker}"] = row
            of_seeds.setdefault(name, []).append(row)
    for name, several in of_seeds.items():
        metrics = [m for m in ("word error rate", "character error rate", "all right") if m in several[0]]
        found[f"{name}, mean of {len(several)} speakers"] = {m: statistics.mean(r[m] for r in several) for m in metrics}
    return found


def digit_strings(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Recordings of the official parts one after the other, each from any speaker, with pauses between."""
    return _fit(runs / "digit-strings", seeds, make_strings(runs / "digit-strings-data"), settings)


def make_strings(folder: Path) -> Path:
    """Write the strings as WAV files with a table; test strings are made of test recordings only."""
    path = folder / "strings.csv"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    table = pl.read_csv(dataset_path("speech/fsdd.csv"))
    home, rng, rows = dataset_path("speech/fsdd.csv").parent, np.random.default_rng(0), []
    train = table.filter(pl.col("split") == "train")
    apart = rng.random(train.height) < 0.1  # the validation part's recordings occur in no training string
    pools = {
        "train": train.filter(pl.Series(~apart)),
        "validation": train.filter(pl.Series(apart)),
        "test": table.filter(pl.col("split") == "test"),
    }
    for part, count in STRINGS.items():
        pool = pools[part].to_dicts()
        for k in range(count):
            chosen = [pool[i] for i in rng.integers(0, len(pool), rng.integers(DIGITS[0], DIGITS[1] + 1))]
            sound: list[Any] = []
            for row in chosen:
                sound += [soundfile.read(home / row["path"])[0], np.zeros(int(RATE * rng.uniform(*PAUSES)))]
            soundfile.write(folder / f"{part}-{k:04}.wav", np.concatenate(sound), RATE)
            said = " ".join(row["transcript"] for row in chosen)
            rows.append({"path": f"{part}-{k:04}.wav", "transcript": said, "split": part})
    pl.DataFrame(rows).write_csv(path)
    return path


def an4(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """AN4: 130 test utterances of unseen speakers; greedy, and with a language model of the training transcripts."""
    table = pl.read_csv(dataset_path("speech/an4.csv"))
    lines = table.filter(pl.col("split") == "train")["transcript"].to_list()
    text = runs / "an4-transcripts.txt"
    runs.mkdir(parents=True, exist_ok=True)
    text.write_text("\n".join(lines) + "\n")
    language, _ = fitted(LanguageModel(**LANGUAGE), runs / "an4-language", text)
    words = sorted({word for line in lines for word in line.split()})
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        model, seconds = _train(
            runs / "an4", seed, dataset_path("speech/an4.csv"), settings, features=dataset_path("speech/an4-mfcc.npz")
        )
        scores = model.evaluate()
        rows.setdefault(model.name, []).append({**_row(scores, model), "seconds": seconds})
        grid = [(weight, bonus) for weight in WEIGHTS for bonus in BONUSES]
        searches: dict[str, dict[str, Any]] = {"language model": {}, "language model and word list": {"words": words}}
        for name, more in searches.items():
            tried = []
            for weight, bonus in grid:
                how = {"beam": BEAM, "language": language, "language_weight": weight, "word_bonus": bonus, **more}
                row = model.evaluate("validation", **how).overall[model.name]
                tried.append((row["word error rate"] or 0.0, weight, bonus))
            _, weight, bonus = min(tried)
            how = {"beam": BEAM, "language": language, "language_weight": weight, "word_bonus": bonus, **more}
            told = _row(model.evaluate("test", **how), model)
            rows.setdefault(f"{model.name}, {name}", []).append({**told, "weight": weight, "bonus": bonus})
        print(f"seed {seed}:", {name: round(several[-1]["word error rate"], 4) for name, several in rows.items()})
    others = {name: row for name, row in scores.overall.items() if name != model.name}
    return {**{name: spread(several) for name, several in rows.items()}, **others}


LANGUAGE = {"tokens": "characters", "hidden_size": 192, "test": 0.0, "steps": 1_500, "window": 48, "batch_size": 16}


def live(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """The test strings as streams in chunks of 100 ms, on one core: the same text, how fast, and how soon.

    The first result comes so long after the first word began: how late the network is in saying its first letter, up to
    the end of the chunk that held it, and the computing.
    """
    torch.set_num_threads(1)
    table = make_strings(runs / "digit-strings-data")
    tests = pl.read_csv(table).filter(pl.col("split") == "test")["path"].to_list()
    rows, baselines = [], {}
    for seed in seeds:
        model, seconds = _train(runs / "live", seed, table, {"live": True, **settings})
        rows.append({**_row(model.evaluate(), model), "seconds": seconds, **_stream(model, table.parent, tests)})
        baselines = {name: row for name, row in model.evaluate().overall.items() if name != model.name}
    return {model.name: spread(rows), **baselines}


def _stream(model: Transcriber, folder: Path, names: Sequence[str]) -> dict[str, float]:
    """Shares of equal texts and largest difference; real-time factor; seconds to the first result."""
    equal, took, heard, lags, computing, drift = 0, 0.0, 0.0, [], [], 0.0
    for name in names:
        sound, rate = soundfile.read(folder / name, dtype="float32")
        whole = model.transcribe(folder / name)
        stream, size, first = model.live(rate=rate), int(CHUNK * rate), None
        begins = float(np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())[0]) / rate
        for begin in range(0, len(sound), size):
            before = time.perf_counter()
            partial = stream.feed(sound[begin : begin + size])
            after = time.perf_counter() - before
            computing.append(after)
            if first is None and partial.text:
                first = (begin + size) / rate + after - begins
        last = stream.finish()
        took, heard = took + last.took, heard + last.seconds
        equal += last.text == whole.text
        both = zip(last.words, whole.words, strict=False)
        drift = max([drift, *(abs(a.confidence - b.confidence) + abs(a.end - b.end) for a, b in both)])
        if first is not None:
            lags.append(first)
    return {
        "equal to the file's": equal / len(names),
        "largest difference": drift,
        "real-time factor": took / heard,
        "ms of computing a chunk, 99 %": 1000 * float(np.quantile(computing, 0.99)),
        "ms from the first sound to the first result, median": 1000 * statistics.median(lags),
    }


def _fit(runs: Path, seeds: Sequence[int], data: Any, settings: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Train a model for each seed; give mean and spread, greedily and with the ten words known, and the baselines."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        model, seconds = _train(runs, seed, data, settings, **given)
        scores, told = model.evaluate(), model.evaluate("test", beam=BEAM, words=WORDS)
        rows.setdefault(model.name, []).append({**_row(scores, model), "seconds": seconds})
        rows.setdefault(f"{model.name}, list of the ten words", []).append(_row(told, model))
        print(f"{runs.name}, seed {seed}:", *(f"{name} {several[-1]}" for name, several in rows.items()), flush=True)
    others = {name: row for name, row in scores.overall.items() if name != model.name}
    return {**{name: spread(several) for name, several in rows.items()}, **others}


def _train(
    runs: Path, seed: int, data: Any, settings: Mapping[str, Any], **given: Any
) -> tuple[Transcriber, float | None]:
    return fitted(Transcriber(seed=seed, **settings), runs / f"seed-{seed}", data, **given)


def _row(scores: Any, model: Transcriber) -> dict[str, float]:
    own = {name: value for name, value in scores.overall[model.name].items() if value is not None}
    return {**own, "weights": sum(p.numel() for p in model.fitted.network.parameters())}


PART: dict[str, Callable[..., dict[str, Any]]] = {
    "fsdd": fsdd,
    "fsdd-speakers": fsdd_speakers,
    "digit-strings": digit_strings,
    "an4": an4,
    "live": live,
}


if __name__ == "__main__":
    main(__doc__, "speech", PART)
