"""What the endpoints answer is what the estimators say."""

import json

import numpy as np
import polars as pl
import pytest


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


def test_what_is_served(app, ask, runs):
    listed, one, described = ask(app, ("GET", "/runs", {}), ("GET", "/runs/forecast", {}), ("GET", "/openapi.json", {}))
    assert {run["name"]: run["task"] for run in listed.json()["runs"]} == {name: run.task for name, run in runs.items()}
    assert one.json()["about"]["horizon"] == 3
    operations = [operation for path in described.json()["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert "/runs/translate/predict" in described.json()["paths"]
