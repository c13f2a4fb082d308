"""A transcriber from recordings to answers: what it learns, live as from files, with its faults by name."""

import json
import warnings

import numpy as np
import polars as pl
import pytest
import soundfile
import test_contract
from scipy.signal import resample

from longshort import InputError, LanguageModel, Transcriber
from longshort.errors import Note
from longshort.training import Progress

# Words and the tones that they are: what is said is heard easily, so that little training is enough.
TONES = {"ding": 350, "dong": 900, "deng": 2200}
RATE = 8000


def spoken(words, rng, rate=RATE):
    parts = [np.zeros(int(0.05 * RATE))]
    for word in words:
        time = np.arange(int(RATE * rng.uniform(0.22, 0.32))) / RATE
        parts += [0.4 * np.sin(2 * np.pi * TONES[word] * time) * np.hanning(len(time)) ** 0.5]
        parts += [np.zeros(int(RATE * rng.uniform(0.08, 0.15)))]
    sound = np.concatenate(parts)
    sound += 0.002 * rng.standard_normal(len(sound))
    return sound if rate == RATE else resample(sound, len(sound) * rate // RATE)


def corpus(folder, count=120, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(count):
        words = rng.choice(list(TONES), rng.integers(1, 4)).tolist()
        soundfile.write(folder / f"{k:03}.wav", spoken(words, rng), RATE)
        rows.append({"path": f"{k:03}.wav", "transcript": " ".join(words).upper() + ".", "speaker": f"s{k % 4}"})
    pl.DataFrame(rows).write_csv(folder / "all.csv")
    return folder / "all.csv"


QUICK = {"hidden_size": 24, "num_layers": 1, "batch_size": 8, "steps": 260, "learning_rate": 1e-2}
QUICK |= {"units": "words", "test": 0.2, "hidden_dropout": 0.0, "stretch": 0.0, "noise": 0.0, "warp": 0.0}
QUICK |= {"frequency_masks": 0, "time_masks": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("bells"))


@pytest.fixture(scope="module")
def model(data):
    return Transcriber(**QUICK).fit(data, progress=Progress())


@pytest.fixture(scope="module")
def live(data):
    return Transcriber(live=True, **QUICK).fit(data, progress=Progress())


@pytest.mark.parametrize("which", ["model", "live"])
def test_it_learns(request, which):
    scores = request.getfixturevalue(which).evaluate()
    assert scores.overall["LSTM"]["word error rate"] < 0.1
    assert scores.overall["Most frequent transcript"]["word error rate"] > 0.5


@pytest.mark.parametrize("which", ["model", "live"])
def test_words_have_their_times(request, which):
    model = request.getfixturevalue(which)
    sound = spoken(["ding", "deng", "dong"], np.random.default_rng(5))
    found = model.transcribe(sound, rate=RATE)
    assert found.text == "ding deng dong"
    assert [word.text for word in found.words] == ["ding", "deng", "dong"]
    assert found.seconds == len(sound) / RATE
    loud = np.flatnonzero(np.abs(sound) > 0.1) / RATE
    begins = loud[np.flatnonzero(np.diff(loud, prepend=-1) > 0.05)]
    for word, begin, after in zip(found.words, begins, [*begins[1:], len(sound) / RATE], strict=True):
        assert begin - 0.1 <= word.start <= word.end <= after + 0.15
        assert 0.3 < word.confidence <= 1


def test_any_rate_and_channels(model, tmp_path):
    rng = np.random.default_rng(6)
    sound = spoken(["dong", "ding"], rng, 44_100)
    soundfile.write(tmp_path / "a.flac", np.stack([sound, sound], 1), 44_100)
    assert model.transcribe(tmp_path / "a.flac").text == "dong ding"
    assert model.transcribe((32767 * sound).astype(np.int16), rate=44_100).text == "dong ding"


@pytest.mark.parametrize("chunk", [80, 333, 4000])
@pytest.mark.parametrize("rate", [8000, 16_000])
def test_live_is_the_file(live, chunk, rate, tmp_path):
    sound = spoken(["ding", "dong", "deng", "ding"], np.random.default_rng(7), rate)
    soundfile.write(tmp_path / "a.wav", sound, rate)
    sound, _ = soundfile.read(tmp_path / "a.wav")
    whole = live.transcribe(tmp_path / "a.wav")
    heard = live.live(rate=rate)
    seen = [heard.feed(sound[begin : begin + chunk]) for begin in range(0, len(sound), chunk)]
    last = heard.finish()
    assert last.text == whole.text == live.predict(tmp_path / "a.wav")["text"][0] == "ding dong deng ding"
    for one, other in zip(last.words, whole.words, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end))
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    assert {"ding", "ding dong deng"} <= {partial.text for partial in seen} or chunk == 4000
    assert all(whole.text.startswith(partial.text) for partial in seen)
    with pytest.raises(InputError, match="has ended"):
        heard.feed(sound)


@pytest.mark.parametrize("which", ["model", "live"])
def test_long_recordings_are_read_in_pieces(request, which):
    model = request.getfixturevalue(which)
    rng = np.random.default_rng(8)
    words = [rng.choice(list(TONES), 3).tolist() for _ in range(14)]
    sound = np.concatenate([np.concatenate((spoken(w, rng), 0.002 * rng.standard_normal(9600))) for w in words])
    assert len(sound) / RATE > 30
    found = model.transcribe(sound, rate=RATE)
    told, said = found.text.split(), [w for part in words for w in part]
    assert sum(a != b for a, b in zip(told, said, strict=True)) <= 4
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)


def test_other_searches(model, tmp_path):
    sound = spoken(["ding", "deng"], np.random.default_rng(9))
    assert model.transcribe(sound, rate=RATE, beam=8).text == "ding deng"
    assert model.transcribe(sound, rate=RATE, words=["dong"]).text in ("dong", "dong dong", "")
    (tmp_path / "words.txt").write_text("DENG\nding\n")
    assert model.transcribe(sound, rate=RATE, words=tmp_path / "words.txt").text == "ding deng"
    (tmp_path / "text.txt").write_text("deng ding\n" * 200)
    small = LanguageModel(tokens="words", hidden_size=8, steps=60, window=16, batch_size=4)
    language = small.fit(tmp_path / "text.txt", progress=Progress())
    told = model.transcribe(sound, rate=RATE, language=language, language_weight=0.3)
    assert told.text == "ding deng"
    strong = model.transcribe(sound, rate=RATE, language=language, language_weight=20.0, word_bonus=0.0)
    assert strong.text != "ding deng"
    with pytest.raises(InputError, match="there is no such file"):
        model.transcribe(sound, rate=RATE, words="none.txt")
    with pytest.raises(InputError, match="unknown setting 'bean'"):
        model.transcribe(sound, rate=RATE, bean=2)


def test_both_directions_cannot_be_live(model):
    with pytest.raises(InputError, match="fit one with live=True"):
        model.live(rate=RATE)


@pytest.mark.parametrize("which", ["model", "live"])
def test_silence_nothing_and_noise(request, which):
    model = request.getfixturevalue(which)
    for count in (40, 8000):
        with pytest.warns(Note, match="nothing but silence"):
            assert model.transcribe(np.zeros(count), rate=RATE).words == ()
    with pytest.warns(Note, match="too loud"):
        model.transcribe(np.sign(np.random.default_rng(0).standard_normal(4000)), rate=RATE)


def test_what_cannot_be_learnt_from_is_left_out_and_said(tmp_path):
    rng = np.random.default_rng(0)
    corpus(tmp_path, 60)
    table = pl.read_csv(tmp_path / "all.csv")
    soundfile.write(tmp_path / "silent.wav", np.zeros(4000), RATE)
    soundfile.write(tmp_path / "short.wav", 0.1 * rng.standard_normal(40), RATE)
    soundfile.write(tmp_path / "long.wav", 0.1 * rng.standard_normal(8000), RATE)
    soundfile.write(tmp_path / "loud.wav", np.sign(rng.standard_normal(6000)), RATE)
    soundfile.write(tmp_path / "fast.wav", 0.1 * rng.standard_normal(1000), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    data = (tmp_path / "000.wav").read_bytes()
    for name in ("empty", "dots"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal(4000), RATE)
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    faulty = ["silent", "short", "long", "text", "cut", "empty", "dots", "fast", "loud"]
    said = ["ding"] * 5 + ["", "...", "ding dong " * 30, "ding"]
    more = pl.DataFrame({"path": [f"{n}.wav" for n in faulty], "transcript": said, "speaker": "x"})
    pl.concat([table, more]).write_csv(tmp_path / "faulty.csv")
    material = Transcriber(**{**QUICK, "max_seconds": 0.9, "batch_size": 4, "units": "characters"})._read(
        tmp_path / "faulty.csv"
    )
    notes = "\n".join(material.notes)
    for words in (
        "nothing but silence: left out; the first is silent.wav",
        "less than 0.05 s: left out; the first is short.wav",
        "more than 0.9 s (max_seconds): left out",
        "no readable sound: left out; the first is text.wav",
        "the file cut off: left out; the first is cut.wav",
        "an empty transcript: left out; the first is empty.wav",
        "1 transcripts without a letter: left out",
        "longer than CTC can emit in their recordings, or hold nothing known: left out; the first is fast.wav",
        "1 recordings are clipped, loud.wav the first",
    ):
        assert words in notes
    kept = {name for part in material.parts.values() for name in part.names}
    assert "loud.wav" in kept
    assert not kept & {f"{n}.wav" for n in faulty if n != "loud"}


def test_parts_as_the_table_says_and_by_speaker(data, tmp_path):
    table = pl.read_csv(data).with_columns(pl.col("path").map_elements(lambda p: str(data.parent / p), pl.String))
    split = table.with_columns(split=pl.when(pl.col("speaker") == "s3").then(pl.lit("test")).otherwise(pl.lit("train")))
    material = Transcriber(**QUICK)._read(split)
    assert set(material.parts["test"].speakers) == {"s3"}
    assert set(material.parts["training"].speakers) == {"s0", "s1", "s2"} == set(material.parts["validation"].speakers)
    apart = Transcriber(split_by="speaker", **QUICK)._read(table)
    speakers = [set(part.speakers) for part in apart.parts.values()]
    assert all(speakers)
    assert sum(map(len, speakers)) == 4
    assert any("held out by speaker" in note for note in apart.notes)


def test_features_from_elsewhere(data, tmp_path):
    rng = np.random.default_rng(0)
    names, words = [f"u{k}" for k in range(60)], [("ding", "dong")[k % 2] for k in range(60)]
    steps = {
        n: np.repeat(np.eye(3)[[int(w == "dong")]], 30, 0) + 0.1 * rng.standard_normal((30, 3))
        for n, w in zip(names, words, strict=True)
    }
    np.savez(tmp_path / "f.npz", **steps)
    table = pl.DataFrame({"id": names, "transcript": words})
    quick = {**QUICK, "steps": 150, "normalise": "running"}
    model = Transcriber(**quick).fit(table, features=tmp_path / "f.npz", progress=Progress())
    assert model.evaluate().overall["LSTM"]["word error rate"] == 0
    again = model.predict(tmp_path / "f.npz")
    assert again["recording"].to_list() == names
    assert again["text"].to_list() == words
    assert model.evaluate(table).overall["LSTM"]["word error rate"] == 0
    with pytest.raises(InputError, match="trained on features that were computed elsewhere"):
        model.transcribe(data.parent / "000.wav")


def test_new_recordings_are_scored(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = model.evaluate(data)
    assert scores.recordings == 120
    assert scores.overall["LSTM"]["word error rate"] < 0.1
    assert model.evaluate("validation").recordings == len(model.fitted.parts["validation"])


def test_the_command(live, data, tmp_path, capfd):
    live.save(tmp_path / "run")
    wav = data.parent / "003.wav"
    said = pl.read_csv(data)["transcript"][3].lower().rstrip(".")
    assert test_contract.main("transcribe", tmp_path / "run", wav) == 0
    shown = capfd.readouterr()
    assert shown.out == said + "\n"
    assert "real-time factor" in shown.err
    assert test_contract.main("transcribe", tmp_path / "run", wav, wav, "--live", "--times") == 0
    shown = capfd.readouterr()
    assert [line.split("\t")[-1] for line in shown.out.splitlines()] == said.split() * 2
    assert said.split()[0] in shown.err
    assert test_contract.main("transcribe", tmp_path / "run", wav, "--json", "--beam", 4) == 0
    (told,) = json.loads(capfd.readouterr().out)
    assert told["text"] == said
    assert [word["text"] for word in told["words"]] == said.split()
    (tmp_path / "no.wav").write_text("nothing")
    assert test_contract.main("transcribe", tmp_path / "run", tmp_path / "no.wav") == 2
    assert "no.wav cannot be read as audio" in capfd.readouterr().err


def test_the_report(model, tmp_path):
    model.save(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "data:audio/wav;base64," in page
    assert "media-src data:" in page
    for title in ("Against the baselines", "Which words are exchanged", "Listen and look", "How it learnt", "Settings"):
        assert f">{title}</h2>" in page


def test_it_can_be_explained(live):
    opened = live.explainable()
    logs = opened.answer(opened.inputs)
    assert logs.shape == (len(opened.inputs), len(opened.outcomes))
    np.testing.assert_allclose(logs.exp().sum(-1).detach().numpy(), 1, atol=1e-5)
    assert opened.inputs.shape[1] % opened.stride == 0
