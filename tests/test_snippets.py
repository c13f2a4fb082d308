"""The Python in the documents runs as it is printed there, one snippet after the other."""

import doctest
import json
import re
from functools import partialmethod
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import longshort

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Tagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(20, 64)
        self.encoder = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(64, 128, num_layers=2)})

    def forward(self, words):
        return self.encoder["rnn"](self.embed(words))[0]


def given():
    """What the snippets take as known: a model, and batches for LSTM(64, 128, num_layers=2, batch_first=True)."""
    lengths = torch.tensor([4, 6, 1])
    x = torch.randn(3, 6, 64)
    return {
        "longshort": longshort,
        "model": Tagger(),
        "words": torch.randint(20, (3, 6)),
        "x": x,
        "x_t": x[:, 0],
        "h": torch.zeros(2, 3, 128),
        "c": torch.zeros(2, 3, 128),
        "lengths": lengths,
        "packed": pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False),
    }


def write_sales(path):
    days = np.arange(200)
    sales = 10 + 3 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(0).normal(size=200)
    pl.DataFrame({"day": np.datetime64("2024-01-01") + days, "sales": sales}).write_csv(path)


def write_texts():
    Path("letters").mkdir()
    Path("letters/1912.txt").write_text("My dear friend,\nit is long since I wrote.\n")
    Path("novel.txt").write_text("It was a dark night, and it rained.\n" * 60)
    reviews = [f"{k % 2}\t{'good' if k % 2 else 'bad'} film number {k}" for k in range(40)]
    for name, between in (("reviews.tsv", "\t"), ("reviews.csv", ",")):
        lines = [line.replace("\t", between) for line in ["label\ttext", *reviews]]
        Path(name).write_text("\n".join(lines) + "\n")
    for side, words in (("de", ("Ein Hund läuft", "Zwei Katzen schlafen")), ("en", ("A dog runs", "Two cats sleep"))):
        Path(f"train.{side}").write_text("".join(f"{words[k % 2]} {k}.\n" for k in range(60)))
    mails = [{"document": f"Dear all, note {k} is here.", "summary": f"note {k}"} for k in range(60)]
    Path("mail.jsonl").write_text("".join(json.dumps(mail) + "\n" for mail in mails))
    talk = [{"speaker": "user", "text": "I am hungry."}, {"speaker": "system", "text": "In which city?"}]
    Path("dialogues.jsonl").write_text((json.dumps({"turns": talk}) + "\n") * 40)
    cases = "\n".join(f"0.1,{k}.5,?:1,2,3:{'a' if k % 2 else 'b'}" for k in range(8))
    Path("Vowels_TRAIN.ts").write_text(f"@timestamps false\n@classLabel true a b\n@data\n{cases}\n")


def write_tunes():
    pytest.importorskip("miditok")
    from longshort.data.midi import score_of

    Path("tunes").mkdir()
    rng = np.random.default_rng(0)
    for k in range(12):
        notes = [(0.5 * n, 0.5, 60 + pitch, 0) for n, pitch in enumerate(rng.integers(0, 12, 16))]
        score_of(np.array(notes, dtype=np.float64), 100.0).dump_midi(f"tunes/{k:02}.mid")


def write_recordings():
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for k in range(24):
        soundfile.write(f"{k}.wav", 0.1 * rng.standard_normal(4000), 8000)
    soundfile.write("new.wav", 0.1 * rng.standard_normal(4000), 8000)
    words = [("yes", "no")[k % 2] for k in range(24)]
    pl.DataFrame({"path": [f"{k}.wav" for k in range(24)], "transcript": words}).write_csv("recordings.csv")


def snippets(document):
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if snippets(path)], ids=lambda path: path.stem)
def test_the_snippets_run(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Small networks: with their defaults they train for minutes.
    one, brief = {"members": 1}, {"embedding_size": 8, "beam": 2, "max_target": 8}
    for estimator, small in (
        (longshort.Forecaster, one),
        (longshort.Classifier, one),
        (longshort.LanguageModel, {"window": 16}),
        (longshort.Transcriber, {"batch_size": 8}),
        (longshort.Composer, {"tunes": 2, "bars": 2, "num_layers": 1}),
        (longshort.Translator, brief),
        (longshort.Summarizer, brief),
        (longshort.Chatbot, brief),
    ):
        quick = partialmethod(estimator.__init__, hidden_size=8, steps=10, **small)
        monkeypatch.setattr(estimator, "__init__", quick)
    write_sales("sales.csv")
    write_texts()
    write_recordings()
    write_tunes()
    names = given()
    for number, snippet in enumerate(snippets(document)):
        if snippet.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(snippet, names, document.name, None, None)
            names |= test.globs
            assert not doctest.DocTestRunner().run(test).failed
        else:
            exec(compile(snippet, f"{document.name}, snippet {number + 1}", "exec"), names)


def test_there_are_snippets():
    assert {path.name for path in DOCUMENTS if snippets(path)} >= {"README.md", "layers.md", "data.md"}
