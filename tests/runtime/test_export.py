"""Exports: what onnxruntime says of real inputs is what the full package says."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from runtime_answers import TEXTS

from longshort.errors import InputError, LongshortError
from longshort.estimator import Estimator
from longshort.export import export_onnx
from longshort.exportable import Exportable, Part, Value
from longshort.tasks import load


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
