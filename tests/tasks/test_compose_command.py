"""Composers as a user meets them: both kinds of music, the command, continuations, the report, wrong use."""

import base64
import io
import json
import re
import sys
import warnings
import wave

import numpy as np
import pytest
import torch

from longshort import Composer, InputError, cli
from longshort.data.midi import first_tune, notes_of, score_of, tempo_of
from longshort.data.rolls import notes_of_roll
from longshort.errors import Note
from longshort.tasks.compose.novelty import Passages, intervals
from longshort.training import Progress

pytest.importorskip("miditok")

SMALL = {"hidden_size": 8, "num_layers": 1, "steps": 10, "batch_size": 4, "tunes": 3, "bars": 2}


def tune(seed, count=24):
    rng = np.random.default_rng(seed)
    pitches = 62 + np.cumsum(rng.integers(-2, 3, count))
    return np.array([(0.5 * k, 0.5, pitch, 0) for k, pitch in enumerate(pitches)], dtype=np.float64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunes")
    for k in range(12):
        score_of(tune(k), 90.0).dump_midi(folder / f"{k:02}.mid")
    (folder / "readme.mid").write_text("these are tunes\n")
    return folder


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    path = tmp_path_factory.mktemp("rolls") / "rolls.npz"
    rng = np.random.default_rng(0)
    named = [*(f"train{k}" for k in range(8)), "valid0", "valid1", "test0", "test1"]
    made = {name: (rng.random((rng.integers(12, 30), 88)) < 0.06).astype(np.uint8) for name in named}
    np.savez(path, **made)
    return path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    Composer(**SMALL).fit(folder, run=path, progress=Progress())
    return path


def main(*arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["longshort", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            cli.main()
    return exited.value.code or 0


def test_a_tune_as_midi_sound_and_picture(run, tmp_path, capfd):
    files = [tmp_path / f"tune{suffix}" for suffix in (".mid", ".wav", ".svg")]
    outputs = [word for path in files for word in ("-o", path)]
    assert main("compose", run, *outputs, "--bars=3", "--tempo=75", "--instrument=40", "--seed=1") == 0
    said = capfd.readouterr().out
    assert all(str(path) in said for path in files)
    score = first_tune(files[0]).score
    assert tempo_of(score) == pytest.approx(75)
    assert {track.program for track in score.tracks} == {40}
    with wave.open(str(files[1])) as file:
        assert file.getnchannels() == 1
    assert files[2].read_text().startswith("<svg ")
    assert main("compose", run, "-o", files[0], "--bars=3", "--seed=1", "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["tempo"] == 120
    assert len(told["notes"]) == len(notes_of(score))


def test_going_on_from_a_tune(run, folder, tmp_path, capfd):
    path = tmp_path / "more.mid"
    assert main("compose", run, "--continue", folder / "03.mid", "-o", path, "--bars=2", "--seed=1") == 0
    score = first_tune(path).score
    assert tempo_of(score) == pytest.approx(90)  # that of the tune before
    notes, before = notes_of(score), notes_of(first_tune(folder / "03.mid").score)
    np.testing.assert_allclose(notes[: len(before)], before)
    assert (notes[len(before) :, 0] >= 12).all()  # the new bars come behind its three


def test_a_composer_of_rolls(rolls, tmp_path):
    model = Composer(**SMALL, frame=0.25).fit(rolls, run=tmp_path / "run", progress=Progress())
    again = Composer.load(tmp_path / "run")
    assert again.fitted.plan.to_dict()["kind"] == "rolls"
    assert [len(again.fitted.parts[part]) for part in ("training", "validation", "test")] == [8, 2, 2]
    assert again.predict(rolls).equals(model.predict())  # a source with parts is judged on its test
    assert again.evaluate(rolls).to_json() == model.evaluate().to_json()
    table = model.predict(k=88).filter(table_of("test0"))
    with torch.no_grad():
        frames = torch.from_numpy(model.fitted.parts["test"].pieces[0]).float().unsqueeze(1)
        p = torch.sigmoid(model.fitted.network(frames)[0][-1, 0]).double()
    np.testing.assert_allclose(table["probability"], p.sort(descending=True).values, rtol=1e-5)
    made = model.compose(bars=2, seed=0)
    assert (made.notes[:, 0] % 0.25 == 0).all()
    assert (made.notes[:, 0] < 8).all()
    more = model.compose(rolls, bars=1, seed=0)
    with np.load(rolls) as arrays:
        assert more.new == pytest.approx(len(arrays["test0"]) * 0.25)
        before = notes_of_roll(arrays["test0"], 0.25)
    ended = before[before[:, 0] + before[:, 1] < more.new]
    assert {tuple(note) for note in ended.tolist()} <= {tuple(note) for note in more.notes.tolist()}
    assert "roll" in (tmp_path / "run" / "report.html").read_text().lower()


def table_of(name):
    import polars as pl

    return pl.col("tune") == name


def test_the_scores_are_of_what_was_written(run):
    model = Composer.load(run)
    fitted, scores = model.fitted, model.evaluate()
    known = [intervals(fitted.encoding.notes(piece)) for piece in fitted.parts["training"].pieces]
    own = [intervals(fitted.encoding.notes(piece)) for piece in fitted.written[model.name]]
    assert len(own) == scores.written == 3
    passages = Passages(known)
    assert scores.copied == [list(passages.longest(steps)) for steps in own]
    assert scores.overall[model.name]["copied"] == max(notes for notes, _, _ in scores.copied)
    assert scores.overall["held-out tunes"]["nats"] is None
    assert scores.units == sum(24 for _ in fitted.parts["test"].names)


def test_the_report_plays_and_shows(run):
    page = (run / "report.html").read_text()
    players = re.findall(r'<audio[^>]*src="data:audio/wav;base64,([^"]+)"', page)
    assert len(players) == 5  # three of ours, one of the chain, one that was held out
    for sound in players:
        with wave.open(io.BytesIO(base64.b64decode(sound))) as file:
            assert 0 < file.getnframes() / file.getframerate() < 30
    assert "media-src data:" in page
    for words in ("What it writes", "Its habits", "How new it is", "Markov chain", "Composer("):
        assert words in page


def test_a_broken_file_is_said(folder, run, capfd):
    assert main("predict", run, folder) == 0
    assert "1 file left out: readme.mid (not a MIDI file)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compose", "RUN", "-o", "a.mp3"), "a tune is written as .mid, .wav, .svg"),
        (("compose", "RUN", "-o", "a.mid", "--key=H"), "'H' is no key"),
        (("compose", "RUN", "-o", "a.mid", "--bars=0"), "bars must be a whole number from 1"),
        (("compose", "RUN", "-o", "a.mid", "--instrument=200"), "programs from 0 to 127"),
        (("compose", "RUN", "-o", "a.mid", "--continue=no.mid"), "there is no such file or folder"),
        (("compose", "RUN", "-o", "a.mid", "--continue=ROLLS"), "the run learnt from MIDI files"),
        (("evaluate", "RUN", "ROLLS"), "the run learnt from MIDI files"),
        (("fit", "compose", "FOLDER", "-o", "again", "--test", "ROLLS"), "some of the files are piano rolls"),
        (("fit", "compose", "FOLDER/00.mid", "-o", "again"), "at least 2 are needed: give more tunes"),
        (("fit", "compose", "FOLDER/readme.mid", "-o", "again"), "there is no tune in it that can be read"),
    ],
)
def test_wrong_use(arguments, said, run, rolls, folder, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": run, "ROLLS": rolls, "FOLDER": folder}
    for name, place in places.items():
        arguments = [word.replace(name, str(place)) for word in arguments]
    assert main(*arguments) == 2
    assert said in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_runs_of_other_tasks_write_no_music(tmp_path, capfd):
    from longshort import LanguageModel

    (tmp_path / "story.txt").write_text("the cat sat on a mat\n" * 40)
    LanguageModel(hidden_size=8, steps=2, window=16).fit(
        tmp_path / "story.txt", run=tmp_path / "run", progress=Progress()
    )
    assert main("compose", tmp_path / "run", "-o", tmp_path / "a.mid") == 2
    assert "which writes no music: give a composer's" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["tokens", "rolls"])
def test_what_is_explained_is_what_the_run_says(kind, run, rolls):
    model = Composer.load(run) if kind == "tokens" else Composer(**SMALL).fit(rolls, progress=Progress())
    subject = model.explainable(steps=9)
    fitted, network = model.fitted, model.fitted.network
    piece = fitted.encoding.whole(fitted.held_out.pieces[0])[:9]
    with torch.no_grad():
        said = subject.answer(subject.inputs)[0]
        if kind == "tokens":
            features, _, _ = network(torch.from_numpy(piece).long().unsqueeze(1))
            expected = network.log_probabilities(features[-1, 0])
        else:
            expected = network(torch.from_numpy(piece).float().unsqueeze(1))[0][-1, 0]
    torch.testing.assert_close(said, expected)
    assert len(subject.labels) == 9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        with pytest.raises(InputError, match=r"there is no tune 'x'"):
            model.explainable(which="x")
