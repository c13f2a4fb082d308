"""What the endpoints answer is what the estimators say."""

import base64
import json

import numpy as np
import polars as pl
import pytest
from sounds import RATE, file_of
from test_transcribe_estimator import spoken

from longshort.data.midi import notes_of, score_of, tempo_of, tune_in
from longshort.tasks.compose.keys import Key
from longshort.tasks.compose.novelty import Passages, intervals
from longshort.tasks.compose.statistics import Counts


def test_a_classifier(app, ask, runs):
    texts = ["the film was great", "", "dull and poor"]
    (answer,) = ask(app, ("POST", "/runs/classify/predict", {"json": {"texts": texts}}))
    told = runs["classify"].model.predict(texts)
    for one, row in zip(answer.json()["answers"], told.to_dicts(), strict=True):
        assert one["label"] == row["label"]
        assert one["probabilities"] == pytest.approx({"good": row["p_good"], "bad": row["p_bad"]}, abs=1e-6)
    first = answer.json()["answers"][0]["parts"]
    assert [texts[0][part["begin"] : part["end"]] for part in first] == ["the", "film", "was", "great"]
    assert sum(part["share"] for part in first) == pytest.approx(1)


def test_a_language_model(app, ask, runs):
    model, text = runs["language"].model, "the cat sat"
    score, likely = ask(
        app,
        ("POST", "/runs/language/score", {"json": {"text": text}}),
        ("POST", "/runs/language/next", {"json": {"prompt": text, "k": 5}}),
    )
    told = model.score(text)
    found = pl.DataFrame(score.json()["tokens"])
    np.testing.assert_allclose(found["log_probability"], told["log_probability"], atol=1e-5)
    assert found["begin"].to_list() == told["begin"].to_list()
    assert score.json()["perplexity"] == pytest.approx(np.exp(-told["log_probability"].mean()), rel=1e-5)
    told = model.next(text, 5)
    assert [one["token"] for one in likely.json()["next"]] == told["token"].to_list()
    np.testing.assert_allclose([one["probability"] for one in likely.json()["next"]], told["probability"], atol=1e-6)


def test_a_text_is_written_as_events(app, ask, runs):
    settings = {"prompt": "the cat", "length": 60, "temperature": 0.7, "seed": 3, "samples": 2}
    (answer,) = ask(app, ("POST", "/runs/language/generate", {"json": settings}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, last, rest = answer.text.split("\n\n")
    assert (last, rest) == ("event: end\ndata: {}", "")
    pieces = [json.loads(event.removeprefix("data: "))["pieces"] for event in events]
    texts = ["".join(parts) for parts in zip(*pieces, strict=True)]
    assert texts == runs["language"].model.generate(**settings)


def test_a_forecaster(app, ask, runs):
    model = runs["forecast"].model
    days = np.datetime64("2024-05-01") + np.arange(30)
    y = [float(k % 7) for k in range(30)]
    asked = [{"id": "y", "start": "2024-04-30", "y": y}, {"id": "other", "start": "2024-05-01", "y": y}, {"id": "y"}]
    answers = ask(
        app, *(("POST", "/runs/forecast/predict", {"json": {"series": [one], "history": 4}}) for one in asked)
    )
    found = [answer.json()["answers"][0] for answer in answers]
    newer = pl.DataFrame({"ds": days - np.timedelta64(1, "D"), "y": y})
    expected = [model.predict(newer, levels=(80,)), None, model.predict(levels=(80,))]
    for one, told in zip(found, expected, strict=True):
        if told is not None:
            assert one["times"] == [str(time) for time in told["ds"].to_list()]
            np.testing.assert_allclose(one["median"], told["forecast"], rtol=1e-5)
            np.testing.assert_allclose(one["quantiles"]["0.1"], told["lo-80"], rtol=1e-5)
    assert found[1]["times"] == ["2024-05-31", "2024-06-01", "2024-06-02"]
    assert found[1]["history"] == y[-4:]
    assert found[1]["history_times"] == ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"]


@pytest.mark.parametrize("task", ["translate", "summarize"])
def test_answers_to_texts(app, ask, runs, task):
    model = runs[task].model
    texts = ["the cat sees a bird", "", "a red dog"]
    path = f"/runs/{task}/predict"
    plain, looked = ask(
        app,
        ("POST", path, {"json": {"texts": texts, "beam": 3}}),
        ("POST", path, {"json": {"texts": texts[:1], "alignment": True}}),
    )
    told = model.predict(texts, beam=3)
    assert [one["text"] for one in plain.json()["answers"]] == told[model.columns[1]].to_list()
    np.testing.assert_allclose([one["score"] for one in plain.json()["answers"]], told["score"], atol=1e-5)
    (answer,) = looked.json()["answers"]
    aligned = model.align(texts[0], answer["text"])
    assert answer["alignment"]["source"] == aligned.source
    np.testing.assert_allclose(answer["alignment"]["weights"], aligned.weights, atol=1e-4)


def test_a_chatbot(app, ask, runs):
    turns = ["I am in Rome.", "What do you want?", "Some fish."]
    (answer,) = ask(app, ("POST", "/runs/chat/reply", {"json": {"turns": turns}}))
    assert answer.json()["text"] == runs["chat"].model.reply(turns)
    assert answer.json()["turns"] == 4


@pytest.mark.parametrize("name", ["live", "transcribe"])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_a_recording(app, ask, runs, name, kind):
    sound = spoken(["ding", "deng", "dong"], np.random.default_rng(5), 16_000)
    sent = file_of(np.stack([sound, sound], 1), kind, 16_000)
    settings = {"content": sent, "headers": {"content-type": f"audio/{kind}"}}
    plain, followed = ask(
        app,
        ("POST", f"/runs/{name}/predict", settings),
        ("POST", f"/runs/{name}/predict", {**settings, "params": {"beam": 4, "frames": "true"}}),
    )
    for answer, decoding in ((plain, {}), (followed, {"beam": 4})):
        told, found = runs[name].model.transcribe(sent, **decoding), answer.json()
        assert found["text"] == told.text
        assert found["confidence"] == pytest.approx(told.confidence, abs=1e-4)
        assert found["seconds"] == told.seconds == len(sound) / 16_000
        assert not found["clipped"]
        for one, word in zip(found["words"], told.words, strict=True):
            assert one["text"] == word.text
            assert (one["start"], one["end"]) == pytest.approx((word.start, word.end), abs=1e-4)
            assert one["confidence"] == pytest.approx(word.confidence, abs=1e-4)
    assert plain.json()["frames"] is None
    frames = followed.json()["frames"]
    np.testing.assert_allclose(np.sum(frames["probabilities"], 0), 1, atol=2e-3)
    if name == "live":
        # Where a unit is surest, its word is being said.
        assert sorted(frames["units"]) == ["", " deng", " ding", " dong"]
        for word in found["words"]:
            surest = np.argmax(frames["probabilities"][frames["units"].index(f" {word['text']}")])
            assert word["start"] <= frames["times"][surest] <= word["end"]


def test_long_recordings_are_read_in_pieces(app, ask, runs):
    model, rng = runs["transcribe"].model, np.random.default_rng(8)
    sound = np.concatenate([spoken(["ding", "dong"], rng) for _ in range(50)])
    assert len(sound) > 1.2 * model.config.max_seconds * RATE
    sent = file_of(sound, "flac", RATE)
    settings = {"content": sent, "headers": {"content-type": "audio/flac"}, "params": {"frames": "true"}}
    (answer,) = ask(app, ("POST", "/runs/transcribe/predict", settings))
    assert answer.json()["text"] == model.transcribe(sent).text
    assert (np.diff(answer.json()["frames"]["times"]) > -0.2).all()
    assert answer.json()["words"][-1]["end"] == pytest.approx(model.transcribe(sent).words[-1].end, abs=1e-4)


@pytest.mark.parametrize("name", ["compose", "rolls"])
def test_a_tune(app, ask, runs, name):
    model = runs[name].model
    settings = {"bars": 3, "tempo": 75.0, "temperature": 0.9, "key": "F# minor", "instruments": [40], "seed": 4}
    path = f"/runs/{name}/compose"
    (answer,) = ask(app, ("POST", path, {"json": {**settings, "novelty": True}}))
    told, found = model.compose(**{**settings, "instruments": (40,)}), answer.json()
    rows = [[note["start"], note["duration"], note["pitch"], note["program"]] for note in found["notes"]]
    assert rows == told.notes.tolist()
    assert {note[3] for note in rows} == {40}
    assert Key.parse("F# minor").holds[[int(note[2]) % 12 for note in rows]].all()
    assert (found["tempo"], found["new"]) == (75, 0)
    assert found["seconds"] == pytest.approx(told.seconds)
    score = tune_in(base64.b64decode(found["midi"])).score
    assert len(notes_of(score)) == len(rows)
    assert tempo_of(score) == pytest.approx(75, abs=0.01)
    assert {int(v) for track in score.tracks for v in track.notes.numpy()["velocity"]} == {
        note["velocity"] for note in found["notes"]
    }
    # What is copied, by an index of all that was learnt from, as the tests of a training have it.
    part = model.fitted.parts["training"]
    melodies = [intervals(model.fitted.encoding.notes(piece)) for piece in part.pieces]
    longest = Passages(melodies).longest(intervals(told.notes))
    assert found["copied"]["notes"] == longest.notes
    assert found["copied"]["of"] == len(intervals(told.notes)) + 1
    place = part.names.index(found["copied"]["tune"])
    assert Passages([melodies[place]]).longest(intervals(told.notes)).notes == longest.notes


@pytest.mark.parametrize("name", ["compose", "rolls"])
def test_a_tune_goes_on(app, ask, name):
    walk = np.array([(0.5 * k, 0.5, 60 + k % 7, 0) for k in range(24)])
    sent = base64.b64encode(score_of(walk, 90).dumps_midi()).decode()
    settings = {"bars": 2, "midi": sent, "key": "C"}
    one, other = ask(app, *(("POST", f"/runs/{name}/compose", {"json": {**settings, "seed": k}}) for k in (1, 2)))
    found = one.json()
    rows = [[note["start"], note["duration"], note["pitch"], note["program"]] for note in found["notes"]]
    assert rows[:23] == walk[:23].tolist()  # of a roll the last note may sound on
    assert found["tempo"] == pytest.approx(90, abs=0.01)
    assert found["new"] >= 12
    new = [note for note in rows if note[0] >= found["new"]]
    assert Key.parse("C").holds[[int(note[2]) % 12 for note in new]].all()
    assert found["density"] == pytest.approx(Counts.of([np.array(new)]).density)
    assert rows != [list(note.values())[:4] for note in other.json()["notes"]]


def test_what_is_served(app, ask, runs):
    listed, one, described = ask(app, ("GET", "/runs", {}), ("GET", "/runs/forecast", {}), ("GET", "/openapi.json", {}))
    assert {run["name"]: run["task"] for run in listed.json()["runs"]} == {name: run.task for name, run in runs.items()}
    assert one.json()["about"]["horizon"] == 3
    operations = [operation for path in described.json()["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert "/runs/translate/predict" in described.json()["paths"]
