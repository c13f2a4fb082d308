"""LanguageModel: what is read and held out, what it answers, what it refuses, and what it keeps."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from writers import model, plain, story

from longshort import InputError, LanguageModel, LongshortError
from longshort.data import tokens
from longshort.data.corpus import Corpus
from longshort.errors import Note
from longshort.tasks.language import scoring
from longshort.tasks.language.config import LanguageConfig
from longshort.tasks.language.estimator import NAMES
from longshort.tasks.language.material import _cut, read_material
from longshort.training import Progress

TINY = {"hidden_size": 6, "embedding_size": 4, "steps": 3, "batch_size": 4, "window": 16}


def read(source, config=None, **given):
    return read_material(source, LanguageConfig(**(config or {})), **given)


def texts(material):
    return [material.tokenizer.decode(getattr(material, part)) for part in ("training", "validation", "test")]


def fit(source, field=None, **settings):
    return LanguageModel(**{**TINY, **settings}).fit(source, progress=Progress(), field=field)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "story.txt"
    path.write_text(story())
    return fit(path)


# -- what is read ------------------------------------------------------------------------------------------------------


def test_the_end_of_the_text_is_held_out(tmp_path):
    text = "".join(np.random.default_rng(0).choice(list("abc \n"), 1000)) + "x"
    found = read(Corpus.of([text]), {"validation": 0.2, "test": 0.1, "tokens": "bytes"})
    assert texts(found) == [text[:350] + text[551:901], text[350:551], text[901:]]
    assert found.characters == 100
    assert (found.plan.training, found.plan.validation, found.plan.test) == (700, 201, 100)


@pytest.mark.parametrize(("share", "stretches"), [(0.02, 1), (0.1, 4), (0.4, 10)])
def test_the_validation_part_comes_from_all_over_the_text(share, stretches):
    """Equal stretches, each in the middle of an equal part of the text before the test."""
    words = [f"{k:05}" for k in range(8000)]
    found = read(Corpus.of([" ".join(words)]), {"validation": share, "test": 0.1, "tokens": "words"})
    cut = _cut(" ".join(words), "words", {"validation": share, "test": 0.1})
    numbers = {part: np.array(text.split(), dtype=int) for part, text in cut.items()}
    assert [len(numbers[part]) for part in ("training", "validation", "test")] == [
        found.plan.training,
        found.plan.validation,
        found.plan.test,
    ]
    assert np.array_equal(numbers["test"], np.arange(7200, 8000))
    assert np.array_equal(np.union1d(numbers["training"], numbers["validation"]), np.arange(7200))
    assert len(np.intersect1d(numbers["training"], numbers["validation"])) == 0
    pieces = np.split(numbers["validation"], np.flatnonzero(np.diff(numbers["validation"]) != 1) + 1)
    assert [len(piece) for piece in pieces] == pytest.approx([share * 8000 / stretches] * stretches, abs=1)
    middles = [(piece[0] + piece[-1] + 1) / 2 for piece in pieces]
    assert middles == pytest.approx([(k + 0.5) * 7200 / stretches for k in range(stretches)], abs=1)


def test_words_are_not_cut(tmp_path):
    text = story(100)
    for share in np.linspace(0.03, 0.3, 12).tolist():
        found = read(Corpus.of([text]), {"validation": share, "test": share, "tokens": "words"})
        words = [part.split() for part in texts(found)]
        assert sorted(word for part in words for word in part) == sorted(text.split())
        assert len(words[2]) == pytest.approx(share * 800, abs=3)
        assert text[-found.characters :].split() == words[2]
        assert not text[-found.characters].isspace()  # white space belongs to what stands before it


def test_nothing_held_out_for_the_test():
    found = read(Corpus.of([story()]), {"test": 0.0})
    assert len(found.test) == 0
    assert len(texts(found)[0] + texts(found)[1]) == len(story())
    written = fit(Corpus.of([story()]), test=0.0)
    assert written.fitted.scores is None
    with pytest.raises(InputError, match="no test part was held out: give a text"):
        written.evaluate()
    assert np.array_equal(written.fitted.passage, found.validation[:2000])
    assert written.evaluate(Corpus.of([story(5, 1)])).tokens == len(story(5, 1))


def test_files_for_validation_and_test(tmp_path):
    parts = {name: story(30, seed) for seed, name in enumerate(("training", "validation", "test"))}
    for name, text in parts.items():
        (tmp_path / name).write_text(text)
    given = {name: tmp_path / name for name in ("validation", "test")}
    assert texts(read(tmp_path / "training", **given)) == list(parts.values())
    only = texts(read(tmp_path / "training", validation=given["validation"], config={"test": 0.25}))
    cut = round(0.75 * len(parts["training"]))
    assert only == [parts["training"][:cut], parts["validation"], parts["training"][cut:]]
    only = texts(read(tmp_path / "training", test=given["test"], config={"test": 0.0, "validation": 0.25}))
    length = len(parts["training"])
    begin, until = round(0.375 * length), round(0.625 * length)
    kept = parts["training"][:begin] + parts["training"][until:]
    assert only == [kept, parts["training"][begin:until], parts["test"]]


def test_the_vocabulary_is_that_of_the_training_part():
    found = read(Corpus.of(["abc " * 100 + "xyz!" * 10]), {"validation": 0.1, "test": 1 / 11})
    assert len(found.tokenizer) == 5
    assert texts(found)[2] == "\ufffd" * 40
    assert found.plan.test == found.characters == 40
    assert any("of the held-out characters are not in the vocabulary" in note for note in found.notes)


def test_several_files_and_folders_are_read_one_after_the_other(tmp_path):
    for name, text in {"b.txt": "second " * 30, "a.txt": "first " * 30 + "\n", "sub/c.txt": "third\n" * 30}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    rest = {"validation": Corpus.of([story()]), "config": {"test": 0.0}}
    whole = texts(read(tmp_path, **rest))[0]
    assert whole == "first " * 30 + "\n" + "second " * 30 + "\n" + "third\n" * 30
    assert texts(read([tmp_path / "b.txt", tmp_path / "a.txt"], **rest))[0].startswith("second")
    assert read(tmp_path).notes[0] == "3 texts, read one after the other"


def test_json_lines(tmp_path):
    path = tmp_path / "mail.jsonl"
    rows = [{"subject": "x" * 9, "message": f"{k} {story(2, k)}"} for k in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    whole = texts(read(path, validation=path, config={"test": 0.0}, field="message"))[0]
    assert whole == "".join(row["message"] for row in rows)
    written = fit(path, field="message")
    later = tmp_path / "later.jsonl"
    later.write_text(json.dumps({"subject": "?", "message": story(3, 7)}))
    assert written.evaluate(later, field="message").characters == len(story(3, 7))
    with pytest.raises(InputError, match=r"later\.jsonl, line 1: which field is the text is not clear among"):
        written.evaluate(later)


@pytest.mark.skipif(not os.environ.get("LONGSHORT_DATA"), reason="LONGSHORT_DATA does not name a folder of real data")
def test_the_penn_treebank_has_the_published_counts():
    """Mikolov et al. 2010: 10,000 words, 930k, 74k and 82k tokens with the ends of sentences."""
    folder = Path(os.environ["LONGSHORT_DATA"]) / "text"
    paths = {part: folder / f"ptb.{part}.txt" for part in ("train", "valid", "test")}
    found = read(paths["train"], {"tokens": "words"}, validation=paths["valid"], test=paths["test"])
    assert (found.plan.training, found.plan.validation, found.plan.test) == (929_589, 73_760, 82_430)
    assert found.plan.vocabulary_size == 10_000
    assert not any("not in the vocabulary" in note for note in found.notes)


# -- what is refused ---------------------------------------------------------------------------------------------------

BAD = {
    "empty": (b"", {}, "{path}: the file is empty; give a file with text"),
    "blank": (b" \n\n", {}, "{path}: the file is empty; give a file with text"),
    "shorter than a window": (
        b"to be or not to be",
        {},
        "{path}: the training part has 16 characters, at least 64 are needed: give a longer text",
    ),
    "short validation": (
        b"to be or not to be " * 10,
        {},
        "{path}: the validation part has 10 characters, at least 16 are needed: give a longer text",
    ),
    "one word": (b"x" * 2000, {"tokens": "words"}, "{path}: the training part has 1 words, at least 64 are needed"),
    "zero bytes": (b"to be\nor\0not", {}, "{path}: zero byte at offset 8 (line 2), not a text file; convert"),
    "Latin-1": ("naïve café".encode("latin-1"), {}, "not UTF-8, perhaps Latin-1; convert the file to UTF-8"),
    "UTF-16": ("naïve".encode("utf-16"), {}, "{path}: the text is UTF-16"),
    "too few bytes for subwords": (
        b"ab " * 900,
        {"tokens": "subwords", "vocabulary_size": 20},
        "vocabulary_size is 20",
    ),
}


@pytest.mark.parametrize(("content", "settings", "message"), BAD.values(), ids=BAD)
def test_bad_texts(tmp_path, content, settings, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        LanguageModel(**settings).fit(path, run=tmp_path / "run", progress=Progress())
    assert message.format(path=path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hiden_size": 3}, "unknown setting 'hiden_size': known are tokens, vocabulary_size"),
        ({"tokens": "letters"}, "tokens must be one of characters, bytes, words, subwords, not 'letters'"),
        ({"cell": "transformer"}, "cell must be one of lstm, gru, rnn, not 'transformer'"),
        ({"window": 1}, "window must be a whole number from 2, not 1"),
        ({"word_dropout": 1.0}, "word_dropout must be below 1, not 1.0"),
        ({"validation": 0}, "validation must be above 0, not 0"),
        ({"validation": 0.5, "test": 0.5}, "must leave something of the text to learn from"),
        ({"learning_rate": 0}, "learning_rate must be above 0, not 0"),
        ({"steps": True}, "steps must be a whole number from 1, not True"),
    ],
    ids=str,
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message) as raised:
        LanguageModel(**settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda m: m.score(""), "the text is empty: give at least one character"),
        (lambda m: m.score(3), "a text is a string, not of type int"),
        (lambda m: m.next(None), "a text is a string, not of type NoneType"),
        (lambda m: m.next("a", k=0), "k must be a whole number from 1, not 0"),
        (lambda m: m.predict(["a", 3]), "a text is a string, not of type int"),
        (lambda m: m.predict([]), "there is no prompt: give at least one, or None for where a text begins"),
        (lambda m: m.generate("a", temperature=-1), "temperature must be a number from 0, not -1"),
        (lambda m: m.generate("a", heat=1), "unknown setting 'heat'"),
        (lambda m: m.generate("a\ud800"), "surrogate"),
        (lambda m: m.evaluate("nowhere.txt"), "nowhere.txt: there is no such file"),
    ],
)
def test_bad_questions(action, message):
    with pytest.raises(InputError, match=message) as raised:
        action(model())
    assert "\n" not in str(raised.value)


def test_words_need_a_word():
    with pytest.raises(InputError, match="the text holds no token: give at least one word"):
        model(kind="words").score("  ")


def test_nothing_is_answered_before_fit():
    for action in (lambda m: m.generate("a"), lambda m: m.score("a"), lambda m: m.next("a")):
        with pytest.raises(LongshortError, match=r"not fitted yet: call fit\(data\)"):
            action(LanguageModel())


# -- what it answers ---------------------------------------------------------------------------------------------------


def by_hand(written, text):
    """Log-probability of every token of a text, behind a line end."""
    ids = torch.from_numpy(written.fitted.tokenizer.encode("\n" + text).ids.astype(np.int64))
    logs = plain(written.fitted.network, ids[:-1, None])[:, 0]
    return logs.gather(-1, ids[1:, None])[:, 0].detach().double().numpy()


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "subwords"])
def test_score(kind):
    written = model(kind=kind, vocabulary_size=280 if kind == "subwords" else None)
    text = "the cat sat\non a mat"
    table = written.score(text)
    np.testing.assert_allclose(table["log_probability"], by_hand(written, text), atol=1e-5)
    assert [text[a:b] for a, b in zip(table["begin"], table["end"], strict=True)] == table["token"].to_list()
    if kind == "words":
        assert table["token"].to_list() == ["the", "cat", "sat", "\n", "on", "a", "mat"]
    else:
        assert "".join(table["token"]) == text
    perplexity = np.exp(-table["log_probability"].mean())
    assert written.evaluate(Corpus.of([text])).overall["LSTM"]["perplexity"] == pytest.approx(perplexity)


def test_characters_of_several_bytes_are_scored_where_they_stand():
    table = model(kind="bytes").score("a€b")
    assert table["token"].to_list() == ["a", "€", "€", "€", "b"]
    assert table["begin"].to_list() == [0, 1, 1, 1, 2]
    assert table["end"].to_list() == [1, 2, 2, 2, 3]


def test_next_is_the_softmax_after_the_prompt():
    written = model()
    table = written.next("the ca", k=200)
    ids = torch.from_numpy(written.fitted.tokenizer.encode("the ca").ids.astype(np.int64))
    p = plain(written.fitted.network, ids[:, None])[-1, 0].exp().detach()
    labels = [written.fitted.tokenizer.label(k) for k in range(len(p))]
    assert dict(table.rows()) == pytest.approx(dict(zip(labels, p.tolist(), strict=True)))
    assert table["probability"].is_sorted(descending=True)
    assert table["probability"].sum() == pytest.approx(1)
    assert written.next("the ca", k=3).equals(table.head(3))
    assert written.next("", k=200).equals(written.next("\n", k=200))  # where a text begins


def test_predict_answers_prompt_after_prompt(tmp_path):
    written = model()
    table = written.predict(["the", "a c"], k=4)
    assert table.columns == ["text", "token", "probability"]
    assert table["text"].to_list() == [1] * 4 + [2] * 4
    assert table.filter(pl.col("text") == 2).drop("text").equals(written.next("a c", 4))
    (tmp_path / "prompts.jsonl").write_text('{"text": "the"}\n{"text": "a c"}\n')
    assert written.predict(tmp_path / "prompts.jsonl", k=4).equals(table)
    assert written.predict(k=4).drop("text").equals(written.next("", 4))


def test_a_prompt_with_unknown_tokens_works_and_says_so():
    written = model()
    for ask in (written.next, written.score, lambda text: written.generate(text, length=3, seed=0)):
        with pytest.warns(Note, match="2 of 5 characters of the text are not in the vocabulary"):
            ask("thé Ω")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(kind="bytes").next("thé Ω")


def test_without_a_line_end_in_the_vocabulary():
    """A text begins behind the first token that was learnt from."""
    written = model("abcab" * 100)
    ids = written.fitted.tokenizer.encode("acab").ids.astype(np.int64)
    logs = plain(written.fitted.network, torch.from_numpy(ids[:-1, None]))[:, 0]
    wanted = logs.gather(-1, torch.from_numpy(ids[1:, None]))[:, 0].detach()
    np.testing.assert_allclose(written.score("cab")["log_probability"], wanted, atol=1e-5)


def test_a_text_of_a_hundred_thousand_tokens():
    written = model(scale=1.0)
    text = (story(40) * 100)[:100_000]
    table = written.score(text)
    assert len(table) == 100_000
    assert table["log_probability"].is_finite().all()
    assert np.exp(-table["log_probability"].mean()) < 3 * len(written.fitted.tokenizer)


def test_a_vocabulary_larger_than_the_text_has_tokens():
    written = fit(Corpus.of([story()]), tokens="words", vocabulary_size=5000)
    assert written.fitted.plan.vocabulary_size == len(written.fitted.tokenizer) == 12


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_scores_of_the_test_part(cell, monkeypatch):
    """The tokens of the test part behind those of the training part, read in one go."""
    real, contexts = scoring.log_probabilities, []

    def spy(network, ids, context):
        contexts.append(context)
        return real(network, ids, context)

    monkeypatch.setattr(scoring, "log_probabilities", spy)
    written = fit(Corpus.of([story(100)]), cell=cell)
    fitted = written.fitted
    before = fitted.training[-512:]
    assert np.array_equal(contexts[0], before)
    ids = torch.from_numpy(np.concatenate([before, fitted.test]).astype(np.int64))
    logs = plain(fitted.network, ids[:-1, None])[:, 0].gather(-1, ids[1:, None])[len(before) - 1 :].mean().item()
    row = written.evaluate().overall[NAMES[cell]]
    assert row["nats"] == pytest.approx(-logs, rel=1e-4)
    assert row["bits per character"] == pytest.approx(-logs / np.log(2), rel=1e-4)
    assert list(written.evaluate().overall) == [NAMES[cell], f"Kneser-Ney, order {fitted.order}", "xz"]


def test_unknown_tokens_leave_the_bits_out():
    scores = model().evaluate(Corpus.of(["the cät sat"]))
    assert scores.unknown == 1
    assert scores.overall["LSTM"]["bits per character"] is None
    assert "xz" not in scores.overall


# -- what it keeps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"tokens": "words", "cell": "gru", "num_layers": 2}, {"test": 0.0}], ids=str)
def test_saved_and_loaded(tmp_path, settings):
    written = fit(Corpus.of([story()]), **settings)
    written.save(tmp_path / "run")
    again = LanguageModel.load(tmp_path / "run")
    assert again.config == written.config
    assert again.score("the cat").equals(written.score("the cat"))
    assert again.generate("the", length=20, seed=1) == written.generate("the", length=20, seed=1)
    later = Corpus.of([story(5, 9)])
    assert again.evaluate(later) == written.evaluate(later)
    assert again.fitted.scores == written.fitted.scores
    for part in ("training", "validation", "test"):
        assert np.array_equal(getattr(again.fitted, part), getattr(written.fitted, part))


def test_a_large_vocabulary_has_an_adaptive_softmax(tmp_path, monkeypatch):
    from longshort.tasks.language import config

    monkeypatch.setattr(config, "LARGE", 10)
    monkeypatch.setattr(config, "CUTOFFS", (4, 8))
    written = fit(Corpus.of([story()]), tokens="words", embedding_size=16)
    assert written.fitted.plan.cutoffs == (4, 8)
    assert written.next("the", k=99)["probability"].sum() == pytest.approx(1, abs=1e-5)
    written.save(tmp_path / "run")
    assert LanguageModel.load(tmp_path / "run").score("the cat").equals(written.score("the cat"))


def test_a_fitted_model_is_not_changed_by_being_asked(fitted):
    before = {name: value.clone() for name, value in fitted.fitted.network.state_dict().items()}
    state = torch.get_rng_state()
    fitted.score("the cat")
    fitted.generate("the", length=5)
    fitted.next("the")
    fitted.evaluate(Corpus.of([story(3)]))
    assert all(torch.equal(before[name], value) for name, value in fitted.fitted.network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not fitted.fitted.network.training


def test_it_learns():
    """A text in which every word tells the next one: after a few steps the loss is far below an even guess."""
    rows = "".join(f"{k % 10}{(3 * k + 1) % 10}{k % 10}\n" for k in range(2000))
    written = fit(Corpus.of([rows]), hidden_size=32, embedding_size=16, steps=150, learning_rate=0.02)
    scores = written.evaluate().overall["LSTM"]
    assert scores["perplexity"] < 0.5 * len(written.fitted.tokenizer)
    assert written.fitted.checks[0][-1].validation < 0.6 * written.fitted.checks[0][0].validation


def test_the_kind_of_tokens_follows_the_size(monkeypatch):
    assert read(Corpus.of([story()])).plan.tokens == "characters"
    monkeypatch.setattr(tokens, "MANY_CHARACTERS", len(story()) - 1)
    assert read(Corpus.of([story()])).plan.tokens == "subwords"
