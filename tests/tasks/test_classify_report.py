"""The classifier's report, and its command."""

import json
import re
from html import unescape

import polars as pl
import pytest

from longshort import Classifier
from longshort.tasks.classify.report import render
from longshort.training import Progress

TINY = {"hidden_size": 8, "embedding_size": 8, "steps": 10, "members": 1, "batch_size": 8}
EVIL = "<script>alert('x')</script>"


def reviews(count=80):
    return pl.DataFrame(
        {
            "text": [f"{('good', 'bad')[k % 2]} {EVIL} number {k % 7}" for k in range(count)],
            "label": [("yes", f"no{EVIL}")[k % 2] for k in range(count)],
        }
    )


@pytest.fixture(scope="module")
def model():
    return Classifier(**TINY, test=0.25).fit(reviews(), progress=Progress())


@pytest.fixture(scope="module")
def html(model):
    return render(model)


def figures(html):
    return [json.loads(text) for text in re.findall(r'class="figure">(.*?)</script>', html)]


SECTIONS = [
    "Against the baselines",
    "What is taken for what",
    "Whether its probabilities hold",
    "The surest mistakes",
    "What it looks at",
    "How it learnt",
    "Settings",
]


def test_its_sections(model, html):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html) == SECTIONS
    assert model.evaluate().verdict in unescape(html)
    assert f"Classifier({', '.join(f'{k}={v!r}' for k, v in model.changed_settings.items())})" in unescape(html)


def test_the_data_cannot_become_markup(html):
    assert EVIL not in html
    assert EVIL not in json.dumps([trace for figure in figures(html) for trace in figure])


def test_the_map_shows_the_confusion(model, html):
    heat = figures(html)[0][0]["data"][0]
    for row, shares in zip(model.evaluate().confusion, heat["z"], strict=True):
        assert shares == pytest.approx([n / sum(row) for n in row], abs=1e-3)


def test_the_diagram_shows_the_reliability(model, html):
    diagram = {trace["name"]: trace for trace in figures(html)[1][0]["data"]}
    rows = [row for row in model.evaluate().reliability["LSTM"] if row[0]]
    assert diagram["LSTM"]["y"] == pytest.approx([row[2] for row in rows], abs=1e-3)


def test_every_mistake_is_counted(model, html):
    confusion = model.evaluate().confusion
    wrong = sum(n for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j)
    expected = f"{wrong} of 20 held-out examples are told wrong" if wrong else "There is none among the 20"
    assert expected in html


def test_the_words_with_their_weights(html):
    hints = [float(share) for share in re.findall(r'title="([\d.]+)\u00a0% of the weight"', html)]
    assert len(hints) > 20
    boxes = re.findall(r'<div class="marked".*?</div>', html, flags=re.DOTALL)
    for box in boxes:
        shares = [float(share) for share in re.findall(r'title="([\d.]+)\u00a0% of the weight"', box)]
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares) + 0.1)
        assert "--w:1.00" in box


def test_many_classes_and_numbers():
    rows = [
        {"id": f"s{k}", "x": float(t + k % 30), "label": f"class number {k % 30} of thirty"}
        for k in range(120)
        for t in range(4)
    ]
    model = Classifier(**TINY, test=0.3).fit(pl.DataFrame(rows), progress=Progress())
    heat = figures(render(model))[0][0]["data"][0]
    assert len(heat["z"]) == 30
    assert "text" not in heat


# -- the command -------------------------------------------------------------------------------------------------------


def options():
    return [f"--set={k}={v}" for k, v in TINY.items()]


@pytest.mark.filterwarnings("default:1 of 2 texts hold no word")
def test_texts_through_the_command(command, tmp_path):
    data, test, run = tmp_path / "data.csv", tmp_path / "test.csv", tmp_path / "run"
    table = reviews().rename({"text": "said", "label": "mood"})
    table.write_csv(data)
    table.head(8).write_csv(test)
    code, _, err = command(
        "fit", "classify", data, "-o", run, "--text=said", "--label=mood", f"--test={test}", *options()
    )
    assert code == 0, err
    assert json.loads((run / "metrics.json").read_bytes())["test"]["examples"] == 8
    code, out, err = command("predict", run, "--text", "good", "--text", "zzz", "--json")
    assert code == 0
    assert [row["text"] for row in json.loads(out)] == ["good", "zzz"]
    assert err == "note: 1 of 2 texts hold no word that was learnt: they are judged by their letters alone\n"
    code, out, err = command("evaluate", run, test, "--json")
    assert (code, json.loads(out)["examples"], err) == (0, 8, "")
    code, _, err = command("predict", run, "--level", "80")
    assert (code, err.count("\n")) == (2, 1)


def test_numbers_through_the_command(command, tmp_path):
    rows = [
        {"who": f"s{k}", "when": t, "x": float(k % 2), "y": 0.5, "z": 1.0, "what": "ab"[k % 2]}
        for k in range(40)
        for t in range(3)
    ]
    data, run = tmp_path / "data.csv", tmp_path / "run"
    pl.DataFrame(rows).write_csv(data)
    columns = ["--id=who", "--step=when", "--channel=x", "--channel=y", "--label=what"]
    code, _, err = command("fit", "classify", data, "-o", run, *columns, *options())
    assert code == 0, err
    assert json.loads((run / "model.json").read_bytes())["channels"] == ["x", "y"]
    code, out, err = command("predict", run, data)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "id,label,p_a,p_b"
    assert len(out.splitlines()) == 41
    code, _, err = command("predict", run, "--text", "good")
    assert (code, err.count("\n")) == (2, 1)
    assert "the run was trained on sequences of numbers" in err
