"""Swapping PyTorch's layers inside a model that exists already."""

import copy

import pytest
import torch
from torch.nn.utils import parametrize, prune

import longshort.nn
from longshort.errors import InputError
from longshort.nn import replace


class Model(torch.nn.Module):
    """Every kind, at several depths; `encoder` and `decoder` are one layer, and `blocks` share one block."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.LSTM(4, 6, num_layers=2, dropout=0.5, batch_first=True)
        self.decoder = self.encoder
        block = torch.nn.ModuleDict({"gru": torch.nn.GRU(6, 6, bidirectional=True), "norm": torch.nn.LayerNorm(12)})
        self.blocks = torch.nn.ModuleList([block, block])
        self.head = torch.nn.Sequential(torch.nn.Linear(12, 3), torch.nn.RNN(3, 4, nonlinearity="relu"))
        self.cells = torch.nn.ModuleList(
            [torch.nn.LSTMCell(4, 4), torch.nn.GRUCell(4, 4), torch.nn.RNNCell(4, 4, bias=False)]
        )

    def forward(self, x):
        y, state = self.encoder(x)
        y, _ = self.decoder(y[..., :4], state)
        y, _ = self.blocks[0].gru(y)
        y, _ = self.head(self.blocks[1].norm(y))
        y, _ = self.cells[0](y[:, -1])
        return self.cells[2](self.cells[1](y))


@pytest.fixture
def model():
    torch.manual_seed(4)
    return Model()


def test_says_what_it_did(model):
    assert replace(model) == {
        "encoder": "torch.nn.LSTM(4, 6, num_layers=2, batch_first=True, dropout=0.5) → longshort.nn.LSTM",
        "decoder": "torch.nn.LSTM(4, 6, num_layers=2, batch_first=True, dropout=0.5) → longshort.nn.LSTM",
        "blocks.0.gru": "torch.nn.GRU(6, 6, bidirectional=True) → longshort.nn.GRU",
        "blocks.1.gru": "torch.nn.GRU(6, 6, bidirectional=True) → longshort.nn.GRU",
        "head.1": "torch.nn.RNN(3, 4) → longshort.nn.RNN",
        "cells.0": "torch.nn.LSTMCell(4, 4) → longshort.nn.LSTMCell",
        "cells.1": "torch.nn.GRUCell(4, 4) → longshort.nn.GRUCell",
        "cells.2": "torch.nn.RNNCell(4, 4, bias=False) → longshort.nn.RNNCell",
    }
    assert not [layer for layer in model.modules() if type(layer).__module__ == "torch.nn.modules.rnn"]
    assert replace(model) == {}


def test_same_numbers_and_shared_layers_stay_shared(model):
    x = torch.randn(2, 5, 4)
    wanted = model.eval()(x)
    names = [name for name, _ in model.named_parameters()]
    replace(model)
    torch.testing.assert_close(model(x), wanted)
    assert [name for name, _ in model.named_parameters()] == names
    assert model.encoder is model.decoder
    assert model.blocks[0] is model.blocks[1]


def test_an_optimiser_made_before_goes_on(model):
    other = copy.deepcopy(model)
    x = torch.randn(2, 5, 4)
    for one, swap in ((model, True), (other, False)):
        one.eval()  # no dropout, for two models to compare
        optimiser = torch.optim.Adam(one.parameters(), lr=0.01)
        for step in range(4):
            if swap and step == 2:
                replace(one)
            optimiser.zero_grad()
            one(x).square().sum().backward()
            optimiser.step()
    for (name, ours), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4, msg=name)


def test_options_state_and_modes_come_along():
    theirs = torch.nn.LSTM(4, 6, 2, False, True, 0.25, True, 3, dtype=torch.float64)
    theirs.weight_hh_l1.requires_grad_(False)
    theirs.eval()
    model = torch.nn.Sequential(theirs)
    replace(model)
    ours = model[0]
    assert type(ours) is longshort.nn.LSTM
    assert repr(ours) == repr(theirs)
    assert dict(ours.named_parameters()).keys() == dict(theirs.named_parameters()).keys()
    assert all(one is other for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert not ours.weight_hh_l1.requires_grad
    assert model.training
    assert not ours.training


def test_hooks_come_along_and_can_still_be_removed():
    calls = []
    theirs = torch.nn.GRU(4, 6)
    handles = [
        theirs.register_forward_pre_hook(lambda *_: calls.append("before")),
        theirs.register_forward_hook(lambda module, args, kwargs, y: calls.append(sorted(kwargs)), with_kwargs=True),
        theirs.register_full_backward_hook(lambda *_: calls.append("backward")),
        theirs.register_full_backward_pre_hook(lambda *_: calls.append("before backward")),
    ]
    model = torch.nn.Sequential(theirs)
    replace(model)
    y, _ = model[0](torch.randn(5, 2, 4, requires_grad=True), lengths=[5, 3])
    y.sum().backward()
    assert calls == ["before", ["lengths"], "before backward", "backward"]
    for handle in handles:
        handle.remove()
    model[0](torch.randn(5, 2, 4))
    assert len(calls) == 4


def test_what_is_not_plain_stays_with_a_warning():
    class Own(torch.nn.LSTM):
        def forward(self, input, hx=None):
            return super().forward(input.relu(), hx)

    class Holder(torch.nn.LSTM):
        def __init__(self):
            super().__init__(4, 6)
            self.inner = torch.nn.GRU(4, 6)

    parametrized, pruned = torch.nn.LSTM(4, 6), torch.nn.GRUCell(4, 6)
    parametrize.register_parametrization(parametrized, "weight_hh_l0", torch.nn.Identity())
    prune.identity(pruned, "weight_hh")
    patched, hooked = torch.nn.RNN(4, 6), torch.nn.RNN(4, 6)
    patched.forward = lambda input: input
    hooked.register_state_dict_pre_hook(lambda *_: None)
    model = torch.nn.ModuleDict({"own": Own(4, 6), "parametrized": parametrized, "pruned": pruned, "plain": Holder()})
    model["patched"], model["hooked"] = patched, hooked
    kept = dict(model.items())
    with pytest.warns(UserWarning, match="stays as it is") as warned:
        assert replace(model) == {"plain.inner": "torch.nn.GRU(4, 6) → longshort.nn.GRU"}
    assert dict(model.items()) == kept
    assert [str(warning.message) for warning in warned] == [
        "'own' stays as it is: LSTM.from_torch cannot take over Own: it is a subclass of torch.nn.LSTM",
        "'parametrized' stays as it is: LSTM.from_torch cannot take over ParametrizedLSTM: it is a subclass of "
        "torch.nn.LSTM",
        "'pruned' stays as it is: GRUCell.from_torch cannot take over this torch.nn.GRUCell: its weights are computed",
        "'plain' stays as it is: LSTM.from_torch cannot take over Holder: it is a subclass of torch.nn.LSTM",
        "'patched' stays as it is: its own forward or state_dict hooks are bound to it",
        "'hooked' stays as it is: its own forward or state_dict hooks are bound to it",
    ]
    assert {warning.filename for warning in warned} == {__file__}


def test_a_layer_has_no_place_in_which_to_swap_itself():
    with pytest.raises(InputError, match=r"use longshort\.nn\.LSTM\.from_torch\(layer\)"):
        replace(torch.nn.LSTM(3, 4))


def test_public_names():
    layers = {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "Attention", "Stream"}
    functions = {"replace", "export_onnx", "onnx_table", "linear_cross_entropy", "locked_dropout"}
    assert set(longshort.nn.__all__) == layers | functions | {
        "LSTMTrace",
        "GRUTrace",
        "RNNTrace",
        "Stream",
        "Attention",
    }
    assert all(hasattr(longshort.nn, name) for name in longshort.nn.__all__)
