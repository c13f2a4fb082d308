"""Translator, Summarizer and Chatbot on small data: answers, bad input, what is said of it, the commands."""

import io
import json

import numpy as np
import polars as pl
import pytest

from longshort import Chatbot, InputError, Summarizer, Translator
from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.chat import FOREIGN, LAST, WHOLE
from longshort.tasks.seq2seq.report import render
from longshort.training import Progress

TINY = {"hidden_size": 8, "embedding_size": 8, "vocabulary_size": 280, "max_target": 10, "beam": 2, "steps": 5}
TINY |= {"batch_tokens": 300, "validation": 0.1, "test": 0.1}


class Notes(Progress):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def pairs(count=80, seed=0):
    rng = np.random.default_rng(seed)
    words = {"one": "unu", "two": "du", "three": "tri", "four": "kvar", "five": "kvin"}
    rows = [rng.choice(list(words), rng.integers(2, 8)) for _ in range(count)]
    return [(" ".join(row), " ".join(words[w] for w in row)) for row in rows]


def talks(count=200, seed=0):
    """The second reply holds a word of the first turn, which is long gone by then."""
    rng = np.random.default_rng(seed)
    cities = rng.choice(["Rome", "Oslo", "Lima"], count)
    return [[f"I am in {city} now", "and what do you want", "tell me where I am", f"in {city}"] for city in cities]


@pytest.fixture(scope="module")
def translator():
    return Translator(**TINY).fit(pairs(), progress=Progress())


@pytest.fixture(scope="module")
def chatbot():
    sizes = {"hidden_size": 24, "embedding_size": 16, "learning_rate": 0.02, "batch_tokens": 300, "steps": 120}
    return Chatbot(vocabulary_size=300, validation=0.1, test=0.1, **sizes).fit(talks(), progress=Progress())


# -- translation -------------------------------------------------------------------------------------------------------


def test_several_answers(translator):
    table = translator.predict(["one two", "three"], n_best=3)
    assert table.columns == ["source", "translation", "rank", "score"]
    assert table["rank"].to_list() == [1, 2, 3] * 2
    for scores in table["score"].to_list()[:3], table["score"].to_list()[3:]:
        assert scores == sorted(scores, reverse=True)
    drawn = translator.predict(["one two"], method="sample", n_best=4, seed=1)
    assert drawn.equals(translator.predict(["one two"], method="sample", n_best=4, seed=1))


def test_odd_sources_have_answers(translator):
    odd = ["", "你好，世界", "\x07\x00", "one " * 5000, "🙂" * 40, "\ud800"]
    table = translator.predict(odd)
    assert len(table) == len(odd)
    assert table["translation"][0] == table["translation"][2] == table["translation"][5] == ""
    assert all(len(text.encode()) < 1000 for text in table["translation"])


def test_an_endless_generation_is_bounded(translator):
    import torch

    network = translator.fitted.network
    kept = network.bias.detach().clone()
    try:
        with torch.no_grad():
            network.bias[translator.fitted.targets.end] = -1e4
        ((best,),) = translator._found(["one two"], translator.decoding(beam=1))
        assert len(best.tokens) == 10
        ((best,),) = translator._found(["one two"], translator.decoding(beam=1, max_length=3))
        assert len(best.tokens) == 3
    finally:
        with torch.no_grad():
            network.bias.copy_(kept)


def test_attention_adds_up(translator):
    alignment = translator.align("one two three", "unu du")
    assert alignment.source == translator.fitted.sources.labels(translator.fitted.sources.encode(["one two three"])[0])
    assert alignment.answer[-1] == "⟨end⟩"
    assert alignment.weights.shape == (len(alignment.answer), len(alignment.source))
    np.testing.assert_allclose(alignment.weights.sum(1), 1, rtol=1e-5)
    assert (alignment.copied == 0).all()
    assert translator.align("one two three").answer[-1] == "⟨end⟩"


def test_alignments_of_words():
    source, answer = ["The", "dog", "·ger", "·.", "runs"], ["La", "hund", "·o", "kuras", "⟨end⟩"]
    weights = np.array([[8, 0, 1, 0, 1], [2, 2, 2, 2, 2], [0, 5, 5, 0, 0], [0, 1, 0, 0, 9], [0, 0, 0, 9, 1]]) / 10
    alignment = Alignment(source, answer, weights, np.array([0.9, 0.2, 0.7, 0.6, 0.0]))
    assert alignment.words() == "0-0 1-1 2-2"
    assert alignment.bracketed() == "[La] hundo [kuras]"
    assert Alignment(source, ["⟨end⟩"], weights[:1], np.zeros(1)).words() == ""


def test_answers_with_alignments(translator):
    table = translator.predict(["one two", "", "three"], alignments=True, n_best=2)
    for row in table.iter_rows(named=True):
        assert len(row["alignment"].split()) == len(row["translation"].split())
    assert "copied" not in table.columns


def test_without_attention_there_is_none_to_show():
    model = Translator(**TINY, attention="none").fit(pairs(40), progress=Progress())
    assert model.name == "LSTM without attention"
    for show in (lambda: model.align("one"), lambda: model.predict(["one"], alignments=True)):
        with pytest.raises(InputError, match="no attention to show"):
            show()
    assert "Where it looks" not in render(model)


def test_scores_hold_how_they_were_computed(translator):
    scores = translator.evaluate()
    assert scores.signatures["BLEU"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert scores.signatures["chrF"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|")
    assert sum(row["examples"] for row in scores.by_length) == scores.examples == 8
    other = translator.evaluate(pairs(20, seed=3), beam=1)
    assert other.examples == 20
    assert other.overall["Copy of the source"]["BLEU"] < 5


def test_what_is_found_in_the_data_is_said(tmp_path):
    notes = Notes()
    test = [*pairs(80)[:3], *pairs(5, seed=9), ("", "x")]
    training = [*pairs(80), ("word " * 50, "w"), ("w\x00ord two", "du")]
    model = Translator(**TINY).fit(training, validation=pairs(8, seed=5), test=test, progress=notes)
    assert "the list: 1 pair with one side more than 30 times as long as the other: left out" in notes.said
    assert "the list: control characters in 1 pair: left out of the text" in notes.said
    assert "the list: 1 pair empty on one side: left out" in notes.said
    assert "3 examples of the test part stand in the training part too: its scores flatter" in notes.said
    assert model.evaluate().examples == 8


def test_aligned_files_by_the_command(tmp_path, command):
    for name, count, seed in (("train", 80, 0), ("val", 9, 1), ("test", 9, 2)):
        for side, texts in zip(("de", "en"), zip(*pairs(count, seed), strict=True), strict=True):
            (tmp_path / f"{name}.{side}").write_text("\n".join(texts) + "\n")

    def files(name):
        return str(tmp_path / f"{name}.de"), str(tmp_path / f"{name}.en")

    sizes = [f"--set={name}={value}" for name, value in TINY.items() if name not in ("validation", "test")]
    parts = [
        part
        for name in ("validation", "test")
        for f in files(name[:3] if name == "validation" else name)
        for part in (f"--{name}", f)
    ]
    code, out, err = command("fit", "translate", *files("train"), "-o", tmp_path / "run", *sizes, *parts)
    assert code == 0, err
    assert "longshort predict" in out
    code, out, _ = command("predict", tmp_path / "run", "--text", "one two", "--text", "three", "--set", "n_best=2")
    assert code == 0
    assert out.splitlines()[0] == "source,translation,rank,score"
    assert len(out.splitlines()) == 5
    code, out, _ = command("predict", tmp_path / "run", tmp_path / "test.de")
    assert len(out.splitlines()) == 10
    code, out, _ = command("evaluate", tmp_path / "run", *files("test"), "--json")
    assert json.loads(out)["examples"] == 9
    code, out, err = command("evaluate", tmp_path / "run", tmp_path / "test.de", tmp_path / "train.en")
    assert code == 2
    assert "has 9 lines" in err
    assert "train.en has 80:" in err
    code, _, err = command("predict", tmp_path / "run", "--text", "x", "--set", "beam=0")
    assert (code, err) == (2, "error: beam must be a whole number from 1, not 0\n")
    code, _, err = command("chat", tmp_path / "run")
    assert code == 2
    assert "does not converse" in err


# -- summaries ---------------------------------------------------------------------------------------------------------


def test_summaries_of_long_documents():
    notes = Notes()
    documents = [(f"Note {k}. The {k % 7} is here. " + "And so on. " * 30, f"Note {k}") for k in range(60)]
    documents[0] = ("word " * 50_000, "words")
    model = Summarizer(**TINY, max_source=40).fit(documents, progress=notes)
    assert "of 60 of 60 sources the first 40 tokens are read (max_source)" in notes.said
    assert list(model.evaluate().overall) == [
        "LSTM with attention",
        "Most similar document (TF-IDF)",
        "First words",
        "TextRank sentence",
    ]
    alignment = model.align(documents[1][0], "Note 1")
    assert ((alignment.copied >= 0) & (alignment.copied <= 1)).all()
    assert "What it copies" in render(model)
    assert len(model.predict(["word " * 50_000])) == 1


def test_unseen_names_are_copied():
    """What was never seen can only come from the source."""
    rng = np.random.default_rng(0)

    def note(low, high):
        number = "".join(rng.choice(list("123456789"), 3))
        return f"Please pay bill {number} by {rng.choice(['May', 'June'])}", number

    learnt = [note(100, 500) for _ in range(300)]
    model = Summarizer(
        hidden_size=32, embedding_size=24, vocabulary_size=280, steps=200, batch_tokens=800, learning_rate=0.02
    ).fit(learnt, progress=Progress())
    table = model.predict(["Please pay bill 748 by May", "Please pay bill 391 by June"], alignments=True)
    assert table["summary"].to_list() == ["748", "391"]
    assert table["copied"].to_list() == ["[748]", "[391]"]


# -- conversations -----------------------------------------------------------------------------------------------------


def test_the_history_is_used(chatbot):
    scores = chatbot.evaluate()
    assert scores.contexts[WHOLE] < 0.7 * scores.contexts[LAST]
    assert scores.contexts[WHOLE] < 0.7 * scores.contexts[FOREIGN]
    assert scores.overall[chatbot.name]["perplexity"] == scores.contexts[WHOLE]
    assert "the history is used" in scores.verdict
    page = render(chatbot)
    assert "What the history is worth" in page
    history = ["and what do you want", "tell me where I am"]
    assert chatbot.reply(["I am in Lima now", *history]) == "in Lima"
    assert chatbot.reply(["I am in Oslo now", *history]) == "in Oslo"


def test_histories_of_every_form(chatbot):
    reply = chatbot.reply(["I am in Rome now"])
    assert chatbot.reply([("A", "I am in Rome now")]) == reply
    assert chatbot.reply([{"speaker": "A", "text": "I am in Rome now"}]) == reply
    assert chatbot.predict(["I am in Rome now"])["reply"].to_list() == [reply]
    assert chatbot.predict(["I am in Rome now"])["context"].to_list() == ["A: I am in Rome now"]
    assert isinstance(chatbot.reply([("a stranger", "Hello?")]), str)
    with pytest.raises(InputError, match="dialogue 1: nothing was said yet"):
        chatbot.reply([])
    with pytest.raises(InputError, match="nothing was said yet"):
        chatbot.reply([" "])


def test_speakers():
    notes = Notes()
    data = [[("x", "hello there"), ("y", "good day"), ("x", "bye now")] for _ in range(30)]
    other = [[("stranger", "hello there"), ("y", "good day")] for _ in range(3)]
    model = Chatbot(**TINY).fit(data, test=[*other, ["alone"]], progress=notes)
    assert model.speaker == "y"
    assert any(
        "3 turns of 1 speakers without a mark of their own ('stranger'): read as 'somebody'" in n for n in notes.said
    )
    assert any("1 dialogue has fewer than two turns" in note for note in notes.said)
    assert Chatbot(**TINY).fit(data, speaker="x", progress=Progress()).speaker == "x"
    with pytest.raises(InputError, match="nobody is called 'z'; speakers are 'x', 'y'"):
        Chatbot(**TINY).fit(data, speaker="z", progress=Progress())


def test_a_conversation_in_the_terminal(chatbot, tmp_path, command, monkeypatch):
    chatbot.save(tmp_path / "run")
    said = ["I am in Lima now", "tell me where I am", "", "/quit", "never read"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(said)))
    code, out, _ = command("chat", tmp_path / "run")
    assert code == 0
    first, second = out.splitlines()
    assert first == chatbot.reply(said[:1])
    assert second == chatbot.reply([said[0], first, said[1]])
    monkeypatch.setattr("sys.stdin", io.StringIO("I am in Lima now\n/new\nI am in Oslo now\n"))
    code, out, _ = command("chat", tmp_path / "run", "--sample", "--seed", "3")
    settings = {"method": "sample", "temperature": 0.7, "seed": 3}
    assert out.splitlines() == [chatbot.reply([f"I am in {city} now"], **settings) for city in ("Lima", "Oslo")]
    code, _, err = command("chat", tmp_path / "run", "--set", "beam=0")
    assert (code, err) == (2, "error: beam must be a whole number from 1, not 0\n")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"attention": "cosine"}, "attention must be one of dot, general, additive, none, not 'cosine'"),
        ({"copy": True, "shared": False}, "copy needs one vocabulary for both sides"),
        ({"coverage": True, "attention": "none"}, "copy and coverage need attention"),
        ({"beam": 0}, "beam must be a whole number from 1, not 0"),
        ({"vocabulary_size": 10}, "vocabulary_size must be a whole number from 256, not 10"),
        ({"validation": 0.6, "test": 0.5}, "validation and test must leave something to learn from"),
        ({"label_smoothing": 1.0}, "label_smoothing must be below 1"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(InputError, match=said):
        Translator(**settings)


def test_too_little_data():
    with pytest.raises(InputError, match="no example is left for the validation part"):
        Translator(**TINY).fit([("a", "b"), ("c", "d")], progress=Progress())


def test_reports_escape_what_they_show():
    rows = [(f"<script>alert({k})</script>", f"<b>{k}</b>") for k in range(40)]
    model = Summarizer(**TINY).fit(
        pl.DataFrame(rows, schema=["document", "summary"], orient="row"), progress=Progress()
    )
    page = render(model)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
