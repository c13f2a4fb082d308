"""Gradient flow against products of Jacobians, finite differences and formulas; the study as a user meets it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from longshort import InputError
from longshort.artifact import to_json
from longshort.nn import GRU, LSTM
from longshort.study import study_gradients
from longshort.study.dependencies import DEPENDENCIES
from longshort.study.gradient_flow import gradient_flow
from longshort.study.gradients import Explosion
from longshort.study.network import CELLS, Start, make_layer
from longshort.study.problem import DependencyProblem
from longshort.study.report.gradients import render
from longshort.tasks import load
from longshort.training import Progress
from longshort.training.problem import Turn


def problem(cell, hidden=5, steps=12, batch=3, **start):
    torch.manual_seed(0)
    layer = make_layer(cell, 4, hidden, Start(**start))
    return layer, torch.randn(steps, batch, 4), torch.randn(batch, hidden, dtype=torch.float64)


def flow(layer, x, pull):
    return gradient_flow(layer, x, lambda h: (pull * h).sum())


def geometric(norms):
    return np.exp(np.log(norms / norms[0]).mean(-1))


def test_the_plain_rnns_is_the_product_of_its_jacobians():
    """∂h_t / ∂h_(t-1) = diag(1 - h_t²) U, by NumPy alone."""
    layer, x, pull = problem("rnn")
    w, u, b, c = (p.detach().double().numpy() for p in layer.parameters())
    norms, largest = [], []
    for k in range(x.shape[1]):
        hs, h = [], np.zeros(5)
        for x_t in x[:, k].double().numpy():
            h = np.tanh(w @ x_t + b + u @ h + c)
            hs.append(h)
        row, product = pull[k].numpy(), np.eye(5)
        of, most = [np.linalg.norm(row)], [1.0]
        for h in hs[:0:-1]:
            jacobian = np.diag(1 - h**2) @ u
            row, product = row @ jacobian, product @ jacobian
            of.append(np.linalg.norm(row))
            most.append(np.linalg.norm(product, 2))
        norms.append(of)
        largest.append(most)
    found = flow(layer, x, pull)
    np.testing.assert_allclose(found.hidden, geometric(np.array(norms).T), rtol=1e-10)
    np.testing.assert_allclose(found.largest, geometric(np.array(largest).T), rtol=1e-10)
    assert found.memory is None
    assert found.direct is None


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_without_recurrent_weights_only_the_direct_path_is_left(cell):
    layer, x, pull = problem(cell)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    found = flow(layer, x, pull)
    state = found.memory if cell == "lstm" else found.hidden
    np.testing.assert_allclose(state, found.direct, rtol=1e-10)
    assert found.direct[-1] < 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_no_gradient_keeps_more_than_the_largest_singular_value(cell):
    layer, x, pull = problem(cell, orthogonal=True)
    found = flow(layer, x, pull)
    # The gradient of the state is (g_h, 0 or g_c); at the loss its norm is that of h's alone.
    assert (found.hidden <= found.largest * (1 + 1e-9)).all()
    assert found.hidden[0] == found.largest[0] == 1


def test_the_lstms_are_those_of_finite_differences():
    """The loss when h, or c, of one step is moved a little and all that follows is computed again."""
    layer, x, pull = problem("lstm", batch=1)
    layer.double()
    x, step, back = x.double(), 1e-6, 7
    state = tuple(part.detach() for part in layer(x[: len(x) - back])[1])

    def loss(h, c):
        end, _ = layer(x[len(x) - back :], (h, c))
        return (pull * end[-1]).sum().item()

    gradients = []
    for which in range(2):
        moved = torch.zeros(5)
        for unit in range(5):
            up, down = ([part.clone() for part in state] for _ in range(2))
            up[which][0, 0, unit] += step
            down[which][0, 0, unit] -= step
            moved[unit] = (loss(*up) - loss(*down)) / (2 * step)
        gradients.append(moved)
    # c moves h of its own step as well, which the study counts with it: h = o tanh(c).
    trace = layer.trace(x)
    o, c = (part[0, 0, len(x) - back - 1, 0].detach() for part in (trace.o, trace.c))
    through_h = gradients[1].double() + gradients[0].double() * o * (1 - c.tanh() ** 2)
    found = gradient_flow(layer, x, lambda h: (pull * h).sum())
    at_loss = pull[0] * trace.o[0, 0, -1, 0].detach() * (1 - trace.c[0, 0, -1, 0].detach().tanh() ** 2)
    assert found.hidden[back] == pytest.approx((gradients[0].norm() / pull.norm()).item(), rel=1e-4)
    assert found.memory[back] == pytest.approx((through_h.norm() / at_loss.norm()).item(), rel=1e-4)


def test_starts():
    torch.manual_seed(0)
    layer = make_layer("lstm", 3, 8, Start(forget_bias=2.0, orthogonal=True, gain=0.5))
    for block in torch.split(layer.weight_hh_l0.detach(), 8):
        torch.testing.assert_close(block @ block.T, 0.25 * torch.eye(8))
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[8:16].mean().item() == pytest.approx(2, abs=0.2)
    assert str(Start(forget_bias=2.0, orthogonal=True, gain=0.5)) == "forget bias 2, orthogonal, gain 0.5"
    assert str(Start()) == "PyTorch's"
    with pytest.raises(InputError, match="a plain RNN has no gate that keeps its state: no chrono for the cell 'rnn'"):
        make_layer("rnn", 3, 8, Start(chrono=9))
    with pytest.raises(InputError, match="there is no cell 'elman'; those that are compared are lstm, gru"):
        make_layer("elman", 3, 8)


def test_a_gru_that_begins_to_keep_keeps():
    """Tallec & Ollivier 2018: with an update gate of σ(b), h falls by that factor at every step, as after exp(b)."""
    torch.manual_seed(0)
    layer = make_layer("gru", 3, 2000, Start(forget_bias=3.0, orthogonal=True))
    assert layer.bias_ih_l0[2000:4000].unique().tolist() == [3.0]
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        layer.weight_ih_l0.zero_()
        layer.bias_ih_l0[4000:] = layer.bias_hh_l0[4000:] = 0
        h, _ = layer(torch.zeros(10, 1, 3), torch.ones(1, 1, 2000))
    torch.testing.assert_close(h[-1, 0], torch.full((2000,), (1 / (1 + math.exp(-3))) ** 10))
    scales = make_layer("gru", 3, 2000, Start(chrono=50)).bias_ih_l0[2000:4000].exp()
    assert (scales.min().item(), scales.max().item(), scales.mean().item()) == pytest.approx((1, 49, 25), abs=0.5)


def test_an_rnn_that_begins_with_the_identity_counts():
    layer = make_layer("rnn-relu", 1, 3, Start(identity=True))
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
    h, _ = layer(torch.ones(7, 1, 1))
    assert h[:, 0].tolist() == [[float(k)] * 3 for k in range(1, 8)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    run = tmp_path_factory.mktemp("study") / "run"
    return study_gradients(lag=30, hidden_size=16, steps=4, run=run, progress=Progress()), run


def test_what_a_study_leaves(study):
    found, run = study
    results = json.loads((run / "results.json").read_text())
    with pytest.raises(InputError, match="holds a study, not a trained model: read its report"):
        load(run)
    assert results == json.loads(json.dumps(found.to_json()))
    assert {path.name for path in run.iterdir()} == {"config.json", "results.json", "report.html", "manifest.json"}
    assert json.loads((run / "config.json").read_text())["settings"]["lag"] == 30
    assert [len(course["hidden"]) for course in results["before"]] == [31] * len(found.before)
    html = (run / "report.html").read_text()
    for title in ("At the beginning", "After training", "The constant error carousel", "Exploding gradients"):
        assert title in html


def curves(study):
    return {c.name: c.flow.memory if c.cell == "lstm" else c.flow.hidden for c in study.before}


def test_what_everybody_knows_of_gradients(study):
    """The RNN's vanishes, the LSTM's with chrono initialisation hardly, orthogonal ReLU keeps what it lets through."""
    found, _ = study
    last = {name: flow[-1] for name, flow in curves(found).items()}
    assert last["RNN, tanh, PyTorch's"] < 1e-4
    assert last["LSTM, chrono 30"] > 0.05
    assert last["LSTM, forget bias 0"] < last["LSTM, forget bias 1"] < last["LSTM, chrono 30"]
    for what in ("arriving", "norm"):
        sizes = [getattr(explosion, what) for explosion in found.explosions]
        assert sizes == sorted(sizes)
    assert found.explosions[0].arriving < 1e-6
    assert found.explosions[-1].arriving > 1e3
    assert all(e.clipped == pytest.approx(min(e.norm, 1), rel=1e-5) for e in found.explosions)
    reach = {name: np.flatnonzero(flow >= 0.1).max() for name, flow in curves(found).items()}
    assert (reach["LSTM, chrono 30"], reach["RNN, ReLU, PyTorch's"]) == (30, 2)
    assert found.verdict == (
        "Before any training, a tenth of the gradient still arrives 30 steps back in the LSTM, chrono 30, and 2 steps "
        "back in the RNN, ReLU, PyTorch's."
    )


@pytest.mark.parametrize(("task", "metric"), [("adding", "Squared error"), ("copy", "Accuracy"), ("order", "Accuracy")])
def test_every_task(task, metric, tmp_path):
    found = study_gradients(task=task, lag=10, hidden_size=4, steps=2, run=tmp_path / "run", progress=Progress())
    chosen = DEPENDENCIES[task]
    test = chosen.sequences(np.random.default_rng([0, 2]), 10, 1_000)
    assert [len(course.flow.hidden) for course in found.after] == [len(test.x)] * 4
    for course in found.after:  # two steps teach nothing
        assert course.score == pytest.approx(chosen.chance(10)[1], abs=2 if task == "adding" else 0.15)
        assert np.isfinite(course.flow.hidden).all()
    html = (tmp_path / "run" / "report.html").read_text()
    assert f">{metric}<" in html
    assert chosen.meaning in html
    with pytest.raises(InputError, match="task must be one of adding, copy, order, recall, not 'add'"):
        study_gradients(task="add")


def test_the_lag_grows_by_the_same_factor_until_it_is_whole():
    make = DependencyProblem(None, DEPENDENCIES["recall"], 1000, steps=100, batch_size=3, seed=0)
    assert [make.lag_at(step) for step in (0, 30, 60, 99)] == [10, 100, 1000, 1000]
    for step in (0, 30, 60):
        batch = make.training_batch(Turn(step, 0, 1, np.random.default_rng(step)))
        assert batch.x.shape == (make.lag_at(step) + 1, 3, 8)
    short = DependencyProblem(None, DEPENDENCIES["adding"], 4, steps=100, batch_size=3, seed=0)
    assert [short.lag_at(step) for step in (0, 50, 99)] == [4, 4, 4]
    looks = make.validation_batches()
    assert sum(batch.x.size(1) for batch in looks) == 512
    assert all(torch.equal(a.x, b.x) for a, b in zip(looks, make.validation_batches(), strict=True))
    assert not torch.equal(looks[0].x, looks[1].x)


@pytest.mark.parametrize(
    "layer",
    [LSTM(3, 4, num_layers=2), GRU(3, 4, bidirectional=True), LSTM(3, 4, proj_size=2), LSTM(3, 4, peephole=True)],
    ids=str,
)
def test_other_layers_are_refused(layer):
    with pytest.raises(InputError, match="the gradient flow is that of one plain layer in one direction"):
        gradient_flow(layer, torch.zeros(2, 1, 3), lambda h: h.sum())


def test_numbers_beyond_all_bounds_are_null(study):
    burst = replace(study[0], explosions=(Explosion(2.0, math.inf, math.nan, math.nan),))
    assert json.loads(to_json(burst.to_json()))["explosions"] == [
        {"gain": 2, "arriving": None, "norm": None, "clipped": None}
    ]
    assert render(burst).count("beyond all numbers") == 3


def test_a_stopped_study_goes_on_to_the_same_numbers(study, tmp_path, monkeypatch):
    found, _ = study
    import longshort.study.gradients as module

    real, calls = module.train_member, []

    def stop(*arguments, **options):
        calls.append(options["name"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(module, "train_member", stop)
    settings = {"lag": 30, "hidden_size": 16, "steps": 4, "progress": Progress()}
    with pytest.raises(KeyboardInterrupt):
        study_gradients(run=tmp_path / "run", **settings)
    again = study_gradients(run=tmp_path / "run", resume=True, **settings)
    assert again.to_json() == found.to_json()


def test_the_command(command, tmp_path):
    run, small = tmp_path / "run", ("--lag", 12, "--hidden-size", 4, "--steps", 0)
    code, out, err = command("study", "gradients", "-o", run, *small)
    assert (code, out.splitlines()[1]) == (0, f"Report: {run / 'report.html'}"), err
    assert out.startswith("Before any training")
    assert (run / "report.html").exists()
    code, _, err = command("study", "gradients", "-o", run)
    assert code == 2
    assert "holds a finished run" in err
    code, out, _ = command("study", "gradients", "-o", run, "--overwrite", "--json", *small)
    assert json.loads(out) == json.loads((run / "results.json").read_text())
    code, _, err = command("study", "gradients", "-o", tmp_path / "other", "--lag", 1)
    assert (code, err) == (2, "error: lag must be a whole number from 2, not 1\n")
