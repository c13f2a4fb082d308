"""The runtime beside the full package: the same numbers from the same runs, without PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longshort import nn, tasks
from longshort.artifact import RunDirectory
from longshort.errors import InputError
from longshort.runtime import functions, load
from longshort.runtime.layers import Readout, Recurrent
from longshort.runtime.sampler import Sampler
from longshort.runtime.weights import Weights
from longshort.sequence import sampler
from longshort.sequence.draws import Draws
from longshort.sequence.network import Dimensions, Dropout, LanguageNetwork
from longshort.sequence.sampling import Sampling

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
# Imports of these fail as if they were not installed.
BLOCKED = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
HEAVY = (
    "torch",
    "lightning",
    "pandas",
    "plotly",
    "typer",
    "rich",
    "statsforecast",
    "utilsforecast",
    "sklearn",
    "scipy",
    "sacrebleu",
    "miditok",
    "symusic",
)


def weights(module):
    return Weights({name: value.numpy() for name, value in module.state_dict().items()})


def in_another_process(script, absent):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED.format(absent=set(absent)) + script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- parts -------------------------------------------------------------------------------------------------------------


@given(
    cell=st.sampled_from(sorted(CELLS)),
    layers=st.integers(1, 3),
    both=st.booleans(),
    steps=st.integers(1, 9),
    batch=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_layers_are_those_of_nn(cell, layers, both, steps, batch, seed):
    torch.manual_seed(seed)
    layer = CELLS[cell](3, 5, num_layers=layers, bidirectional=both)
    x, lengths = torch.randn(steps, batch, 3), torch.randint(1, steps + 1, (batch,))
    with torch.no_grad():
        wanted, final = layer(x, lengths=lengths)
    y, state = Recurrent(cell, weights(layer))(x.numpy(), lengths=lengths.numpy())
    np.testing.assert_array_equal(y, wanted.numpy())
    for k, parts in enumerate(zip(*state, strict=True)):
        one = final[k] if cell == "lstm" else final
        np.testing.assert_array_equal(np.stack(parts), one.numpy())


@pytest.mark.parametrize("cell", CELLS)
def test_steps_go_on_from_a_state(cell):
    layer = CELLS[cell](3, 5, num_layers=2)
    x = torch.randn(8, 4, 3)
    with torch.no_grad():
        wanted = layer(x)[0].numpy()
    ours = Recurrent(cell, weights(layer))
    first, state = ours(x.numpy()[:3])
    stream = ours.stream(4, state)
    steps = [stream(one) for one in x.numpy()[3:]]
    np.testing.assert_allclose(np.concatenate([first, np.stack(steps)]), wanted, atol=1e-6)
    for ours_, theirs in zip(stream.state, ours(x.numpy())[1], strict=True):
        np.testing.assert_allclose(np.stack(ours_), np.stack(theirs), atol=1e-6)
    for rows in ([3, 3, 0, 1], [2, 0]):  # as many as before, and fewer
        stream, chosen = ours.stream(4, state), np.array(rows)
        stream.select(chosen)
        np.testing.assert_allclose(stream(x.numpy()[3, chosen]), wanted[3, chosen], atol=1e-6)


def test_a_projection():
    layer = nn.LSTM(3, 6, proj_size=2)
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        wanted = layer(x)[0].numpy()
    np.testing.assert_array_equal(Recurrent("lstm", weights(layer))(x.numpy())[0], wanted)


def test_what_is_read_need_not_be_in_one_piece():
    layer = nn.GRU(3, 5)
    x = torch.randn(6, 4, 9)[:, 1:3, ::3]
    with torch.no_grad():
        wanted = layer(x)[0].numpy()
    np.testing.assert_array_equal(Recurrent("gru", weights(layer))(x.numpy())[0], wanted)


def test_functions_are_those_of_pytorch():
    x = torch.linspace(-30, 30, 4001)
    for ours, theirs in (
        (functions.gelu, torch.nn.functional.gelu),
        (functions.softplus, torch.nn.functional.softplus),
        (functions.sigmoid, torch.sigmoid),
        (functions.log_sigmoid, torch.nn.functional.logsigmoid),
        (functions.softmax, lambda x: x.softmax(-1)),
        (functions.log_softmax, lambda x: x.log_softmax(-1)),
    ):
        np.testing.assert_allclose(ours(x.numpy()), theirs(x.double()).numpy(), rtol=3e-7, atol=2e-6)
        assert ours(x.numpy()).dtype == np.float32
    np.testing.assert_allclose(Readout(np.eye(3, dtype=np.float32), None)(x.numpy()[:6].reshape(2, 3)).ravel(), x[:6])


@given(
    seed=st.integers(0, 2**40),
    temperature=st.sampled_from([0, 0.3, 1, 2.5]),
    top_k=st.sampled_from([None, 1, 4, 50]),
    top_p=st.sampled_from([None, 0.2, 0.9]),
    penalty=st.sampled_from([1.0, 1.5]),
)
def test_draws_are_those_of_the_full_package(seed, temperature, top_k, top_p, penalty):
    how = Sampling(samples=6, seed=seed, temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=penalty)
    x = torch.randn(12, 6, 20, generator=torch.Generator().manual_seed(seed % 1000)).log_softmax(-1)
    theirs, ours = sampler.Sampler(how, 3, torch.tensor([1, 2]), 20), Sampler(how, 3, np.array([1, 2]), 20)
    for logits in x:
        assert ours(logits.numpy().copy()).tolist() == theirs(logits.clone()).tolist()


@given(seed=st.integers(0, 2**40), shape=st.tuples(st.integers(1, 9), st.integers(1, 99)), limit=st.integers(1, 2**27))
def test_random_numbers_are_those_of_pytorch(seed, shape, limit):
    ours, theirs = Draws(seed), torch.Generator().manual_seed(seed)
    for _ in range(2):
        wanted = torch.rand(shape, dtype=torch.float64, generator=theirs)
        np.testing.assert_array_equal(ours.even(*shape), wanted.numpy())
        np.testing.assert_array_equal(ours.even_single(*shape), torch.rand(shape, generator=theirs).numpy())
        wanted = torch.randint(limit, (shape[1],), generator=theirs)
        np.testing.assert_array_equal(ours.below(limit, shape[1]), wanted.numpy())


@pytest.mark.parametrize("cutoffs", [(), (4, 9)])
@pytest.mark.parametrize("tied", [True, False])
def test_every_softmax(cutoffs, tied):
    from longshort.runtime.sequence import Reader, TokenNetwork

    network = LanguageNetwork(Dimensions(15, 16, 6, 2, cutoffs, tied), "lstm", Dropout()).eval()
    ids = torch.randint(15, (7, 1))
    with torch.no_grad():
        wanted = network.log_probabilities(network(ids)[0]).numpy()
    ours = TokenNetwork("lstm", weights(network))
    np.testing.assert_allclose(ours.log_probabilities(ours(ids.numpy())[0]), wanted, atol=1e-5)
    reader = Reader(ours)
    np.testing.assert_allclose(np.stack([reader(int(token)) for token in ids[:, 0]]), wanted[:, 0], atol=1e-5)


def test_weights_are_those_of_the_file(runs):
    for folder in (runs / "forecast-lstm", runs / "language-subwords"):
        run = RunDirectory.open(folder)
        ours, theirs = Weights.of(run), run.read_tensors("model.safetensors")
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value)
            assert ours[name].shape == value.shape
            module, dot, last = name.rpartition(".")
            assert not dot or np.shares_memory(ours.under(module)[last], ours[name])  # nothing is copied


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_same_answers_without_pytorch(runs):
    """In a process in which neither PyTorch nor most of what the package depends on can be imported."""
    script = f"import runpy; sys.argv = ['', {str(runs)!r}]; sys.path.insert(0, {str(Path(__file__).parent)!r});"
    script += "import warnings; warnings.simplefilter('default', UserWarning);"
    told = json.loads(in_another_process(script + "runpy.run_module('runtime_answers', run_name='__main__')", HEAVY))
    assert len(told["differences"]) == 16
    assert max(told["differences"].values()) < 1e-5
    assert told["loaded"] == []


def test_tables_need_polars_and_nothing_else_does(runs):
    script = f"""
import json, numpy as np
from longshort.artifact import RunDirectory
from longshort.errors import InputError
from longshort.runtime import load
load({str(runs / "forecast-lstm")!r}).predict()
load({str(runs / "language-words")!r}).generate("the", length=3)
load({str(runs / "classify-texts")!r}).predict(["fine great film"])
load({str(runs / "classify-numbers")!r}).predict([np.zeros((3, 2))])
assert load({str(runs / "transcribe-live")!r}).transcribe(0.9 * np.sin(np.arange(8000.0)), rate=8000).seconds == 1
load({str(runs / "compose-rolls")!r}).compose(bars=2).wav()
tune = load({str(runs / "compose-tokens")!r}).compose(bars=2)
for ask in (
    lambda: load({str(runs / "forecast-lstm")!r}).predict({str(runs / "newer.csv")!r}),
    lambda: load({str(runs / "classify-texts")!r}).predict({str(runs / "reviews.csv")!r}),
    lambda: load({str(runs / "transcribe-live")!r}).predict({str(runs / "recordings.csv")!r}),
    lambda: load({str(runs / "transcribe-live")!r}).predict({str(runs / "sounds")!r}),
    lambda: load({str(runs / "transcribe-live")!r}).live(rate=16000),
    lambda: load({str(runs / "compose-tokens")!r}).compose({str(runs / "tunes")!r}),
    tune.midi,
):
    try:
        ask()
    except InputError as error:
        print(error)
"""
    absent = [*HEAVY, "polars", "narwhals", "typing_extensions", "tokenizers", "pooch", "soundfile", "soxr"]
    told = in_another_process(script, absent)
    assert told.count("pip install polars narwhals") == 3
    assert told.count("pip install 'longshort[speech]'") == 2
    assert told.count("pip install 'longshort[music]'") == 2


def test_a_tune_goes_on_from_a_file(runs):
    theirs, ours = (loaded(runs / "compose-tokens") for loaded in (tasks.load, load))
    told = [model.compose(runs / "tunes" / "2.mid", bars=3, seed=4, key="kept") for model in (theirs, ours)]
    np.testing.assert_array_equal(told[1].notes, told[0].notes)
    assert (told[1].tempo, told[1].new) == (told[0].tempo, told[0].new)
    assert told[0].new >= 12
    np.testing.assert_allclose(*(m.predict(runs / "tunes", k=5)["probability"] for m in (ours, theirs)), atol=1e-6)


def test_import_loads_numpy_and_safetensors_alone():
    loaded = in_another_process("import longshort.runtime; print(*{m.partition('.')[0] for m in sys.modules})", HEAVY)
    assert not {"torch", "polars", "pandas", "narwhals", "tokenizers"} & set(loaded.split())


def test_what_cannot_be_loaded_is_said_in_a_line(runs, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(InputError, match="keeps 3 series: name the one"):
        load(runs / "forecast-lstm").stream()
    with pytest.raises(InputError, match="keeps no series 'x'"):
        load(runs / "forecast-lstm").stream("x")
    with pytest.raises(InputError, match="known in advance"):
        load(runs / "forecast-gru").stream("s1")
    with pytest.raises(InputError, match="1 exogenous columns, not 2"):
        load(runs / "forecast-lstm").stream("s1").add(1.0, [1.0, 2.0])
    with pytest.raises(InputError, match="trained on texts"):
        load(runs / "classify-texts").predict([np.zeros((3, 2))])
    with pytest.raises(InputError, match="the text is empty"):
        load(runs / "language-words").score("")
    with pytest.raises(InputError, match="nothing was said yet"):
        load(runs / "chat-copying").reply([])
    with pytest.raises(InputError, match="n_best must not be above beam"):
        load(runs / "translate-feeding").predict(["one"], beam=2, n_best=3)
    with pytest.raises(InputError, match="fit one with live=True"):
        load(runs / "transcribe-letters").live(rate=8000)
    with pytest.raises(InputError, match="samples need rate="):
        load(runs / "transcribe-letters").transcribe(np.zeros(8000))
    with pytest.raises(InputError, match="top_k and top_p are for tokens"):
        load(runs / "compose-rolls").compose(top_k=3)
    with pytest.raises(InputError, match="lies outside of the learnt ones"):
        load(runs / "forecast-lstm").predict(levels=(99,))


def test_a_task_that_the_runtime_does_not_know(tmp_path):
    run = RunDirectory.create(tmp_path / "run", config={"task": "juggle"}, resume=False, overwrite=False)
    run.finish()
    with pytest.raises(InputError, match="task 'juggle', the runtime knows forecast"):
        load(run.path)
