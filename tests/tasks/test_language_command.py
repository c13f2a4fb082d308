"""The command's verbs for texts."""

import json
import warnings

import polars as pl
import pytest
from writers import model, story

from longshort import Forecaster
from longshort.data.corpus import Corpus


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "story"
    model().save(path)
    return path


def test_fit_prints_scores_and_what_to_do_next(command, tmp_path):
    (tmp_path / "story.txt").write_text(story())
    tiny = ["--hidden-size=4", "--steps=2", "--set=window=16", "--set=batch_size=4"]
    code, out, err = command("fit", "language", tmp_path / "story.txt", "-o", tmp_path / "run", *tiny)
    assert code == 0, err
    assert "bits per character" in out
    assert "Kneser-Ney" in out
    assert f"longshort generate {tmp_path / 'run'} --temperature 0.8" in out
    assert "cut into characters" in err
    code, out, err = command("fit", "language", tmp_path / "story.txt", "-o", tmp_path / "json", "--json", *tiny)
    assert {"verdict", "overall", "tokens"} <= set(json.loads(out))


def test_fit_takes_several_files_and_parts(command, tmp_path):
    for k in range(4):
        (tmp_path / f"{k}.jsonl").write_text(json.dumps({"a": story(30, k), "b": "x"}))
    files = [tmp_path / f"{k}.jsonl" for k in range(4)]
    tiny = ["--hidden-size=4", "--steps=2", "--field=a", "--tokens=words", "--json"]
    given = ["--validation", files[2], "--test", files[3], *tiny]
    code, out, err = command("fit", "language", *files[:2], "-o", tmp_path / "run", *given)
    assert code == 0, err
    assert json.loads(out)["tokens"] == 30 * 9
    assert "2 texts, read one after the other" in err


@pytest.mark.parametrize("options", [[], ["--temperature=0"], ["--top-k=3", "--top-p=0.9", "--stop=a", "--seed=1"]])
def test_generate(command, run, options):
    code, out, err = command("generate", run, "the ", "--length=30", "--seed=0", *options)
    assert (code, err) == (0, "")
    assert out.startswith("the ")
    assert len(out) <= len("the ") + 31


def test_generate_is_what_the_estimator_writes(command, run):
    written = model().generate("the", length=30, samples=2, seed=3)
    more = ["--length=30", "--samples=2", "--seed=3"]
    _, out, _ = command("generate", run, "the", *more, "--json")
    assert json.loads(out) == [{"prompt": "the", "text": text} for text in written]
    _, out, _ = command("generate", run, "the", *more)
    assert out == f"--- 1 of 2\nthe{written[0]}\n--- 2 of 2\nthe{written[1]}\n"
    _, out, _ = command("generate", run, "the", "--length=30", "--seed=3")
    assert out == f"the{model().generate('the', length=30, seed=3)}\n"


def test_score(command, run, tmp_path):
    text = "the cat\nsat"
    table = model().score(text)
    _, out, err = command("score", run, text, "--json")
    assert err == ""
    found = json.loads(out)
    assert found["tokens"] == 11
    assert found["log probability"] == pytest.approx(table["log_probability"].sum())
    assert found["perplexity"] == pytest.approx(2.718281828 ** -table["log_probability"].mean())
    assert found["bits per character"] == pytest.approx(-table["log_probability"].sum() / 0.693147181 / 11)
    (tmp_path / "text.txt").write_text(text)
    assert command("score", run, tmp_path / "text.txt", "--json")[1] == out
    _, out, _ = command("score", run, text, "--tokens")
    assert pl.read_csv(out.encode())["log_probability"].to_list() == pytest.approx(table["log_probability"].to_list())
    (tmp_path / "texts.jsonl").write_text('{"text": "the"}\n{"text": "cat"}\n')
    assert json.loads(command("score", run, tmp_path / "texts.jsonl", "--json")[1])["tokens"] == len("the\ncat")
    assert "perplexity:" in command("score", run, "the " * 2000)[1]


def test_predict_and_evaluate(command, run, tmp_path):
    _, out, _ = command("predict", run, "--text", "the", "--text", "a", "--json")
    rows = json.loads(out)
    assert {row["text"] for row in rows} == {1, 2}
    assert pl.DataFrame(rows).equals(model().predict(["the", "a"]))
    (tmp_path / "later.txt").write_text(story(5, 8))
    code, out, err = command("evaluate", run, tmp_path / "later.txt", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == model().evaluate(Corpus.of([story(5, 8)])).to_json()
    code, out, err = command("evaluate", run, tmp_path / "later.txt")
    assert "bits per character" in out


def test_evaluate_a_field_of_json_lines(command, run, tmp_path):
    (tmp_path / "later.jsonl").write_text(json.dumps({"a": story(30, 5), "b": "the cat"}) + "\n")
    (tmp_path / "later.txt").write_text(story(30, 5))
    code, _, err = command("evaluate", run, tmp_path / "later.jsonl")
    assert (code, "name it with field" in err) == (2, True)
    found = [command("evaluate", run, tmp_path / "later.jsonl", "--field", "a", "--json")]
    found.append(command("evaluate", run, tmp_path / "later.txt", "--json"))
    assert found[0] == found[1]
    assert found[0][0] == 0


def test_evaluate_with_adaptation(command, run, tmp_path):
    (tmp_path / "later.txt").write_text(story(2, 8))
    code, out, err = command("evaluate", run, tmp_path / "later.txt", "--cache", "--dynamic")
    assert (code, err) == (0, "")
    assert "LSTM + cache" in out
    assert "LSTM + dynamic evaluation" in out


@pytest.mark.parametrize("verb", ["generate", "score", "predict"])
def test_unknown_tokens_are_noted_in_one_line(command, run, verb):
    text = ["--text", "thé Ω"] if verb == "predict" else ["thé Ω"]
    code, out, err = command(verb, run, *text)
    assert code == 0
    assert err == "note: 2 of 5 characters of the text are not in the vocabulary\n"
    assert out
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")  # whatever the caller's filters are
        assert command(verb, run, *text)[2] == err


def test_bits_are_not_told_of_unknown_tokens(command, run):
    assert json.loads(command("score", run, "thé", "--json")[1])["bits per character"] is None
    assert "bits per character: –" in command("score", run, "thé")[1]


def test_warnings_of_others_stay_as_they_are(command, run, monkeypatch):
    from longshort.tasks.language import LanguageModel

    def generate(self, *_):
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
        yield [""]

    monkeypatch.setattr(LanguageModel, "stream", generate)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        _, _, err = command("generate", run)
    assert [str(warning.message) for warning in seen] == ["of somebody else"]
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "{run}", "--temperature=-1"], "temperature must be a number from 0, not -1.0"),
        (["generate", "{run}", "--top-p=2"], "top_p must be at most 1"),
        (["score", "{run}", ""], "the text is empty"),
        (["predict", "{run}", "--level=80"], "--level and --quantile belong to forecasts"),
        (["evaluate", "{run}", "nowhere.txt"], "nowhere.txt: there is no such file"),
        (["generate", "{run}/nowhere"], "does not exist: fit a run first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_questions(command, run, arguments, message):
    code, out, err = command(*(argument.format(run=run) for argument in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_forecaster_writes_no_texts(command, tmp_path):
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 3, 31), eager=True)
    frame = pl.DataFrame({"ds": days, "y": [float(k % 7) for k in range(len(days))]})
    tiny = {"horizon": 2, "hidden_size": 4, "members": 1, "steps": 2, "batch_size": 8, "test_windows": 1}
    Forecaster(**tiny).fit(frame).save(tmp_path / "run")
    for verb, does in (("generate", "writes"), ("score", "scores")):
        code, out, err = command(verb, tmp_path / "run", "the")
        assert (code, out) == (2, "")
        assert f"is a run of the task 'forecast', which {does} no texts: give a language model's" in err
    for option in (["--dynamic"], ["--cache"], ["--field", "text"]):
        code, out, err = command("evaluate", tmp_path / "run", *option)
        assert (code, out) == (2, "")
        assert f"{option[0]} belongs to language models" in err
