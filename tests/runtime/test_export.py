"""Exports: what onnxruntime says of real inputs is what the full package says."""

import json

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
from runtime_answers import TEXTS

from longshort import Transcriber
from longshort.errors import InputError, LongshortError
from longshort.estimator import Estimator
from longshort.export import export_onnx
from longshort.exportable import Exportable, Part, Value
from longshort.tasks import load
from longshort.tasks.compose.scoring import step_nats
from longshort.tasks.transcribe.features import LogMel
from longshort.tasks.transcribe.normalising import normalised


def session(folder):
    return onnxruntime.InferenceSession(folder / "network.onnx", providers=["CPUExecutionProvider"])


def told_inputs(folder):
    described = json.loads((folder / "export.json").read_text())["networks"]["network.onnx"]
    return [value["name"] for value in described["inputs"]]


def test_a_language_model_by_the_command(made, tmp_path, command):
    runs = made("language")
    code, out, err = command("export", runs / "language-words", "--format", "onnx", "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "network.onnx: largest difference between onnxruntime and PyTorch" in out
    assert float(out.splitlines()[0].split()[-1]) < 1e-5
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"network.onnx", "tokenizer.json", "export.json"}
    assert told_inputs(tmp_path / "out") == ["ids", "h"]
    model = load(runs / "language-words")
    ids = model.fitted.tokenizer.encode((runs / "long.txt").read_text()).ids.astype(np.int64)
    whole = np.append(model.beginning, ids)[:-1, None]
    network, found = session(tmp_path / "out"), []
    h = np.zeros((2, 1, 12), np.float32)
    for window in np.split(whole, [1, 8, 300]):  # the state goes from call to call
        logs, h = network.run(None, {"ids": window.astype(np.int64), "h": h})
        found.append(logs[:, 0])
    ours = np.take_along_axis(np.concatenate(found), ids[:, None], 1)[:, 0]
    wanted = np.load(runs / "language-words" / "score.npz")["log_probability"]
    np.testing.assert_allclose(ours, wanted, atol=1e-5)

    code, _, err = command("export", runs / "language-words", "-o", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert "pass --overwrite" in err
    code, _, err = command("export", runs / "language-words", "-o", runs)
    assert code == 2
    assert "holds other files" in err
    code, _, err = command("export", runs / "language-words", "--format", "pickle", "-o", tmp_path / "other")
    assert (code, (tmp_path / "other").exists()) == (2, False)


def test_a_classifier(made, tmp_path):
    runs = made("classify")
    model = load(runs / "classify-texts")
    exported = export_onnx(model, tmp_path / "out")
    assert max(exported.differences.values()) < 1e-5
    arrays = model.fitted.encoder.encode(TEXTS).arrays(np.arange(len(TEXTS)))
    counts = np.diff(np.append(arrays.pop("offsets"), len(arrays["pieces"])))
    arrays["owners"] = np.repeat(np.arange(len(counts)), counts)
    assert told_inputs(tmp_path / "out") == ["steps", "lengths", "words", "pieces", "owners"]
    (found,) = session(tmp_path / "out").run(None, arrays)
    wanted = np.load(runs / "classify-texts" / "list.npz")
    np.testing.assert_allclose(found, np.stack([wanted[f"p_{k}"] for k in model.classes], 1), atol=1e-5)
    assert np.ptp(found[:, 0]) > 1e-3  # it looks at its inputs


def test_a_forecaster(made, tmp_path):
    runs = made("forecast")
    model = load(runs / "forecast-gru")
    assert max(export_onnx(model, tmp_path / "out").differences.values()) < 1e-5
    panel, fitted = model.fitted.panel, model.fitted.model
    store = fitted.store(panel)
    series, origins = np.arange(3), store.lengths
    arrays, units = store.arrays(series, origins)
    (found,) = session(tmp_path / "out").run(None, {name: arrays[name] for name in told_inputs(tmp_path / "out")})
    wanted = fitted.quantiles(store, series, origins)
    np.testing.assert_allclose(units.restore(found), wanted, rtol=1e-5)
    with pytest.raises(InputError, match="is a file"):
        export_onnx(model, runs / "newer.csv")


def test_a_network_that_is_not_the_same_is_not_left_behind(tmp_path):
    """An answer that changes with every call: no file can give it."""

    class Counting(torch.nn.Module):
        calls = 0

        def forward(self, x):
            type(self).calls += 1
            return (x * type(self).calls,)

    class Odd:
        task = "odd"

        def exportable(self):
            x, y = (Value(name, ("steps", "batch"), "numbers") for name in "xy")
            return Exportable({"odd": Part(Counting().eval(), (x,), (y,), lambda b, t: (torch.ones(t, b),))}, ())

    with pytest.raises(LongshortError, match="differ from PyTorch's by"):
        export_onnx(Odd(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_task_without_an_export_says_so():
    class Juggler:
        task = "juggle"

    with pytest.raises(InputError, match="'juggle' cannot be exported yet"):
        Estimator.exportable(Juggler())


def test_a_translator_step_by_step(tmp_path):
    """With all that a decoder can carry on: input feeding, copying, coverage."""
    from longshort import Translator

    words = {"the": "la", "cat": "kato", "dog": "hundo", "sees": "vidas", "a": "unu", "red": "ruga"}
    rng = np.random.default_rng(0)
    rows = [" ".join(rng.choice(list(words), rng.integers(2, 7))) for _ in range(60)]
    pairs = [(row, " ".join(words[word] for word in row.split())) for row in rows]
    kind = {"attention": "additive", "input_feeding": True, "copy": True, "coverage": True, "shared": True}
    sizes = {"hidden_size": 8, "embedding_size": 8, "vocabulary_size": 280, "max_target": 8, "batch_tokens": 200}
    model = Translator(steps=5, test=0, **kind, **sizes).fit(pairs)
    exported = export_onnx(model, tmp_path / "out")
    assert max(exported.differences.values()) < 1e-5
    parts = [onnxruntime.InferenceSession(tmp_path / "out" / f"{name}.onnx") for name in ("encoder", "decoder")]
    fitted = model.fitted
    for source, target in pairs[:3]:
        ids = fitted.sources.encode([source])[0].astype(np.int64)
        names = [value.name for value in parts[0].get_outputs()]
        memory = parts[0].run(None, {"sources": ids[:, None], "lengths": np.array([len(ids)])})
        given = dict(zip(names, memory, strict=True)) | {"sources": ids[:, None], "fed": np.zeros((1, 8), np.float32)}
        given["coverage"] = np.zeros((1, len(ids)), np.float32)
        written = np.append(fitted.targets.begin, fitted.targets.encode([target])[0]).astype(np.int64)
        found = []
        for token in written:
            logs, *after = parts[1].run(None, given | {"tokens": np.array([token])})
            for value, changed in zip(parts[1].get_outputs()[1:], after, strict=True):
                given[value.name.removesuffix("_n")] = changed
            found.append(logs)
        with torch.no_grad():  # all steps at once, as in training
            read = fitted.network.encode(torch.from_numpy(ids[:, None]), torch.tensor([len(ids)]))
            said = fitted.network.decode(torch.from_numpy(written[:, None]), read)
            parts_said = [part.transpose(0, 1) for part in (said.features, said.gate, said.weights)]
            wanted = fitted.network.log_probabilities(*parts_said, read.sources)
        np.testing.assert_allclose(np.stack(found, 1), wanted.numpy(), atol=1e-5)


def frames_of(sound, told):
    """Normalised frames of a sound, by what features.json says and nothing else, in float64."""
    made, prior = told["log_mel"], told["prior"]
    window, size = made["window"], made["fft"]
    count = (len(sound) - window) // made["hop"] + 1
    windows = np.stack([sound[k * made["hop"] :][:window] for k in range(count)])
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    energy = np.abs(np.fft.rfft(windows * taper, size)) ** 2
    pitch = 2595 * np.log10(1 + np.arange(size // 2 + 1) * made["sample_rate"] / size / 700)
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (made["lowest"], made["sample_rate"] / 2))
    peaks = np.linspace(low, high, made["mels"] + 2)
    bands = np.stack([np.interp(pitch, peaks[k : k + 3], [0, 1, 0]) for k in range(made["mels"])])
    logs = np.log(np.maximum(energy @ bands.T, made["floor"]))
    mean, square = (np.array(prior[name])[None] * prior["frames"] for name in ("mean", "square"))
    if told["normalise"] == "running":
        counts = prior["frames"] + np.arange(1, count + 1)[:, None]
        mean, square = mean + np.cumsum(logs, 0), square + np.cumsum(logs**2, 0)
    else:
        counts, mean, square = prior["frames"] + count, mean + logs.sum(0), square + (logs**2).sum(0)
    mean, square = mean / counts, square / counts
    found = (logs - mean) / np.sqrt(np.maximum(square - mean**2, told["least_deviation"] ** 2))
    return found.astype(np.float32)


def same_frames(frames, sound, model):
    """Whether they are those of the full package, which has them in float32."""
    plan = model.fitted.plan
    (wanted,) = normalised(plan.normalise, [LogMel(8000, plan.features.inputs)(sound)], (), model.fitted.prior)
    np.testing.assert_allclose(frames, wanted, atol=1e-4)


def text_of(logs, told):
    """The text along the likeliest path."""
    best = logs.argmax(-1)
    kept = best[np.append(True, best[1:] != best[:-1]) & (best != told["blank"])]
    return " ".join("".join(told["pieces"][unit] for unit in kept).split())


def exported_speech(model, folder):
    """The session, what features.json and units.json say."""
    assert max(export_onnx(model, folder).differences.values()) < 1e-5
    return session(folder), *(json.loads((folder / name).read_text()) for name in ("features.json", "units.json"))


def test_a_transcriber_of_whole_recordings(made, tmp_path):
    """From the files of the export alone, a few recordings of unlike length together."""
    runs = made("language", "transcribe")
    model = load(runs / "transcribe-letters")
    network, features, units = exported_speech(model, tmp_path / "out")
    files = [runs / "sounds" / f"{k:02}.wav" for k in range(5)]
    frames = [frames_of(soundfile.read(file)[0], features) for file in files]
    lengths = np.array([len(f) for f in frames])
    assert len(set(lengths.tolist())) > 1
    same_frames(frames[0], soundfile.read(files[0])[0], model)
    padded = np.zeros((lengths.max(), len(files), features["inputs"]), np.float32)
    for k, f in enumerate(frames):
        padded[: len(f), k] = f
    logs, steps = network.run(None, {"frames": padded, "lengths": lengths})
    wanted, counts = model.fitted.network.hear(padded, lengths)
    np.testing.assert_array_equal(steps, counts)
    np.testing.assert_allclose(logs, wanted, atol=1e-5)
    texts = [text_of(logs[:count, k], units) for k, count in enumerate(steps)]
    assert texts == [model.transcribe(file).text for file in files]
    assert any(texts)


@pytest.mark.parametrize(("cell", "stride"), [("gru", 4), ("lstm", 1), ("rnn", 5)])
def test_a_live_transcriber_chunk_by_chunk(made, tmp_path, cell, stride):
    runs = made("language", "transcribe")
    if cell == "gru":
        model = load(runs / "transcribe-live")
    else:
        sizes = {"hidden_size": 6, "num_layers": 2, "batch_size": 8, "steps": 2, "test": 0}
        model = Transcriber(live=True, cell=cell, stride=stride, **sizes).fit(runs / "recordings.csv")
    network, features, units = exported_speech(model, tmp_path / "out")
    assert (features["stride"], features["normalise"]) == (stride, "running")
    sounds = [soundfile.read(runs / "sounds" / f"{k:02}.wav")[0] for k in range(3)]
    short = min(map(len, sounds))
    frames = np.stack([frames_of(sound[:short], features) for sound in sounds], 1)
    same_frames(frames[:, 1], sounds[1][:short], model)
    edge = np.zeros((features["edge"], *frames.shape[1:]), np.float32)
    given = {value.name: np.zeros((2, 3, value.shape[2]), np.float32) for value in network.get_inputs()[2:]}
    given["rest"], found = edge, []
    for chunk in np.split(np.concatenate((frames, edge)), np.cumsum([1, stride, 7, stride + 1, 2 * stride])):
        logs, *after = network.run(None, given | {"frames": chunk})
        for value, changed in zip(network.get_outputs()[1:], after, strict=True):
            given[value.name.removesuffix("_n")] = changed
        found.append(logs)
    found = np.concatenate(found)
    wanted, _ = model.fitted.network.hear(frames, np.full(3, len(frames)))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    texts = [text_of(found[:, k], units) for k in range(3)]
    assert texts == [model.transcribe(sound[:short], rate=8000).text for sound in sounds]
    assert cell != "gru" or any(texts)


def test_a_transcriber_of_features_from_elsewhere(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "features.npz", **{f"r{k}": rng.normal(size=(40, 5)).astype(np.float32) for k in range(12)})
    (tmp_path / "table.csv").write_text("path,transcript\n" + "".join(f"r{k},ab ba\n" for k in range(12)))
    sizes = {"hidden_size": 6, "num_layers": 1, "steps": 2, "hop": 0.02, "test": 0, "units": "words"}
    model = Transcriber(**sizes).fit(tmp_path / "table.csv", features=tmp_path / "features.npz")
    network, features, units = exported_speech(model, tmp_path / "out")
    assert (features["log_mel"], features["inputs"], features["hop_seconds"]) == (None, 5, 0.02)
    assert network.get_inputs()[0].shape[2] == 5
    assert sorted(units["pieces"]) == ["", " ab", " ba"]


@pytest.mark.parametrize("kind", ["tokens", "rolls"])
def test_a_composer_step_by_step(made, tmp_path, kind):
    """Two tunes side by side; the state goes from call to call."""
    runs = made("compose")
    model = load(runs / f"compose-{kind}")
    assert max(export_onnx(model, tmp_path / "out").differences.values()) < 1e-5
    network, fitted = session(tmp_path / "out"), model.fitted
    pieces = [fitted.parts["training"].pieces[k] for k in range(2)]
    long = min(len(fitted.encoding.whole(piece)) for piece in pieces)
    whole = np.stack([fitted.encoding.whole(piece)[:long] for piece in pieces], 1)
    whole = whole.astype(np.int64 if kind == "tokens" else np.float32)
    first, *state = (value.name for value in network.get_inputs())
    assert state == (["h", "c"] if kind == "tokens" else ["h"])
    given, found = {name: np.zeros((2, 2, 8), np.float32) for name in state}, []
    for window in np.split(whole[:-1], [1, 8, 9]):
        said, *after = network.run(None, given | {first: window})
        given = dict(zip(state, after, strict=True))
        found.append(said)
    found = np.concatenate(found).astype(np.float64)
    if kind == "tokens":
        ours = -np.take_along_axis(found, whole[1:, :, None], 2)[..., 0]
    else:  # -log p of keys that are independent, each 1 / (1 + exp(-log_odds))
        ours = np.log1p(np.exp(np.where(whole[1:] == 1, -found, found))).sum(-1)
    for k, piece in enumerate(pieces):
        np.testing.assert_allclose(ours[:, k], step_nats(fitted.network, fitted.encoding, piece)[: long - 1], rtol=1e-5)
    files = {path.name for path in (tmp_path / "out").iterdir()} - {"network.onnx", "export.json"}
    assert files == {"tokenizer.json" if kind == "tokens" else "rolls.json"}
    if kind == "tokens":
        names = json.loads((tmp_path / "out" / "tokenizer.json").read_text())["tokens"]
        assert [names[i] for i in whole[:3, 0]] == ["BOS_None", "Bar_None", "TimeSig_4/4"]
    else:
        told = json.loads((tmp_path / "out" / "rolls.json").read_text())
        assert told == {"keys": 88, "lowest_pitch": 21, "quarter_notes_per_frame": fitted.encoding.frame}
