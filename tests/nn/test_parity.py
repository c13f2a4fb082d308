"""Our layers and PyTorch's: the same signatures, parameters, numbers and gradients."""

import copy
import inspect
import io
import itertools
import pickle
import warnings

import pytest
import torch
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import longshort.nn
from longshort import ops
from longshort.errors import InputError

T, B, I, H, P = 5, 4, 3, 6, 2  # noqa: E741 - steps, batch, inputs, hidden units, projected units
LENGTHS = [3, 5, 1, 4]
KINDS = {
    "LSTM": ("LSTM", {}),
    "LSTM projected": ("LSTM", {"proj_size": P}),
    "GRU": ("GRU", {}),
    "RNN tanh": ("RNN", {}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}),
}
CELLS = {
    "LSTMCell": ("LSTMCell", {}),
    "GRUCell": ("GRUCell", {}),
    "RNNCell tanh": ("RNNCell", {}),
    "RNNCell relu": ("RNNCell", {"nonlinearity": "relu"}),
}
PRECISIONS = [(torch.float64, 1e-12), (torch.float32, 1e-5)]
FORMS = ["batch", "single", "packed", "packed unsorted"]
GRID = [
    {"num_layers": layers, "bidirectional": both, "bias": bias, "batch_first": batch_first}
    for layers, both, bias, batch_first in itertools.product([1, 2], [False, True], [False, True], [False, True])
]


def both(name, *args, dtype=torch.float64, **options):
    """PyTorch's module and ours, made from the same seed."""
    modules = []
    for home in (torch.nn, longshort.nn):
        torch.manual_seed(7)
        modules.append(getattr(home, name)(*args, dtype=dtype, **options))
    return modules


def tensors(value):
    """All tensors of a nested result."""
    if isinstance(value, PackedSequence):
        return [value.data]
    return [value] if isinstance(value, torch.Tensor) else [part for item in value for part in tensors(item)]


def results(module, input, hx):
    """Outputs, final states, and the gradient of a random sum of them by input, initial state and parameters."""
    module.zero_grad()
    given = tensors(input) if hx is None else tensors(input) + tensors(hx)
    leaves = [leaf.detach().clone().requires_grad_() for leaf in given]
    given, *state = leaves
    if isinstance(input, PackedSequence):
        given = input._replace(data=given)
    hx = None if hx is None else tuple(state) if isinstance(hx, tuple) else state[0]
    found = tensors(module(given, hx))
    random = torch.Generator().manual_seed(1)
    sum((part * torch.randn(part.shape, generator=random).to(part.dtype)).sum() for part in found).backward()
    names = ["y", "h_n", "c_n"] if len(found) == 3 else ["y", "h_n"] if len(found) == 2 else ["h"]
    gradients = {f"gradient of leaf {k}": leaf.grad for k, leaf in enumerate(leaves)}
    gradients |= {f"gradient of {name}": parameter.grad for name, parameter in module.named_parameters()}
    return dict(zip(names, found, strict=True)) | gradients


def assert_same(found, wanted, tolerance):
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert value.shape == wanted[name].shape, name
        assert (value - wanted[name]).norm() <= tolerance * wanted[name].norm(), name


def arguments(form, options, dtype, with_state):
    """An input of the given form, and an initial state or None."""
    random = torch.Generator().manual_seed(5)
    batch = () if form == "single" else (B,)
    x = torch.randn(T, *batch, I, generator=random, dtype=dtype)
    if form == "packed":
        x = pack_padded_sequence(x, sorted(LENGTHS, reverse=True))
    elif form == "packed unsorted":
        x = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    elif form == "batch" and options["batch_first"]:
        x = x.transpose(0, 1)
    rows = options["num_layers"] * (2 if options["bidirectional"] else 1)
    h = torch.randn(rows, *batch, options.get("proj_size", H), generator=random, dtype=dtype)
    c = torch.randn(rows, *batch, H, generator=random, dtype=dtype)
    return x, (h, c) if with_state else None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS, ids=["float64", "float32"])
@pytest.mark.parametrize("backend", ops.BACKENDS)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # from PyTorch's own layer
def test_outputs_states_and_gradients(backend, dtype, tolerance, kind, form):
    name, extra = KINDS[kind]
    for options in GRID:
        options = options | extra
        theirs, ours = both(name, I, H, dtype=dtype, **options)
        x, hx = arguments(form, options, dtype, with_state=options["bias"] != options["batch_first"])
        if hx is not None and name != "LSTM":
            hx = hx[0]
        with ops.use_backend(backend):
            assert_same(results(ours, x, hx), results(theirs, x, hx), tolerance)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS, ids=["float64", "float32"])
@pytest.mark.parametrize("backend", ops.BACKENDS)
def test_cells(backend, dtype, tolerance, kind):
    name, extra = CELLS[kind]
    for bias, batch, with_state in itertools.product([False, True], [(), (B,)], [False, True]):
        theirs, ours = both(name, I, H, bias=bias, dtype=dtype, **extra)
        x = torch.randn(*batch, I, dtype=dtype)
        h, c = torch.randn(2, *batch, H, dtype=dtype)
        hx = None if not with_state else (h, c) if name == "LSTMCell" else h
        with ops.use_backend(backend):
            assert_same(results(ours, x, hx), results(theirs, x, hx), tolerance)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_signature(name):
    theirs = getattr(torch.nn, name)
    if name.endswith("Cell"):
        wanted = [(p.name, p.default) for p in list(inspect.signature(theirs).parameters.values())]
    else:  # PyTorch hides it behind *args; the first line of the docstring has it
        wanted = eval(f"lambda {theirs.__doc__.splitlines()[0].split('(', 1)[1].rstrip(')')}: 0")
        wanted = [(p.name, p.default) for p in inspect.signature(wanted).parameters.values()]
    ours = inspect.signature(getattr(longshort.nn, name)).parameters.values()
    assert [(p.name, p.default) for p in ours if p.kind is not p.KEYWORD_ONLY] == wanted


def modules():
    """PyTorch's modules and ours, with each option changed once."""
    for name, extra in KINDS.values():
        for options in [*GRID, {"num_layers": 3, "dropout": 0.25}]:
            yield both(name, I, H, **options, **extra)
    for name, extra in CELLS.values():
        for bias in (True, False):
            yield both(name, I, H, bias=bias, **extra)


def test_initialisation_and_repr():
    for theirs, ours in modules():
        assert repr(ours) == repr(theirs)
        wanted = list(theirs.named_parameters())
        for (name, parameter), (their_name, their_parameter) in zip(ours.named_parameters(), wanted, strict=True):
            assert name == their_name
            assert torch.equal(parameter, their_parameter)


def test_initialisation_of_all_draws_alike():
    for name in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"):
        both(name, I, H)
        ours = torch.rand(3)
        torch.manual_seed(7)
        getattr(torch.nn, name)(I, H, dtype=torch.float64)
        assert torch.equal(ours, torch.rand(3))


def test_state_dict_goes_both_ways():
    for theirs, ours in modules():
        for source, target in ((theirs, ours), (ours, theirs)):
            with torch.no_grad():
                for parameter in source.parameters():
                    parameter.normal_()
            target.load_state_dict(source.state_dict(), strict=True)
            assert list(target.state_dict()) == list(source.state_dict())
            pairs = zip(target.parameters(), source.parameters(), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


def test_all_weights_and_flatten_parameters():
    theirs, ours = both("LSTM", I, H, num_layers=2, bidirectional=True, proj_size=P)
    shapes = [[[weight.shape for weight in row] for row in layer.all_weights] for layer in (theirs, ours)]
    assert shapes[0] == shapes[1]
    assert [id(w) for row in ours.all_weights for w in row] == [id(w) for w in ours.parameters()]
    assert ours.flatten_parameters() is None


def test_from_torch_shares_parameters():
    for theirs, _ in modules():
        theirs.eval()
        torch.manual_seed(0)
        ours = getattr(longshort.nn, type(theirs).__name__).from_torch(theirs)
        drawn = torch.rand(3)
        torch.manual_seed(0)
        assert torch.equal(drawn, torch.rand(3))  # nothing was drawn to be thrown away
        assert [id(p) for p in ours.parameters()] == [id(p) for p in theirs.parameters()]
        assert repr(ours) == repr(theirs)
        assert not ours.training
        assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_from_torch_keeps_an_odd_dropout_without_a_second_warning():
    with pytest.warns(UserWarning, match="dropout"):
        theirs = torch.nn.GRU(I, H, dropout=0.5)
    assert longshort.nn.GRU.from_torch(theirs).dropout == 0.5


def test_from_torch_refuses_what_it_would_get_wrong():
    class Own(torch.nn.LSTM):
        pass

    with pytest.raises(InputError, match=r"it is a subclass of torch\.nn\.LSTM"):
        longshort.nn.LSTM.from_torch(Own(I, H))
    with pytest.raises(InputError, match=r"it is not a torch\.nn\.LSTM"):
        longshort.nn.LSTM.from_torch(torch.nn.GRU(I, H))
    computed = torch.nn.LSTM(I, H)
    parametrize.register_parametrization(computed, "weight_hh_l0", torch.nn.Identity())
    with pytest.raises(InputError, match="it is a subclass"):
        longshort.nn.LSTM.from_torch(computed)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_copies_and_files(name):
    _, ours = both(name, I, H)
    buffer = io.BytesIO()
    torch.save(ours, buffer)
    buffer.seek(0)
    x = torch.randn(T, I, dtype=torch.float64) if name.endswith("Cell") else torch.randn(T, B, I, dtype=torch.float64)
    wanted = tensors(ours(x))
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(buffer, weights_only=False)):
        assert all(torch.equal(one, another) for one, another in zip(tensors(other(x)), wanted, strict=True))
        assert not {id(p) for p in other.parameters()} & {id(p) for p in ours.parameters()}


def test_weights_may_be_computed():
    """Parametrizations and functional calls reach our layers, for parameters are looked up when they are used."""
    _, ours = both("GRU", I, H)
    x = torch.randn(T, B, I, dtype=torch.float64)
    halved = {name: parameter / 2 for name, parameter in ours.named_parameters()}
    wanted, _ = torch.func.functional_call(ours, halved, x)

    class Half(torch.nn.Module):
        def forward(self, weight):
            return weight / 2

    for name in list(halved):
        parametrize.register_parametrization(ours, name, Half())
    assert torch.equal(ours(x)[0], wanted)
    assert not torch.equal(ours(x)[0], both("GRU", I, H)[1](x)[0])


def test_dropout_is_pytorchs_and_only_in_training():
    x = torch.randn(T, B, I, dtype=torch.float64)
    for name in ("LSTM", "GRU", "RNN"):
        theirs, ours = both(name, I, H, num_layers=3, dropout=0.5)
        ys = []
        for module in (theirs, ours):
            torch.manual_seed(3)
            ys.append(module(x)[0])
        torch.testing.assert_close(ys[1], ys[0], rtol=0, atol=1e-12)  # the very same mask
        ours.eval(), theirs.eval()
        torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=0, atol=1e-12)
        assert not torch.allclose(ours(x)[0], ys[1])


def test_dropout_of_everything_leaves_the_second_layer_without_input():
    _, ours = both("GRU", I, H, num_layers=2, dropout=1.0)
    upper = longshort.nn.GRU(H, H, dtype=torch.float64)
    upper.load_state_dict({name.replace("l1", "l0"): p for name, p in ours.state_dict().items() if "l1" in name})
    y, h = ours(torch.randn(T, B, I, dtype=torch.float64))
    wanted, _ = upper(torch.zeros(T, B, H, dtype=torch.float64))
    torch.testing.assert_close(y, wanted, rtol=0, atol=1e-14)
    assert h[0].abs().min() > 0  # the first layer itself is whole


def test_dropout_zeroes_the_asked_share_and_scales_the_rest():
    layer = longshort.nn.RNN(1, 500, num_layers=2, nonlinearity="relu", dropout=0.3, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.zero_()
        layer.weight_ih_l1.copy_(torch.eye(500))
        layer.weight_hh_l1.zero_()
    torch.manual_seed(0)
    y, _ = layer(torch.ones(40, 1, 1))
    assert set(y.detach().unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert abs((y == 0).double().mean() - 0.3) < 0.02  # six standard deviations


def test_dropout_with_one_layer_warns_where_the_layer_is_made():
    for name in ("LSTM", "GRU", "RNN"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            both(name, I, H, dropout=0.1)
        theirs, ours = caught
        assert str(ours.message) == str(theirs.message)
        assert ours.filename == __file__


@pytest.mark.parametrize("backend", ops.BACKENDS)
def test_compiles_into_one_graph(backend):
    _, ours = both("LSTM", I, H, num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    torch.compiler.reset()
    with ops.use_backend(backend):
        y, _ = torch.compile(ours, backend="eager", fullgraph=True)(x)
        torch.testing.assert_close(y, ours(x)[0], rtol=0, atol=1e-14)
