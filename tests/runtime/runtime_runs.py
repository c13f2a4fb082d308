"""Small runs of every task that the runtime knows, and what the full package says of them: `runtime_runs.py FOLDER`.

The answers are written beside the runs, so that `runtime_answers.py` can compare where there is no PyTorch.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from runtime_answers import COMPOSINGS, DECODINGS, HISTORIES, SAMPLINGS, SEARCHES, SENTENCES, TEXTS, heard, tune

from longshort import Chatbot, Classifier, Composer, Forecaster, LanguageModel, Summarizer, Transcriber, Translator
from longshort.artifact import to_json
from longshort.data.midi import score_of
from longshort.sequence.writer import Writer

TINY = {"hidden_size": 8, "embedding_size": 8, "vocabulary_size": 280, "max_target": 10, "beam": 2, "steps": 3}
TINY |= {"batch_tokens": 300, "test": 0}


def forecasts(folder):
    rng, days = np.random.default_rng(0), np.arange(90)
    tables = []
    for k in range(3):
        y = 10 + k + 3 * np.sin(2 * np.pi * days / 7) + rng.normal(size=len(days))
        y[5] = np.nan
        price, kind = rng.normal(size=len(days)), ["a" if k else "b"] * len(days)
        ds = np.datetime64("2024-01-01") + days
        tables.append(pl.DataFrame({"id": f"s{k}", "ds": ds, "y": y, "price": price, "kind": kind}))
    table, newer = pl.concat(tables), tables[1].with_columns(pl.col("ds") + pl.duration(days=10), pl.col("y") + 1)
    newer.write_csv(folder / "newer.csv")
    roles = {
        "forecast-lstm": {"past": ["price"]},
        "forecast-gru": {"known": ["price"]},
        "forecast-none": {"past": ["price"]},
    }
    for name, columns in roles.items():
        sizes = {"num_layers": 2 if "lstm" in name else 1, "hidden_size": 8, "steps": 3, "members": 2}
        model = Forecaster(horizon=4, cell=name.partition("-")[2], test_windows=0, **sizes)
        told = table
        if "known" in columns:  # of the last days only the price is known
            told = table.with_columns(pl.when(pl.col("ds") < pl.date(2024, 3, 26)).then("y").alias("y"))
        fitted(model, told, folder / name, static=["kind"], **columns)
        keep(folder / name, "predict", model.predict(levels=(80, 50), quantiles=(0.3,)))
        if "known" in columns:
            continue
        keep(folder / name, "newer", model.predict(folder / "newer.csv"))
        (last,) = (s for s in model.fitted.panel if s.id == "s1")
        ds = model.fitted.panel.frequency.times(last.end + np.arange(3))
        live = pl.DataFrame({"id": "s1", "ds": ds, "y": [3.0, None, 12.0], "price": [0.5, None, None], "kind": "a"})
        keep(folder / name, "live", model.predict(live))


def language(folder):
    rng = np.random.default_rng(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "red", "birds"]
    text = "\n".join(" ".join(rng.choice(words, 8)) for _ in range(150)) + "\n"
    (folder / "long.txt").write_text(text)
    for kind, cell in {"characters": "lstm", "words": "gru", "subwords": "lstm", "bytes": "rnn"}.items():
        size = {"vocabulary_size": 280} if kind == "subwords" else {}
        sizes = {"hidden_size": 12, "embedding_size": 8, "num_layers": 2, "steps": 3, "batch_size": 4}
        run = folder / f"language-{kind}"
        model = fitted(LanguageModel(tokens=kind, cell=cell, **sizes, **size), folder / "long.txt", run)
        # Draws in float32, also where the machine would round to bfloat16.
        model.fitted.__dict__["writer"] = Writer(model.fitted.network)
        keep(run, "score", model.score(text))
        keep(run, "next", model.next("the cat"))
        keep(run, "predict", model.predict(["the", "a cat"], k=3))
        drawn = [model.generate("the", length=40, **how) for how in SAMPLINGS]
        (run / "drawn.json").write_bytes(to_json(drawn))


def classes(folder):
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "great", "lovely"], "bad": ["dull", "poor", "awful"]}
    labels = [("good", "bad")[k % 2] for k in range(60)]
    texts = [" ".join(rng.choice([*words[label], "the", "film"], rng.integers(3, 9))) for label in labels]
    pl.DataFrame({"text": texts, "label": labels}).write_csv(folder / "reviews.csv")
    sizes = {"hidden_size": 6, "steps": 3, "batch_size": 8, "test": 0}
    run = folder / "classify-texts"
    model = Classifier(members=2, num_layers=2, max_length=40, embedding_size=8, character_buckets=500, **sizes)
    fitted(model, folder / "reviews.csv", run)
    keep(run, "list", model.predict(TEXTS))
    keep(run, "table", model.predict(folder / "reviews.csv"))
    steps = rng.integers(3, 12, 40)
    values = [rng.normal(size=(n, 2)) + k % 2 for k, n in enumerate(steps)]
    values[0][0, 0] = np.nan
    columns = np.concatenate(values).T
    ids = np.repeat([f"q{k}" for k in range(40)], steps)
    label = np.repeat([("x", "y")[k % 2] for k in range(40)], steps)
    step = np.concatenate([np.arange(n) for n in steps])
    table = pl.DataFrame({"id": ids, "step": step, "a": columns[0], "b": columns[1], "label": label})
    run = folder / "classify-numbers"
    model = fitted(Classifier(cell="gru", members=1, **sizes), table.fill_nan(None), run)
    np.savez(folder / "values.npz", *values)
    keep(run, "list", model.predict(values))


def answers(folder):
    rng = np.random.default_rng(0)
    words = {"one": "unu", "two": "du", "three": "tri", "four": "kvar", "five": "kvin"}
    rows = [rng.choice(list(words), rng.integers(2, 8)) for _ in range(60)]
    pairs = [(" ".join(row), " ".join(words[w] for w in row)) for row in rows]
    (folder / "sources.txt").write_text("\n".join(source for source, _ in pairs[:5]) + "\n")
    talks = [[f"I am in {city} now", "and what now", "tell me where", f"in {city}"] for city in ("Rome", "Oslo") * 15]
    two = {"encoder_layers": 2, "decoder_layers": 2}
    fits = {
        "translate-feeding": (Translator(shared=False, input_feeding=True, **TINY, **two), pairs),
        "summarize-covering": (Summarizer(attention="additive", coverage=True, **TINY), pairs),
        "chat-copying": (Chatbot(**TINY), talks),
    }
    for name, (model, data) in fits.items():
        fitted(model, data, folder / name)
        model.half = False  # answers in float32, also where the machine would round to bfloat16
        sources = HISTORIES if "chat" in name else SENTENCES
        for number, how in enumerate(DECODINGS):
            keep(folder / name, f"answers-{number}", model.predict(sources, **how))
        if "chat" not in name:
            keep(folder / name, "lines", model.predict(folder / "sources.txt"))


def recordings(folder):
    rng, rate = np.random.default_rng(0), 8000
    tones, rows = {"ding": 350, "dong": 900}, []
    (folder / "sounds").mkdir()
    for k in range(24):
        words = rng.choice(list(tones), rng.integers(1, 4))
        parts = [0.4 * np.sin(2 * np.pi * tones[word] * np.arange(rate // 4) / rate) for word in words]
        sound = np.concatenate([np.append(part, np.zeros(rate // 20)) for part in parts])
        soundfile.write(folder / "sounds" / f"{k:02}.wav", sound + 0.002 * rng.standard_normal(len(sound)), rate)
        rows.append({"path": f"sounds/{k:02}.wav", "transcript": " ".join(words)})
    pl.DataFrame(rows).write_csv(folder / "recordings.csv")
    long = np.concatenate([soundfile.read(folder / row["path"])[0] for row in rows[:6]])
    soundfile.write(folder / "long.wav", np.repeat(long, 2), 2 * rate)
    # Little is learnt in so few steps, but that there are letters.
    sizes = {"hidden_size": 12, "batch_size": 8, "steps": 40, "learning_rate": 0.03, "test": 0, "stride": 4}
    for name, settings in {
        "transcribe-letters": {"num_layers": 2, "max_seconds": 2.5},
        "transcribe-live": {"live": True, "cell": "gru", "num_layers": 2},
    }.items():
        model = fitted(Transcriber(**sizes, **settings), folder / "recordings.csv", folder / name)
        (folder / name / "heard.json").write_bytes(to_json(heard(model, folder / name)))
        for number, how in enumerate(SEARCHES):
            keep(folder / name, f"predict-{number}", model.predict(folder / "recordings.csv", **how))


def tunes(folder):
    rng = np.random.default_rng(0)
    (folder / "tunes").mkdir()
    for k in range(6):
        rows = [(0.5 * n, 0.5, pitch, 40 * (n % 2)) for n, pitch in enumerate(62 + np.cumsum(rng.integers(-2, 3, 24)))]
        score_of(np.array(rows, dtype=np.float64), 90.0).dump_midi(folder / "tunes" / f"{k}.mid")
    rolls = {f"train{k}": (rng.random((rng.integers(12, 30), 88)) < 0.06).astype(np.uint8) for k in range(6)}
    np.savez(folder / "rolls.npz", **rolls)
    sizes = {"hidden_size": 8, "num_layers": 2, "steps": 5, "batch_size": 4, "test": 0}
    for name, data, cell in (("tokens", folder / "tunes", "lstm"), ("rolls", folder / "rolls.npz", "gru")):
        run = folder / f"compose-{name}"
        model = fitted(Composer(cell=cell, **sizes), data, run)
        for number, how in enumerate(COMPOSINGS[name]):
            np.savez(run / f"tune-{number}.npz", **tune(model, folder, how))
        if name == "rolls":
            keep(run, "predict", model.predict(data))


def fitted(model, data, run, **options):
    """With a run that has an empty report: nothing here reads it."""
    model._report = str
    return model.fit(data, run=run, **options)


def keep(run, name, table):
    """Write a table as columns that NumPy alone reads: beside the run's own files, which the manifest names."""
    columns = {column.name: np.array(column.to_list()) if column.dtype == pl.String else column for column in table}
    np.savez(run / f"{name}.npz", **columns)


# What makes the runs of a task, in a few steps each, and writes them and the answers; later ones may use earlier ones.
TASKS = {
    "forecast": forecasts,
    "language": language,
    "classify": classes,
    "answer": answers,
    "transcribe": recordings,
    "compose": tunes,
}

if __name__ == "__main__":
    for make in TASKS.values():
        make(Path(sys.argv[1]))
