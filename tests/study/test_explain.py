"""`longshort explain` as a user meets it: every task, the page, the numbers, and what cannot be explained."""

import json
import math
import re

import numpy as np
import polars as pl
import pytest
import torch

from longshort import Classifier, Composer, Forecaster, InputError, LanguageModel, Transcriber
from longshort.report import Above, Layer, explorer
from longshort.study import explain, explain_network, study_gradients
from longshort.study.report.explain_attribution import running
from longshort.tasks import load
from longshort.training import Progress

pytest.importorskip("captum")

SMALL = {"hidden_size": 8, "steps": 10}


def sales(count=1):
    days = np.arange(150)
    rng = np.random.default_rng(0)
    tables = [
        pl.DataFrame(
            {
                "unique_id": [f"shop {k}"] * 150,
                "ds": np.datetime64("2024-01-01") + days,
                "y": 10 + 3 * np.sin(2 * np.pi * days / 7) + rng.normal(size=150),
                "price": rng.normal(size=150),
            }
        )
        for k in range(1, count + 1)
    ]
    return pl.concat(tables)


def forecaster(cell):
    config = {"horizon": 3, "members": 1, "batch_size": 16, "num_layers": 2, "cell": cell, **SMALL}
    return Forecaster(**config).fit(sales(2), id="unique_id", past="price", progress=Progress())


def story(folder):
    path = folder / "story.txt"
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "red", "birds"]
    rng = np.random.default_rng(0)
    path.write_text("\n".join(" ".join(rng.choice(words, 8)) for _ in range(60)) + "\n")
    return path


def reviews():
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "great", "lovely"], "bad": ["dull", "poor", "awful"]}
    labels = [("good", "bad")[k % 2] for k in range(80)]
    texts = [" ".join(rng.choice([*words[label], "the", "film"], 6 + k % 5)) for k, label in enumerate(labels)]
    return pl.DataFrame({"text": texts, "label": labels})


def waves():
    rng = np.random.default_rng(0)
    rows = [
        {"id": k, "t": t, "x": math.sin(t * (1 + k % 2)) + rng.normal() / 9, "y": rng.normal(), "label": "ab"[k % 2]}
        for k in range(60)
        for t in range(9 + k % 4)
    ]
    return pl.DataFrame(rows)


def tunes(folder):
    """Walks along a scale."""
    from longshort.data.midi import score_of

    (folder / "tunes").mkdir()
    rng = np.random.default_rng(0)
    for k in range(16):
        walk = 60 + np.abs(np.cumsum(rng.choice([-1, 1, 2], 24))) % 12
        notes = np.array([(0.5 * place, 0.5, pitch, 0) for place, pitch in enumerate(walk)])
        score_of(notes, 100).dump_midi(folder / "tunes" / f"{k:02}.mid")
    return folder / "tunes"


def tones(folder):
    """Recordings of a low and of a high tone, each called by its name."""
    import soundfile

    rng = np.random.default_rng(0)
    rows = []
    for k in range(40):
        time = np.arange(int(8000 * rng.uniform(0.25, 0.4))) / 8000
        sound = np.sin(2 * np.pi * (300, 2000)[k % 2] * time) / 3 + 0.003 * rng.standard_normal(len(time))
        soundfile.write(folder / f"{k:02}.wav", sound, 8000)
        rows.append({"path": f"{k:02}.wav", "transcript": ("low", "high")[k % 2]})
    pl.DataFrame(rows).write_csv(folder / "tones.csv")
    return folder / "tones.csv"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of every task, some of them of other cells."""
    folder = tmp_path_factory.mktemp("runs")
    classify = {"members": 1, "batch_size": 8, "test": 0.2, **SMALL}
    models = {
        "forecast": forecaster("gru"),
        "language": LanguageModel(batch_size=4, window=16, test=0.2, **SMALL).fit(story(folder), progress=Progress()),
        "classify": Classifier(embedding_size=8, **classify).fit(reviews(), progress=Progress()),
        "numbers": Classifier(cell="rnn", **classify).fit(waves(), id="id", step="t", progress=Progress()),
        "compose": Composer(num_layers=1, tunes=2, bars=2, test=0.2, **SMALL).fit(tunes(folder), progress=Progress()),
        "transcribe": Transcriber(num_layers=1, test=0.2, **SMALL).fit(tones(folder), progress=Progress()),
    }
    for name, model in models.items():
        model.save(folder / name)
    return {name: folder / name for name in models}


@pytest.fixture(scope="module")
def found(runs):
    return {name: explain(run, progress=Progress()) for name, run in runs.items()}


NAMES = ("forecast", "language", "classify", "numbers", "compose", "transcribe")


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_that_of_the_run(found, runs, name):
    """What is explained is what the run itself says."""
    model, said = load(runs[name]), found[name].said
    if name == "forecast":
        batch = model.fitted.model.store(model.fitted.panel)
        window, units = batch.cut(np.array([0]), batch.lengths[:1])
        expected = model.predict().head(3)["forecast"].to_numpy()
        np.testing.assert_allclose(units.location[0] + units.scale[0] * said, expected, rtol=1e-5)
        torch.testing.assert_close(found[name].subject.inputs[:1, -window.y.shape[1] :, 0], window.y)
    elif name == "language":
        fitted = model.fitted
        text = np.concatenate([fitted.before_passage, fitted.passage[: len(found[name].subject.labels)]])
        with torch.no_grad():
            features, _, _ = fitted.network(torch.from_numpy(text.astype(np.int64)).unsqueeze(1))
            expected = fitted.network.log_probabilities(features[-1])[0]
        np.testing.assert_allclose(said, expected, atol=1e-5)
    elif name == "compose":
        tokens = [model.fitted.encoding.tokens.names.index(label) for label in found[name].subject.labels]
        with torch.no_grad():
            features, _, _ = model.fitted.network(torch.tensor(tokens).unsqueeze(1))
            expected = model.fitted.network.log_probabilities(features[-1])[0]
        np.testing.assert_allclose(said, expected, atol=1e-5)
    elif name == "transcribe":
        # The same steps as PyTorch's LSTM takes them.
        network, x = model.fitted.network, found[name].subject.inputs[:1]
        stride, width = model.fitted.plan.stride, model.fitted.plan.hidden_size
        plain = torch.nn.LSTM(2 * width, width, bidirectional=True)
        plain.load_state_dict(network.layers[0].state_dict())
        with torch.no_grad():
            read = torch.relu(network.front(torch.nn.functional.pad(x.transpose(1, 2), (stride + 1, 0))))
            expected = network.output(plain(read.permute(2, 0, 1))[0])[-1, 0].log_softmax(-1)
        np.testing.assert_allclose(said, expected, atol=1e-4)
    else:
        held = model.fitted.held_out
        lengths = [len(content) for content in held.content]
        place = int(np.argsort(lengths, kind="stable")[3 * len(lengths) // 4])
        expected = model.predict().select(pl.selectors.starts_with("p_")).row(place)
        np.testing.assert_allclose(np.exp(said), expected, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers(found, name):
    numbers = json.loads(json.dumps(found[name].to_json(), allow_nan=False))
    steps = len(numbers["steps"])
    assert 0 <= numbers["horizon"]["low"] <= numbers["horizon"]["steps"] <= numbers["horizon"]["high"] <= steps
    assert numbers["horizon"]["kept"][0] == 0
    assert numbers["horizon"]["kept"][-1] == steps
    assert numbers["horizon"]["moved"][-1] == 0
    assert len(numbers["gradient by lag"]) == len(numbers["attribution"]["steps"]) == steps
    assert numbers["attribution"]["gap"] < 0.02
    assert numbers["attribution"]["sum"] == pytest.approx(sum(numbers["attribution"]["steps"]))
    if name != "numbers":
        assert all(min(layer["units"]) > 0 for layer in numbers["timescales"].values())
    else:
        assert set(numbers["timescales"].values()) == {None}
    again = explain_network(found[name].subject, progress=Progress()).to_json()
    assert again == found[name].to_json()


def test_a_forecast_sees_all_of_its_lags_and_channels(found):
    subject = found["forecast"].subject
    assert {"y", "price", "price is there"} <= set(subject.channels)
    assert subject.stride * found["forecast"].layers[0].states["h"].shape[0] <= len(subject.labels)
    assert list(found["forecast"].alone) == ["layers 1 to 2"]
    assert [layer.name for layer in found["forecast"].layers] == ["layers 1 to 2, 1", "layers 1 to 2, 2"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_holds_the_gates(found, name, gates):
    html = found[name].report()
    meta, values = gates(html)
    for layer, of, described in zip(found[name].layers, values, meta["layers"], strict=True):
        assert described["name"] == layer.name
        assert set(of) == set(layer.states)
        for key, state in layer.states.items():
            reach = np.maximum(np.abs(state).max(0), 1.0)
            assert np.all(np.abs(of[key] - state.T) <= reach[:, None] / 250), key
    assert len(meta["labels"]) == len(found[name].subject.labels)
    assert "://" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert found[name].verdict in html.replace("&#x27;", "'")


def test_four_hundred_units_over_a_thousand_steps_fit_in_a_few_megabytes(gates):
    rng = np.random.default_rng(0)
    states = {key: rng.uniform(size=(1000, 400)) for key in "ifgoch"}
    html = explorer([Layer("layer", "lstm", states)], Above([str(k) for k in range(1000)]), caption="")
    assert len(html) < 4_000_000
    _, (of,) = gates(html)
    np.testing.assert_allclose(of["f"], states["f"].T, atol=0.5 / 255 + 1e-9)
    np.testing.assert_allclose(of["c"], states["c"].T, atol=0.5 / 127 + 1e-3)


def test_labels_cannot_become_markup(gates):
    label = "</script><b>&"
    html = explorer([Layer("l", "rnn", {"h": np.zeros((1, 1))})], Above([label]), caption="")
    assert "<b>" not in html
    assert gates(html)[0]["labels"] == [label]


def test_tokens_as_they_stand_in_a_text():
    assert "".join(running(["a", "␣", "b", "↵"])) == "a b\n"
    assert "".join(running(["the", "␣cat", "s"])) == "the cats"
    assert "".join(running(["the", "film"])) == "the film "


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command(runs, command, tmp_path, gates):
    page = tmp_path / "page.html"
    code, out, err = command("explain", runs["classify"], "--text", "a great great film the film", "-o", page)
    assert code == 0, err
    assert out.startswith("This network ")
    assert "Attributions" in out
    assert gates(page.read_text())[0]["labels"] == ["a", "great", "great", "film", "the", "film"]
    assert re.findall(r"^· (.*)", err, flags=re.MULTILINE)[0].startswith("Looked at is a text of 6 words.")


def test_without_a_name_the_page_stands_beside_the_run(runs, command):
    code, out, err = command("explain", runs["language"], "--no-attribution", "--steps", 20)
    assert code == 0, err
    page = runs["language"].with_name("language-explained.html")
    assert out.endswith(f"Report: {page}\n")
    assert "Which input mattered" not in page.read_text()
    assert load(runs["language"]).predict() is not None


def test_numbers_for_machines(runs, command, tmp_path):
    code, out, err = command("explain", runs["forecast"], "--which", "shop 2", "--json")
    assert code == 0, err
    assert "'shop 2'" in json.loads(out)["source"]
    assert not list(tmp_path.iterdir())


def test_a_file_to_look_at(runs, tmp_path, command):
    path = tmp_path / "more.txt"
    path.write_text("the cat sat on a mat and saw red birds\n")
    code, out, err = command("explain", runs["language"], path, "--steps", 12, "--json", "--no-attribution")
    assert code == 0, err
    labels = json.loads(out)["steps"]
    assert len(labels) == 12
    assert labels[-1] == "↵"


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("forecast", ["--text", "a"], "is a forecaster, which reads no --text: give a table"),
        ("forecast", ["--which", "shop 9"], "there is no series 'shop 9': give a name, or a number from 1 to 2"),
        ("forecast", ["--steps", 5], "a forecaster looks back as far as it was made to"),
        ("classify", ["--steps", 1], "steps must be a whole number from 2, not 1"),
        ("classify", ["--text", "film"], "the example has 1 words, at least 2 are needed: look at a longer one"),
        ("classify", ["--which", "999"], "there is no example '999'"),
        ("numbers", ["--text", "film"], "holds texts, the run was trained on sequences of numbers"),
        ("language", ["--which", "2"], "there is one held-out text alone: leave out which"),
        ("language", ["--text", "a"], "the text has 1 characters, at least 4 are needed: give a longer one"),
        ("compose", ["--which", "99.mid"], "there is no tune '99.mid'"),
        ("compose", ["--text", "do re mi"], "is a composer, which reads no --text: give a tune"),
        ("transcribe", ["--steps", 2], "the recording has"),
        ("transcribe", ["--text", "low"], "is a transcriber, which reads no --text: give a recording"),
        ("language", ["missing.txt"], "missing.txt"),
        ("language", ["-o", "."], "is a folder: name a file, such as"),
        ("language", ["-o", "no/such/page.html"], "cannot write no/such/page.html"),
    ],
)
def test_what_cannot_be_explained_is_one_line(runs, command, name, arguments, line):
    code, out, err = command("explain", runs[name], *arguments)
    said = [text for text in err.splitlines() if not text.startswith(("·", "note:"))]
    assert (code, out, len(said)) == (2, "", 1), err
    assert said[0].startswith("error: ")
    assert line in said[0]


def test_studies_and_forecasters_without_recurrence_are_refused(tmp_path, command):
    study_gradients(run=tmp_path / "study", lag=5, hidden_size=4, steps=0, progress=Progress())
    code, _, err = command("explain", tmp_path / "study")
    assert (code, err) == (
        2,
        f"error: {tmp_path / 'study'} holds a study, not a trained model: read its report.html and results.json\n",
    )
    with pytest.raises(InputError, match="no recurrent layer"):
        explain(forecaster("none"), progress=Progress())


def test_without_captum(runs, command, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "captum.attr", None)
    code, _, err = command("explain", runs["classify"])
    assert code == 2
    assert err == (
        "error: attributions need captum: pip install 'longshort[explain]', or leave them out with --no-attribution\n"
    )
