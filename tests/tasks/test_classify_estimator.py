"""The classifier as a user meets it: what goes in, what comes out, and every bad input as one line."""

import re
import warnings

import numpy as np
import polars as pl
import pytest
import torch

from longshort import Classifier, InputError
from longshort.tasks.classify import ClassifyConfig
from longshort.tasks.classify.batch import Batch
from longshort.tasks.classify.config import make_plan
from longshort.tasks.classify.material import read_material
from longshort.tasks.classify.network import ClassifyNetwork, Dimensions, Dropout
from longshort.tasks.classify.problem import ClassifyProblem
from longshort.training import Progress
from longshort.training.problem import Turn

TINY = {"hidden_size": 8, "embedding_size": 8, "steps": 10, "members": 1, "batch_size": 8}


class Notes(Progress):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def reviews(count=60):
    return pl.DataFrame(
        {
            "text": [f"{('good', 'bad')[k % 2]} film number {k % 7}" for k in range(count)],
            "label": [("yes", "no")[k % 2] for k in range(count)],
        }
    )


def waves(count=40, gap=False):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(count):
        length = int(rng.integers(3, 9))
        values = rng.normal(2 * (k % 2), 1, (length, 2))
        if gap:
            values[0, 1] = np.nan
        rows += [
            {"id": f"s{k}", "step": t, "a": float(v[0]), "b": float(v[1]), "label": "hi" if k % 2 else "lo"}
            for t, v in enumerate(values)
        ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def model():
    return Classifier(**TINY).fit(reviews(), progress=Progress())


@pytest.fixture(scope="module")
def numeric():
    return Classifier(**TINY).fit(waves(gap=True), progress=Progress())


# -- answers -----------------------------------------------------------------------------------------------------------


def test_a_row_for_each_text(model):
    found = model.predict(["good film", "bad film", ""])
    assert found.columns == ["text", "label", "p_no", "p_yes"]
    assert found["text"].to_list() == ["good film", "bad film", ""]
    p = found.select("p_no", "p_yes").to_numpy()
    np.testing.assert_allclose(p.sum(1), 1)
    assert found["label"].to_list() == [("no", "yes")[k] for k in p.argmax(1)]
    table = pl.DataFrame({"text": ["good film", "bad film", ""], "label": ["x", "y", None]})
    assert model.predict(table).equals(found)  # labels that are there do not matter


def test_a_row_for_each_sequence(numeric, tmp_path):
    table = waves(6, gap=True)
    found = numeric.predict(table)
    assert found.columns == ["id", "label", "p_hi", "p_lo"]
    assert found["id"].to_list() == [f"s{k}" for k in range(6)]
    arrays = [part.select("a", "b").to_numpy() for part in table.partition_by("id", maintain_order=True)]
    np.testing.assert_allclose(numeric.predict(arrays)["p_hi"], found["p_hi"], atol=1e-12)
    numeric.save(tmp_path / "run")
    assert {"values.safetensors", "scales.json", "examples.parquet"} <= {p.name for p in (tmp_path / "run").iterdir()}
    again = Classifier.load(tmp_path / "run")
    assert again.predict().equals(numeric.predict())
    assert again.evaluate(table).to_json() == numeric.evaluate(table).to_json()


def test_it_learns(tmp_path):
    settings = {**TINY, "hidden_size": 16, "embedding_size": 16, "steps": 120, "learning_rate": 0.01}
    for data in (reviews(120), waves(120, gap=True)):
        scores = Classifier(**settings).fit(data, progress=Progress()).evaluate()
        assert next(iter(scores.overall.values()))["accuracy"] >= 0.9


def test_held_out_examples_are_kept_apart():
    table = reviews(100)
    material = read_material(table, ClassifyConfig(validation=0.2, test=0.1))
    parts = material.parts
    assert [len(parts[name]) for name in ("training", "validation", "test")] == [70, 20, 10]
    for part in parts.values():
        assert np.bincount(part.codes).tolist() == [len(part) // 2] * 2
    assert material.plan.classes == ("no", "yes")


def test_classes_that_are_numbers_come_in_their_order():
    table = pl.DataFrame({"text": [f"text {k}" for k in range(60)], "label": [(10, 9, 2)[k % 3] for k in range(60)]})
    assert read_material(table, ClassifyConfig()).plan.classes == ("2", "9", "10")


def test_no_test_part(tmp_path):
    model = Classifier(**TINY, test=0).fit(reviews(), run=tmp_path / "run", progress=Progress())
    with pytest.raises(InputError, match="no test part was held out"):
        model.evaluate()
    assert len(model.predict()) == 6  # those of the validation part
    assert "nothing was held out" in (tmp_path / "run" / "report.html").read_text()
    assert model.evaluate(reviews(10)).examples == 10


def test_files_in_place_of_shares(tmp_path):
    table = reviews(60)
    model = Classifier(**TINY).fit(table, validation=table.head(8), test=table.head(6), progress=Progress())
    assert {name: len(part) for name, part in model.fitted.parts.items()} == {
        "training": 60,
        "validation": 8,
        "test": 6,
    }


def test_named_columns_are_found_again():
    table = reviews().rename({"text": "one", "label": "two"}).with_columns(other=pl.lit("a quite long text of no use"))
    model = Classifier(**TINY).fit(table, text="one", label="two", progress=Progress())
    assert model.predict(table.drop("two").head(3))["text"].to_list() == table["one"].head(3).to_list()
    assert model.evaluate(table.head(9)).examples == 9


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2])
def test_every_example_once_an_epoch(parts):
    encoder_material = read_material(reviews(50), ClassifyConfig(test=0, batch_size=7))
    encoded = encoder_material.encoder.encode(encoder_material.parts["training"].content)
    numbered = np.arange(len(encoded))  # each example its own class, to know it again
    network = ClassifyNetwork(Dimensions(0, 0, 1, 1, 1, 2), "lstm", ("mean",), Dropout())
    plan = make_plan(ClassifyConfig(batch_size=7), "texts", ("a", "b"), 1, len(encoded), 1, 0)
    problem = ClassifyProblem(network, (encoded, numbered), (encoded, numbered), plan, 3)
    per_epoch = -(-len(encoded) // 7)
    turns = [(k // parts, k % parts) for k in range(2 * per_epoch)]
    batches: list[Batch] = [problem.training_batch(Turn(step, part, parts, None)) for step, part in turns]
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        assert sorted(torch.cat([batch.targets for batch in epoch]).tolist()) == numbered.tolist()
    again = problem.training_batch(Turn(0, 0, parts, None))
    assert torch.equal(again.targets, batches[0].targets)
    assert sorted(torch.cat([b.targets for b in problem.validation_batches()]).tolist()) == numbered.tolist()


def test_the_loss_is_the_smoothed_cross_entropy_in_training_alone():
    material = read_material(reviews(50), ClassifyConfig(label_smoothing=0.2))
    encoded, codes = material.encoder.encode(material.parts["training"].content), material.parts["training"].codes
    torch.manual_seed(0)
    network = ClassifyNetwork(Dimensions(material.plan.inputs, 0, 4, 3, 1, 2), "lstm", ("mean",), Dropout())
    problem = ClassifyProblem(network, (encoded, codes), (encoded, codes), material.plan, 0)
    batch = problem.training_batch(Turn(0, 0, 1, None))
    logs = network(batch).log_softmax(-1)
    plain = -logs[torch.arange(len(logs)), batch.targets]
    loss, count = problem.loss(network, batch)
    assert count == len(logs)
    torch.testing.assert_close(loss, (0.8 * plain - 0.2 * logs.mean(-1)).mean())
    torch.testing.assert_close(problem.loss(network.eval(), batch)[0], plain.mean())


def test_balanced_classes_weigh_the_same():
    """Over the whole training part: the mean over the classes of each one's mean."""
    frame = reviews(60).with_columns(label=pl.Series(["rare" if k % 6 == 0 else "common" for k in range(60)]))
    material = read_material(frame, ClassifyConfig(batch_size=60, label_smoothing=0.0, balanced=True))
    encoded, codes = material.encoder.encode(material.parts["training"].content), material.parts["training"].codes
    torch.manual_seed(0)
    network = ClassifyNetwork(Dimensions(material.plan.inputs, 0, 4, 3, 1, 2), "lstm", ("mean",), Dropout())
    problem = ClassifyProblem(network, (encoded, codes), (encoded, codes), material.plan, 0, balanced=True)
    batch = problem.training_batch(Turn(0, 0, 1, None))
    plain = -network(batch).log_softmax(-1)[torch.arange(len(codes)), batch.targets]
    means = [plain[batch.targets == k].mean() for k in range(2)]
    assert len(set(torch.bincount(batch.targets).tolist())) == 2
    torch.testing.assert_close(problem.loss(network, batch)[0], torch.stack(means).mean())


# -- bad input ---------------------------------------------------------------------------------------------------------


def refused(expected, action, *arguments, **options):
    with pytest.raises(InputError) as raised:
        action(*arguments, **options)
    assert "\n" not in str(raised.value)
    assert re.search(expected, str(raised.value)), str(raised.value)


def test_a_label_that_the_training_data_lacks(model, tmp_path):
    path = tmp_path / "test.csv"
    path.write_text("text,label\ngood film,yes\nodd film,maybe\n")
    expected = r"test.csv, line 3: the label 'maybe' does not occur in the training data, which has 'no', 'yes'"
    refused(expected, Classifier(**TINY).fit, reviews(), test=path)
    refused(expected, model.evaluate, path)
    path.write_text("text,label\ngood film,\nodd film,yes\n")
    refused("line 2: the label is missing|not every example has a label", model.evaluate, path)


def test_one_class_only():
    refused(
        "a classifier needs examples of two classes", Classifier(**TINY).fit, reviews().filter(pl.col("label") == "no")
    )


def test_a_class_with_one_example_works_and_is_noted():
    table = reviews().vstack(pl.DataFrame({"text": ["a third kind"], "label": ["third"]}))
    notes = Notes()
    model = Classifier(**TINY).fit(table, progress=notes)
    assert "class 'third' has 1 example: too few to learn it" in notes.said
    assert len(model.evaluate().confusion) == 3
    assert model.predict(["film"]).columns[-1] == "p_yes"


def test_too_few_examples():
    refused(
        "no example is left for the validation part", Classifier(**TINY).fit, reviews(2), label="label", text="text"
    )


def test_a_very_long_text_is_cut(model):
    notes = Notes()
    table = reviews().vstack(pl.DataFrame({"text": ["good film " * 50_000], "label": ["yes"]}))
    Classifier(**TINY, max_length=30).fit(table, progress=notes)
    assert "cut to their first 30 words (max_length): 1 of 61 examples" in notes.said
    with pytest.warns(UserWarning, match=r"1 of 2 examples are cut to 1,000 words"):
        found = model.predict(["good film " * 50_000, "bad"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(["good film " * 500])["p_yes"][0] == pytest.approx(found["p_yes"][0], abs=1e-6)


def test_empty_texts_work(model):
    table = reviews().vstack(pl.DataFrame({"text": ["", None, " "], "label": ["yes", "no", "yes"]}))
    Classifier(**TINY).fit(table, progress=Progress())
    assert model.predict([""]).height == 1


def test_unknown_words_are_judged_by_their_letters_and_said(model):
    with pytest.warns(UserWarning, match="1 of 2 texts hold no word that was learnt: they are judged by their letters"):
        model.predict(["zzz yyy", "good"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"text,label\ngood\x00,a\nbad,b\n", "zero byte|NUL|byte 0"),
        ("text,label\ncafé,a\nbad,b\n".encode("latin-1"), "UTF-8"),
    ],
    ids=["NUL", "Latin-1"],
)
def test_files_that_are_no_text(model, tmp_path, content, expected):
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    refused(expected, Classifier(**TINY).fit, path)
    refused(expected, model.predict, path)


def test_the_other_kind(model, numeric):
    refused("holds sequences of numbers, the run was trained on texts: give texts", model.predict, [np.zeros((3, 2))])
    refused("there is no column|holds texts, the run was trained on sequences", numeric.predict, reviews())
    refused("the list holds texts, the run was trained on sequences of numbers", numeric.predict, ["text"])
    refused("holds sequences of numbers, the run was trained on texts", model.predict, waves())


def test_other_channels(numeric):
    refused("no column 'b' for channels=", numeric.predict, waves().drop("b"))
    refused(
        "has the channels channel 1, the run was trained on a, b: give the same", numeric.predict, [np.zeros((3, 1))]
    )
    refused("array 2 of the list has 1 channels, the first 2", numeric.predict, [np.zeros((3, 2)), np.zeros((3, 1))])
    refused("item 2 of the list is neither a text nor an array", numeric.predict, [np.zeros((3, 2)), "a"])
    refused("array 1 of the list has shape", numeric.predict, [np.zeros((0, 2))])
    refused("the list is empty", numeric.predict, [])


def test_lists_cannot_be_learnt_from(model):
    refused("the list has no labels; give a file or a table", Classifier(**TINY).fit, ["a", "b"])
    refused("not every example has a label|the list has no labels", model.evaluate, ["a", "b"])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"cell": "transformer"}, "cell must be one of lstm, gru, rnn"),
        ({"pooling": "last"}, "pooling must be one of attention, max, mean, all"),
        ({"word_dropout": 1.0}, "word_dropout must be below 1"),
        ({"members": 0}, "members must be a whole number from 1"),
        ({"validation": 0.5, "test": 0.5}, "must leave something of the examples"),
        ({"hiden": 3}, "unknown setting 'hiden'"),
    ],
)
def test_settings(setting, expected):
    refused(expected, Classifier, **setting)


def test_without_scikit_learn(monkeypatch, model):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    refused(r"need scikit-learn: pip install 'longshort\[classify\]'", Classifier(**TINY).fit, reviews())
    refused("need scikit-learn", model.evaluate, reviews())
    assert model.predict(["good"]).height == 1
