"""Without PyTorch: what the runtime says of the runs that `runtime_runs.py` made, beside what the full package said.

`runtime_answers.py FOLDER` prints the largest difference of each run; it is also what `test_runtime.py` calls.
"""

import json
import sys
from pathlib import Path

import numpy as np

TEXTS = ["A film to remember, great!", "", "dull dull poor film unseenword", "the film was " * 30]
SAMPLINGS = (
    {"seed": 1, "samples": 3, "temperature": 0.8},
    {"temperature": 0},
    {"seed": 3, "top_p": 0.9, "stop": "\n"},
    {"seed": 4, "top_k": 3, "repetition_penalty": 1.2},
)
SENTENCES = ["one two", "three four five one one two", "", "none of this"]
HISTORIES = [["tell me where"], [("user", "I am in Rome now"), ("A", "and what now"), ("B", "tell me where")]]
DECODINGS = (
    {"beam": 1},
    {"n_best": 3, "length_penalty": 0.5, "alignments": True},
    {"forced": ("du",), "forbidden": ("unu",), "beam": 4},
    {"method": "sample", "n_best": 2, "seed": 5, "top_p": 0.9, "max_length": 5},
)
SEARCHES = ({}, {"beam": 4}, {"words": ["ding", "dong"]})
COMPOSINGS = {
    "tokens": (
        {"seed": 1, "bars": 4},
        {"seed": 2, "bars": 5, "key": "kept", "top_p": 0.9},
        {"temperature": 0, "bars": 2},
    ),
    "rolls": (
        {"seed": 1},
        {"seed": 3, "bars": 6, "key": "kept"},
        {"seed": 2, "key": "D", "temperature": 0.8, "before": 1},
    ),
}


def compare(folder):
    """Run -> the largest difference of its numbers."""
    from longshort.runtime import load

    asked = {"forecast": forecasts, "language": language, "classify": classes}
    asked |= {"transcribe": transcripts, "compose": tunes}
    asked |= dict.fromkeys(("translate", "summarize", "chat"), answers)
    found = {}
    for run in sorted(path.parent for path in folder.glob("*/manifest.json")):
        told = asked[run.name.partition("-")[0]](load(run), run)
        found[run.name] = max(difference(ours, np.load(run / f"{name}.npz")) for name, ours in told.items())
    return found


def forecasts(model, run):
    told = {"predict": model.predict(levels=(80, 50), quantiles=(0.3,))}
    if (run / "live.npz").exists():
        told |= {"live": live(model), "newer": model.predict(run.parent / "newer.csv")}
    return told


def language(model, run):
    drawn = [model.generate("the", length=40, **how) for how in SAMPLINGS]
    assert drawn == json.loads((run / "drawn.json").read_text()), f"{run.name} writes other texts"
    told = {"score": model.score((run.parent / "long.txt").read_text()), "next": model.next("the cat")}
    return {**told, "predict": model.predict(["the", "a cat"], k=3)}


def classes(model, run):
    if run.name.endswith("texts"):
        return {"list": model.predict(TEXTS), "table": model.predict(run.parent / "reviews.csv")}
    return {"list": model.predict([*np.load(run.parent / "values.npz").values()])}


def answers(model, run):
    sources = HISTORIES if "chat" in run.name else SENTENCES
    told = {f"answers-{k}": model.predict(sources, **how) for k, how in enumerate(DECODINGS)}
    return told if "chat" in run.name else {**told, "lines": model.predict(run.parent / "sources.txt")}


def transcripts(model, run):
    there, here = json.loads((run / "heard.json").read_text()), heard(model, run)
    texts = [[one["text"], [word["text"] for word in one["words"]]] for one in (*there, *here)]
    assert texts[: len(there)] == texts[len(there) :], f"{run.name} hears {texts}"
    for one, other in zip(there, here, strict=True):
        numbers = ([[w["start"], w["end"], w["confidence"]] for w in t["words"]] for t in (one, other))
        np.testing.assert_allclose(*numbers, atol=1e-3)  # as they are printed
    table = run.parent / "recordings.csv"
    return {f"predict-{k}": model.predict(table, **how) for k, how in enumerate(SEARCHES)}


def heard(model, run):
    """Transcripts of a file, by other searches too, and of a sound that comes in chunks."""
    ways = ({}, {"beam": 4}, {"language": run.parent / "language-characters", "word_bonus": 2.0})
    found = [model.transcribe(run.parent / "long.wav", **how) for how in ways]
    if "live" in run.name:
        sound = np.sin(np.arange(16_000) ** 1.1 / 4)
        stream = model.live(rate=8000)
        found += [stream.feed(part) for part in np.split(sound, [700, 5000, 5001])] + [stream.finish()]
    return [{**one.to_json(), "real_time_factor": 0} for one in found]


def tunes(model, run):
    kind = run.name.partition("-")[2]
    told = {f"tune-{k}": tune(model, run.parent, how) for k, how in enumerate(COMPOSINGS[kind])}
    return told if kind == "tokens" else {**told, "predict": model.predict(run.parent / "rolls.npz")}


def tune(model, folder, how):
    """The notes of a composition, one by one."""
    before = folder / "rolls.npz" if "before" in how else None
    made = model.compose(before, **{name: value for name, value in how.items() if name != "before"})
    return {"notes": made.notes, "svg": np.frombuffer(made.svg(), np.uint8), "new": np.array([made.new])}


def live(model):
    stream = model.stream("s1")
    stream.add(3.0, [0.5])
    stream.add(float("nan"))
    stream.add(12.0)
    return stream.forecast()


def difference(ours, theirs):
    """The largest difference of the numbers of two tables, of which all else must be the same."""
    assert list(ours) == list(theirs), f"columns {list(ours)}, there {list(theirs)}"
    worst = 0.0
    for name, values in theirs.items():
        if values.dtype.kind == "f":
            worst = max(worst, float(np.abs(ours[name] - values).max()))
        else:
            same = ours[name].astype(values.dtype) == values
            assert same.all(), f"{name} is {ours[name][~same][:3]}, there {values[~same][:3]}"
    return worst


if __name__ == "__main__":
    results = compare(Path(sys.argv[1]))
    loaded = sorted({"torch", "pandas", "lightning"} & set(sys.modules))
    print(json.dumps({"differences": results, "loaded": loaded}))
    sys.exit(int(max(results.values(), default=1) > 1e-5 or bool(loaded)))
