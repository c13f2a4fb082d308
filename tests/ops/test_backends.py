"""The contract of all backends, for all cells: the numbers and gradients of the reference, whatever the padding."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import make, parameters_of, whole
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from longshort import ops
from longshort.errors import InputError

BACKENDS = ["core", "aten", "reference"]  # a new backend is one more name here
CELLS = [  # a new cell is one more name here
    "lstm",
    "lstm projected",
    "peephole_lstm",
    "coupled_lstm",
    "coupled_peephole_lstm projected",
    "layer_norm_lstm",
    "layer_norm_lstm projected",
    "gru",
    "rnn_tanh",
    "rnn_relu",
]
PYTORCHS = ["lstm", "lstm projected", "gru", "rnn_tanh", "rnn_relu"]
MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN, "rnn_relu": torch.nn.RNN}

several = settings(max_examples=25, deadline=None)


@dataclass
class Problem:
    """A batch, and what a loss multiplies each result with."""

    cell: str
    x: torch.Tensor
    state: tuple[torch.Tensor, ...] | None
    weights: ops.Weights
    lengths: list[int] | None
    reverse: bool
    masks: ops.Masks = ops.NO_MASKS

    @property
    def padding(self) -> torch.Tensor:
        steps = torch.arange(len(self.x)).unsqueeze(-1)
        return steps >= torch.tensor(self.lengths or [len(self.x)] * self.x.size(1))

    def to(self, dtype: torch.dtype, padding: float = 0.0) -> "Problem":
        """A copy to differentiate, with `padding` behind each sequence's end."""

        def copy(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else tensor.detach().to(dtype).clone().requires_grad_()

        x = copy(self.x.masked_fill(self.padding.unsqueeze(-1), padding))
        state = self.state and tuple(map(copy, self.state))
        weights = ops.Weights(*map(copy, self.weights))
        masks = ops.Masks(*(None if mask is None else mask.to(dtype) for mask in self.masks))
        return Problem(self.cell, x, state, weights, self.lengths, self.reverse, masks)

    def results(self, y: torch.Tensor, state: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
        """Outputs, final state, and the gradient of a random sum of them by everything that went in."""
        names = ops.CELLS[self.cell].state
        found = {"y": y, **{f"{name}_n": part for name, part in zip(names, state, strict=True)}}
        random = torch.Generator().manual_seed(0)
        factors = [torch.randn(value.shape, generator=random).to(value.dtype) for value in found.values()]
        sum((value * factor).sum() for value, factor in zip(found.values(), factors, strict=True)).backward()
        leaves = {"x": self.x, **self.weights._asdict()}
        leaves |= {f"{name}_0": part for name, part in zip(names, self.state or (), strict=False)}
        found |= {f"gradient of {name}": leaf.grad for name, leaf in leaves.items() if leaf is not None}
        return {name: value.detach() for name, value in found.items()}


@st.composite
def problems(draw, name: str, masked: bool = True) -> Problem:
    cell, _, projected = name.partition(" ")
    batch, steps = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    # Few units may all but agree, and what is divided by their deviation is then as good as unknown.
    normalized = ops.CELLS[cell].normalized
    inputs, hidden = (
        draw(st.integers(3 if normalized else 1, 10)),
        draw(st.integers(8 if normalized else 1 + bool(projected), 12)),
    )
    output = draw(st.integers(3 if normalized else 1, hidden - 1)) if projected else 0
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def tensor(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(shape, generator=random) * scale

    x, state, weights = make(cell, (steps, batch, inputs, hidden, output), draw(st.booleans()), tensor)
    lengths = draw(st.none() | st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    masks = ops.NO_MASKS
    if masked:
        hidden_mask = tensor(batch, output or hidden).abs().round() if draw(st.booleans()) else None
        zones = [tensor(steps, batch, hidden).clamp(0, 1) if draw(st.booleans()) and not projected else None] * 2
        masks = ops.Masks(hidden_mask, zones[0], zones[1] if len(state) > 1 else None)
    return Problem(cell, x, state if draw(st.booleans()) else None, weights, lengths, draw(st.booleans()), masks)


def small(name: str, lengths: list[int] | None, reverse: bool) -> Problem:
    """Three steps of two sequences in float64, with two units."""
    cell, _, projected = name.partition(" ")
    random = torch.Generator().manual_seed(3)

    def tensor(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    x, state, weights = make(cell, (3, 2, 2, 2, 1 if projected else 0), True, tensor)
    return Problem(cell, x, state, weights, lengths, reverse)


def run(problem: Problem, backend: str) -> dict[str, torch.Tensor]:
    y, state = ops.recurrence(
        problem.cell,
        problem.x,
        problem.state,
        problem.weights,
        lengths=problem.lengths and torch.tensor(problem.lengths),
        reverse=problem.reverse,
        masks=problem.masks,
        backend=backend,
    )
    return problem.results(y, state)


def run_torch(problem: Problem) -> dict[str, torch.Tensor]:
    """The same by PyTorch's module and its packed sequences. Going backwards is half of going both ways."""
    hidden = problem.weights.weight_ih.size(0) // len(ops.CELLS[problem.cell].gates)
    options = {"nonlinearity": problem.cell[4:]} if problem.cell.startswith("rnn") else {}
    if problem.weights.weight_hr is not None:
        options["proj_size"] = problem.weights.weight_hr.size(0)
    bias = problem.weights.bias_ih is not None
    inputs = problem.x.size(-1)
    module = MODULES[problem.cell](inputs, hidden, bias=bias, bidirectional=True, dtype=problem.x.dtype, **options)
    given_twice = parameters_of(problem.weights) * 2
    parameters = dict(zip([name for name, _ in module.named_parameters()], given_twice, strict=True))
    hx = problem.state and tuple(torch.stack([part, part]) for part in problem.state)
    if hx and len(hx) == 1:
        (hx,) = hx
    x = problem.x
    if problem.lengths:
        x = pack_padded_sequence(x, torch.tensor(problem.lengths), enforce_sorted=False)
    y, final = torch.func.functional_call(module, parameters, (x, hx))
    if problem.lengths:
        y, _ = pad_packed_sequence(y, total_length=len(problem.x))
    final = final if isinstance(final, tuple) else (final,)
    return problem.results(y.chunk(2, dim=-1)[problem.reverse], tuple(part[int(problem.reverse)] for part in final))


Results = dict[str, torch.Tensor]


def assert_same(found: Results, wanted: Results, tolerance: float) -> None:
    """Each result to within `tolerance` of its norm, or of 1 where it is smaller."""
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        truth = wanted[name].double()
        error = (value.double() - truth).norm()
        assert error <= tolerance * max(1.0, truth.norm().item()), f"{name} is off by {error:.1e}"


@pytest.mark.parametrize("cell", PYTORCHS)
def test_reference_is_pytorchs_recurrence(cell):
    @several
    @given(problems(cell, masked=False))
    def check(problem):
        found = run(problem.to(torch.float64), "reference")
        assert_same(found, run_torch(problem.to(torch.float64)), 1e-12)

    check()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_is_the_reference(backend, cell):
    @several
    @given(problems(cell))
    def check(problem):
        truth = run(problem.to(torch.float64), "reference")
        found = run(problem.to(torch.float64, padding=torch.nan), backend)
        assert_same(found, truth, 1e-12)
        assert not found["y"][problem.padding].any()
        assert not found["gradient of x"][problem.padding].any()
        # How near a normalised cell can come depends on the problem: test_core.py measures it beside PyTorch.
        tolerance = 1e-3 if ops.CELLS[problem.cell].normalized else 1e-5
        assert_same(run(problem.to(torch.float32, padding=torch.nan), backend), truth, tolerance)

    check()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_step_is_the_recurrence(backend, cell):
    problem = small(cell, None, False)
    y, final = ops.recurrence(problem.cell, problem.x, problem.state, problem.weights, backend="reference")
    state = problem.state
    for x, wanted in zip(problem.x, y, strict=True):
        state = ops.step(problem.cell, x, state, problem.weights, backend=backend)
        torch.testing.assert_close(state[0], wanted, rtol=0, atol=1e-14)
    torch.testing.assert_close(state, final, rtol=0, atol=1e-14)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 3]])
@pytest.mark.parametrize("cell", CELLS)
def test_reference_can_be_differentiated_twice(cell, lengths, reverse):
    problem = small(cell, lengths, reverse).to(torch.float64)
    parts = len(problem.state)

    def function(x, *rest):
        state, weights = rest[:parts], whole(problem.weights, rest[parts:])
        y, final = ops.recurrence(
            problem.cell, x, state, weights, lengths=lengths, reverse=reverse, backend="reference"
        )
        return (y, *final)

    arguments = (problem.x, *problem.state, *parameters_of(problem.weights))
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_trace_has_what_the_recurrence_gives(cell, reverse):
    problem = small(cell, [2, 3], reverse)
    arguments = (problem.cell, problem.x, problem.state, problem.weights)
    y, final = ops.recurrence(*arguments, lengths=[2, 3], reverse=reverse)
    values, traced_final = ops.trace(*arguments, lengths=[2, 3], reverse=reverse)
    torch.testing.assert_close(values.h, y, rtol=0, atol=1e-14)
    torch.testing.assert_close(traced_final, final, rtol=0, atol=1e-14)
    last = values._asdict()[ops.CELLS[problem.cell].state[-1]]
    torch.testing.assert_close(final[-1], last[0] if reverse else torch.stack([last[1, 0], last[2, 1]]))
    assert all(not value[2, 0].any() and value[2, 1].any() for value in values)


def test_trace_can_be_differentiated():
    problem = small("lstm", [2, 3], False).to(torch.float64)

    def gates(x, weight_hh):
        weights = problem.weights._replace(weight_hh=weight_hh)
        return tuple(ops.trace("lstm", x, problem.state, weights, lengths=[2, 3])[0])

    assert torch.autograd.gradcheck(gates, (problem.x, problem.weights.weight_hh))


def test_the_contract_covers_all_that_exists():
    assert set(BACKENDS) == set(ops.BACKENDS)
    assert {cell.split()[0] for cell in CELLS} == set(ops.CELLS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3], r"lengths must have shape \(2,\), one for each sequence of the batch, got \(1,\)"),
        (torch.ones(2, 1, dtype=torch.int64), r"lengths must have shape \(2,\), .* got \(2, 1\)"),
        ([1.0, 2.0], "lengths must be integers, got torch.float32"),
        (torch.tensor([True, True]), "lengths must be integers, got torch.bool"),
        ([3, 0], "lengths must be at least 1, got 0 in row 1"),
        ([-2, 3], "lengths must be at least 1, got -2 in row 0"),
        ([3, 4], "lengths must not exceed the 3 steps of the batch, got 4 in row 1"),
    ],
)
def test_lengths_that_do_not_fit(backend, lengths, message):
    problem = small("gru", None, False)
    with pytest.raises(InputError, match=f"^{message}$"):
        ops.recurrence("gru", problem.x, problem.state, problem.weights, lengths=lengths, backend=backend)


class Spy:
    """A backend that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def recurrence(self, cell, x, state, weights, *, lengths, **options):
        self.calls += 1
        assert lengths is None
        return ops.BACKENDS["aten"].recurrence(cell, x, state, weights, lengths=lengths, **options)


@pytest.fixture
def spy(monkeypatch):
    spy = Spy()
    monkeypatch.setitem(ops.BACKENDS, "spy", spy)
    return spy


def test_a_backend_is_chosen_by_argument_by_block_or_by_variable(spy, monkeypatch):
    problem = small("gru", None, False)

    def call(**options):
        ops.recurrence("gru", problem.x, None, problem.weights, **options)
        return spy.calls

    assert call() == 0
    assert call(backend="spy", lengths=[3, 3]) == 1  # and nothing is padded here
    with ops.use_backend("spy"):
        assert call() == 2
        with ops.use_backend("reference"):
            assert call() == 2
        assert call() == 3
    assert call() == 3
    monkeypatch.setenv("LONGSHORT_BACKEND", "spy")
    assert call() == 4
    with ops.use_backend("aten"):
        assert call() == 4


def test_an_unknown_backend_or_cell_lists_those_that_exist(monkeypatch):
    problem = small("gru", None, False)
    backends = "there is no backend 'cuda'; those that exist are aten, core, reference"
    with pytest.raises(InputError, match=backends), ops.use_backend("cuda"):
        pass
    cells = "coupled_lstm, coupled_peephole_lstm, gru, layer_norm_lstm, lstm, peephole_lstm, rnn_relu, rnn_tanh"
    with pytest.raises(InputError, match=f"there is no cell 'gated'; those that exist are {cells}"):
        ops.recurrence("gated", problem.x, None, problem.weights)
    monkeypatch.setenv("LONGSHORT_BACKEND", "cuda")
    with pytest.raises(InputError, match=backends):
        ops.recurrence("gru", problem.x, None, problem.weights)
