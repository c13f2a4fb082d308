"""Exports: what onnxruntime says of real inputs is what the full package says."""

import json

import numpy as np
import onnxruntime
import pytest
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


def test_a_language_model_by_the_command(runs, tmp_path, command):
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


def test_a_classifier(runs, tmp_path):
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


def test_a_forecaster(runs, tmp_path):
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


def test_a_network_that_is_not_the_same_is_not_left_behind(runs, tmp_path):
    """An answer that changes with every call: no file can give it."""
    import torch

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
