"""The compiled core beyond the contract of all backends: its instruction sets, its threads, and PyTorch's machinery."""

import multiprocessing
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import make, parameters_of, whole

from longshort import _core, ops
from longshort.ops import aten, operators
from longshort.ops.threads import borrow_threads

PLAIN = ["lstm", "gru", "rnn_tanh", "rnn_relu"]
CELLS = [
    *PLAIN,
    "lstm projected",
    "peephole_lstm",
    "coupled_lstm projected",
    "coupled_peephole_lstm",
    "layer_norm_lstm",
    "layer_norm_lstm projected",
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@pytest.fixture(params=_core.instruction_sets())
def instruction_set(request):
    before = _core.instruction_set()
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(before)


@contextmanager
def threads(number):
    """Threads for the core alone: PyTorch's own wait for one another, endlessly on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def layer(name, steps, batch, inputs, hidden, *, dtype=torch.float64, bias=True, state=True, seed=0):
    """x, state and weights, all to differentiate."""
    random = torch.Generator().manual_seed(seed)

    def tensor(*shape, scale=1.0):
        return (torch.randn(shape, generator=random, dtype=torch.float64) * scale).to(dtype).requires_grad_()

    cell, _, projected = name.partition(" ")
    x, first, weights = make(cell, (steps, batch, inputs, hidden, (hidden + 1) // 2 if projected else 0), bias, tensor)
    return x, first if state else None, weights


def masks_for(problem, seed=0):
    """Recurrent dropout and, without a projection, zoneout."""
    x, _, weights = problem
    random = torch.Generator().manual_seed(seed)
    output = weights.weight_hh.size(1)
    hidden = torch.rand(x.size(1), output, generator=random).lt(0.7).to(x.dtype) / 0.7
    if weights.weight_hr is not None:
        return ops.Masks(hidden)
    zones = [torch.rand(*x.shape[:2], output, generator=random).lt(0.2).to(x.dtype) for _ in range(2)]
    return ops.Masks(hidden, *zones)


def to(masks, dtype):
    return ops.Masks(*(None if mask is None else mask.to(dtype) for mask in masks))


def everything(cell, x, state, weights, *, backend, **options):
    """Results and, of a random sum of them, all gradients, in float64."""
    cell = cell.partition(" ")[0]
    leaves = [x, *(state or ()), *parameters_of(weights)]
    y, final = ops.recurrence(cell, x, state, weights, backend=backend, **options)
    random = torch.Generator().manual_seed(1)
    factors = [torch.randn(v.shape, generator=random, dtype=torch.float64).to(v.dtype) for v in (y, *final)]
    total = sum((v * f).sum() for v, f in zip((y, *final), factors, strict=True))
    return [v.detach().double() for v in (y, *final, *torch.autograd.grad(total, leaves))]


def as_double(x, state, weights):
    def double(t):
        return None if t is None else t.detach().double().requires_grad_()

    return double(x), state and tuple(map(double, state)), ops.Weights(*map(double, weights))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_instruction_set_is_the_reference(instruction_set, dtype, cell):
    @settings(max_examples=8, deadline=None)
    @given(data=st.data())
    def check(data):
        # A norm divides by what may be next to nothing, and over many steps errors grow: how near a normalised cell can
        # come in float32 depends on the problem, and is measured beside PyTorch in a test of its own.
        normalized = ops.CELLS[cell.split()[0]].normalized
        tolerance = {torch.float32: 1e-3, torch.float64: 1e-11}[dtype] if normalized else TOLERANCE[dtype]
        steps, batch = data.draw(st.integers(1, 12 if normalized else 50)), data.draw(st.integers(1, 70))
        least = 8 if normalized else 1
        inputs, hidden = data.draw(st.integers(least, 100)), data.draw(st.integers(least, 130))
        number = data.draw(st.integers(1, 3))
        flags = {name: data.draw(st.booleans()) for name in ("bias", "state")}
        lengths = data.draw(st.none() | st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
        problem = layer(cell, steps, batch, inputs, hidden, dtype=dtype, seed=data.draw(st.integers(0, 99)), **flags)
        options = {"lengths": lengths, "reverse": data.draw(st.booleans())}
        masks = masks_for(problem) if data.draw(st.booleans()) else ops.NO_MASKS
        with threads(number):
            checkpoint = data.draw(st.sampled_from([0, 1, 7]))
            found = everything(cell, *problem, backend="core", masks=masks, checkpoint=checkpoint, **options)
        truth = everything(cell, *as_double(*problem), backend="reference", masks=to(masks, torch.float64), **options)
        parameters = len(parameters_of(problem[2]))
        for k, (value, wanted) in enumerate(zip(found, truth, strict=True)):
            # The gradient of a parameter is a sum over all steps, which may cancel; its rounding errors do not.
            least = (steps * batch) ** 0.5 if k >= len(found) - parameters else 1.0
            assert (value - wanted).norm() <= tolerance * wanted.norm().clamp_min(least)

    check()


@pytest.mark.parametrize("shape", [(3, 1, 20, 600), (2, 40, 700, 300), (700, 3, 2, 5)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_large_layers_and_many_rows(cell, shape):
    problem = layer(cell, *shape, dtype=torch.float32)
    with threads(2):
        found = everything(cell, *problem, backend="core")
    for value, wanted in zip(found, everything(cell, *as_double(*problem), backend="reference"), strict=True):
        assert (value - wanted).norm() <= 1e-5 * wanted.norm()


@pytest.mark.parametrize("cell", ["layer_norm_lstm", "layer_norm_lstm projected"])
def test_normalised_cells_are_as_near_as_pytorchs(instruction_set, cell):
    def errors(problem, truth, backend):
        found = everything(cell, *problem, backend=backend)
        return torch.stack([(a - b).norm() / b.norm() for a, b in zip(found, truth, strict=True)])

    ours, pytorchs = [], []
    for seed in range(15):
        problem = layer(cell, 15, 20, 30, 24, dtype=torch.float32, seed=seed)
        truth = everything(cell, *as_double(*problem), backend="reference")
        ours.append(errors(problem, truth, "core"))
        pytorchs.append(errors(problem, truth, "reference"))
    typical = torch.stack(ours).median(0).values
    assert (typical <= 4 * torch.stack(pytorchs).median(0).values).all()
    assert (typical <= 1e-5).all()


@pytest.mark.parametrize("checkpoint", [0, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16(instruction_set, cell, checkpoint):
    problem = layer(cell, 21, 19, 13, 70, dtype=torch.bfloat16)
    lengths = [1 + k for k in range(19)]
    options = {"lengths": lengths, "masks": masks_for(problem)}
    with threads(2):
        found = everything(cell, *problem, backend="core", checkpoint=checkpoint, **options)
    options["masks"] = to(options["masks"], torch.float64)
    truth = everything(cell, *as_double(*problem), backend="reference", **options)
    for value, wanted in zip(found, truth, strict=True):
        assert (value - wanted).norm() <= 1e-2 * wanted.norm()


def test_bfloat16_keeps_the_cell_state_in_float32():
    """A state that grows by less than a bfloat16's last digit at each step still grows."""
    weights = ops.Weights(torch.zeros(4, 1), torch.zeros(4, 1), torch.tensor([-6.0, 100.0, 100.0, 0.0]), torch.zeros(4))
    weights = ops.Weights(*(None if weight is None else weight.bfloat16() for weight in weights))
    state = (torch.zeros(1, 1).bfloat16(), torch.ones(1, 1).bfloat16())
    _, (_, c) = ops.recurrence("lstm", torch.zeros(400, 1, 1).bfloat16(), state, weights, backend="core")
    i = torch.tensor(-6.0).sigmoid().item()
    assert abs(c.item() - (1 + 400 * i)) < 0.01


@pytest.mark.parametrize("cell", CELLS)
def test_under_autocast(instruction_set, cell, monkeypatch):
    """Its own kernels, with products of bfloat16; the gradients of float32 parameters and a state are float32."""
    monkeypatch.setattr(aten, "recurrence", None)
    problem = layer(cell, 21, 19, 13, 70, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = ops.recurrence(cell.split()[0], *problem, backend="core")
        found = everything(cell, *problem, backend="core")
    assert y.dtype is torch.bfloat16
    assert {part.dtype for part in state} == {torch.float32}
    for value, wanted in zip(found, everything(cell, *as_double(*problem), backend="reference"), strict=True):
        assert (value - wanted).norm() <= 1e-2 * wanted.norm()
    if instruction_set == "avx512_bf16" and cell in ("lstm", "gru"):  # as those of numbers that are rounded before
        x, h, weights = problem[0], problem[1], problem[2]
        rounded = tuple(None if w is None else w.bfloat16().float() for w in weights)
        with torch.autocast("cpu", torch.bfloat16):
            again, _ = ops.recurrence(cell, x.bfloat16(), h, ops.Weights(*rounded[:2], *weights[2:]), backend="core")
        assert torch.equal(y, again)


def test_autocast_to_another_type_is_pytorchs():
    x, state, weights = layer("gru", 3, 2, 4, 5, dtype=torch.float32)
    with torch.autocast("cpu", torch.float16):
        y, _ = ops.recurrence("gru", x, state, weights, backend="core")
        expected, _ = ops.recurrence("gru", x, state, weights, backend="aten")
    assert torch.equal(y, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_the_same_bits_each_time(cell):
    problem = layer(cell, 30, 33, 17, 70, dtype=torch.float32)
    lengths = [1 + k % 30 for k in range(33)]
    with threads(2):
        first, second = (everything(cell, *problem, backend="core", lengths=lengths) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("cell", PLAIN)
def test_what_is_not_a_number_comes_out_as_from_pytorch(cell, value):
    x, _, weights = layer(cell, 4, 3, 5, 21, dtype=torch.float32, state=False)
    x = x.detach().clone()
    x[1, 2, 3] = value
    with torch.no_grad():
        y, _ = ops.recurrence(cell, x, None, weights, backend="core")
        wanted, _ = ops.recurrence(cell, x, None, weights, backend="aten")
    torch.testing.assert_close(y, wanted, equal_nan=True, rtol=1e-4, atol=1e-5)


def test_denormal_numbers_are_flushed_inside_only():
    tiny = torch.full((4, 1, 3), 1e-39)
    assert (tiny * 1).sum() > 0
    _, _, weights = layer("lstm", 4, 1, 3, 5, dtype=torch.float32, state=False)
    ops.recurrence("lstm", tiny, None, weights, backend="core")
    assert (tiny * 1).sum() > 0


# -- with PyTorch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, [3, 1]])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_and_second_gradients(cell, lengths):
    x, state, weights = layer(cell, 3, 2, 2, 3)
    cell = cell.partition(" ")[0]
    leaves = [x, *state, *parameters_of(weights)]

    def run(x, *rest):
        cut = len(state)
        y, final = ops.recurrence(cell, x, rest[:cut], whole(weights, rest[cut:]), lengths=lengths, backend="core")
        return y, *final

    assert torch.autograd.gradcheck(run, leaves)
    assert torch.autograd.gradgradcheck(run, leaves)


def test_second_gradients_stop_where_the_first_did():
    """h_0 is computed from x: its own gradient must not be counted in that of x."""
    x, _, weights = layer("gru", 2, 2, 3, 3)

    def gradients(backend):
        y, _ = ops.recurrence("gru", x, (x[0] * 2,), weights, backend=backend)
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(gradients("core"), gradients("reference"))


@pytest.mark.parametrize("cell", CELLS)
def test_backward_twice(cell):
    x, state, weights = layer(cell, 5, 3, 4, 6, dtype=torch.float32)
    cell = cell.partition(" ")[0]
    y, _ = ops.recurrence(cell, x, state, weights, backend="core")
    leaves = [x, *state, *parameters_of(weights)]
    first = torch.autograd.grad(y.sum(), leaves, retain_graph=True)
    second = torch.autograd.grad(y.sum(), leaves)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_operators_are_sound(cell):
    x, state, weights = layer(cell, 3, 2, 2, 3)
    c0 = state[1] if cell == "lstm" else None
    lengths = torch.tensor([3, 2])
    for train in (True, False):
        arguments = (cell, x, state[0], c0, *weights, *ops.NO_MASKS, lengths, False, 0, False, train)
        torch.library.opcheck(operators.recurrence, arguments, test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("cell", PLAIN)
def test_per_sample_gradients(cell):
    x, _, weights = layer(cell, 4, 5, 3, 6, state=False)
    parameters = [w.detach() for w in weights[:4]]

    def loss(parameters, x):
        y, _ = ops.recurrence(cell, x.unsqueeze(1), None, ops.Weights(*parameters), backend="core")
        return y.square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(parameters, x.detach())
    for k in range(x.size(1)):
        y, _ = ops.recurrence(cell, x[:, k : k + 1], None, weights, backend="reference")
        alone = torch.autograd.grad(y.square().sum(), weights[:4])
        for mine, wanted in zip(found, alone, strict=True):
            torch.testing.assert_close(mine[k], wanted)


def test_functional_hessian():
    x, _, weights = layer("lstm", 3, 1, 2, 3, state=False)

    def loss(x, backend):
        return ops.recurrence("lstm", x, None, weights, backend=backend)[0].square().sum()

    found = torch.func.jacrev(torch.func.jacrev(lambda x: loss(x, "core")))(x.detach())
    torch.testing.assert_close(found, torch.autograd.functional.hessian(lambda x: loss(x, "reference"), x.detach()))


def test_weights_that_change_are_never_used_stale():
    x, _, weights = layer("lstm", 4, 2, 3, 5, dtype=torch.float32, state=False)

    def same():
        with torch.no_grad():
            y, _ = ops.recurrence("lstm", x, None, weights, backend="core")
            torch.testing.assert_close(y, ops.recurrence("lstm", x, None, weights, backend="reference")[0])

    same()
    with torch.no_grad():
        weights.weight_ih.mul_(1.5)
    same()
    weights.weight_hh.data[0, 0] += 1  # which PyTorch's version counter does not see
    same()
    weights.bias_ih.data = torch.zeros_like(weights.bias_ih)
    same()


def test_from_several_python_threads():
    problems = [layer("lstm", 20, 8, 30, 40, dtype=torch.float32, seed=k) for k in range(4)]
    with threads(2):
        alone = [everything("lstm", *p, backend="core") for p in problems]
    together = [[] for _ in problems]

    def work(k):
        for _ in range(10):
            together[k] = everything("lstm", *problems[k], backend="core")

    workers = [threading.Thread(target=work, args=(k,)) for k in range(len(problems))]
    with threads(2):
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=60)
    for a, b in zip(alone, together, strict=True):
        assert all(torch.equal(v, w) for v, w in zip(a, b, strict=True))


def _in_child(problem, queue):
    torch.set_num_threads(2)
    queue.put([v.numpy() for v in everything("lstm", *problem, backend="core")])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_process():
    problem = layer("lstm", 20, 8, 30, 40, dtype=torch.float32)
    with threads(2):
        here = everything("lstm", *problem, backend="core")  # the parent's threads are running
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(problem, queue))
    child.start()
    there = queue.get(timeout=60)
    child.join(timeout=60)
    assert all(torch.equal(a, torch.from_numpy(b)) for a, b in zip(here, there, strict=True))


def test_an_unknown_instruction_set_lists_those_that_exist():
    with pytest.raises(ValueError, match="there is no instruction set 'sse9' here; this machine can run baseline"):
        _core.use_instruction_set("sse9")


def test_compiled_with_lengths():
    x, _, weights = layer("lstm", 5, 3, 4, 6, dtype=torch.float32, state=False)

    def run(x, lengths):
        y, final = ops.recurrence("lstm", x, None, weights, lengths=lengths, backend="core")
        return y, *final

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    lengths = torch.tensor([5, 1, 3])
    found, wanted = compiled(x, lengths), run(x, lengths)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    (gradient,) = torch.autograd.grad(found[0].sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted[0].sum(), x)[0])
    with pytest.raises(RuntimeError, match="lengths must lie between 1 and the 5 steps of the batch"):
        compiled(x, torch.tensor([5, 0, 3]))


def test_without_the_compiled_core():
    """As installed where there is no compiler: said once, and PyTorch's kernels do the work."""
    program = """
import sys, warnings
sys.modules["longshort._core"] = None
import torch
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from longshort.nn import LSTM
    lstm = LSTM(3, 4)
    y, _ = lstm(torch.ones(5, 2, 3), lengths=[5, 2])
    y.sum().backward()
    step = lstm.stream()
    assert torch.allclose(step(torch.ones(2, 3)), y[0], atol=1e-6)
assert [w.category for w in said if "compiled core" in str(w.message)] == [RuntimeWarning], said
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_same_bits_in_pytorchs_threads_and_in_its_own():
    assert borrow_threads()  # PyTorch's build for Linux has OpenMP
    problem = layer("lstm", 20, 33, 17, 70, dtype=torch.float32)
    with threads(2):
        borrowed = everything("lstm", *problem, backend="core")
        _core.borrow_threads(0, 0, 0, 0)
        try:
            own = everything("lstm", *problem, backend="core")
        finally:
            borrow_threads()
    assert all(torch.equal(a, b) for a, b in zip(borrowed, own, strict=True))
