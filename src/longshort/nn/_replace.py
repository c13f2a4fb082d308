"""Swapping PyTorch's recurrent layers for ours inside a model that exists already."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from longshort.errors import InputError
from longshort.nn._cells import GRUCell, LSTMCell, RNNCell
from longshort.nn._gru import GRU
from longshort.nn._lstm import LSTM
from longshort.nn._rnn import RNN
from longshort.nn._torch import Counterpart

_OURS: dict[type[nn.Module], type[Counterpart[Any]]] = {
    ours.counterpart: ours for ours in (LSTM, GRU, RNN, LSTMCell, GRUCell, RNNCell)
}

# Where a module keeps its hooks. The dicts themselves move, so that a handle can still remove its hook.
_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_is_full_backward_hook",
)
_BOUND_HOOKS = (
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def replace(model: nn.Module) -> dict[str, str]:
    """Swap, in place, every LSTM, GRU, RNN and cell of `torch.nn` inside `model` for ours.

    A new layer holds the same parameters as the old one (an optimiser made before stays valid), the same options,
    training mode and forward and backward hooks; a layer that stands in several places is swapped by one new layer.
    Subclasses stay as they are, with a warning that names them, and so do layers whose weights are computed
    (parametrizations, weight norm, pruning) or whose `forward` or `state_dict` somebody has hooked into.

    Returns:
        What was swapped: the layer's name in the model to "torch.nn.LSTM(64, 128) → longshort.nn.LSTM".

    Raises:
        InputError: `model` is itself such a layer, and has no place in which to be swapped.
    """
    if type(model) in _OURS:
        name = type(model).__name__
        raise InputError(f"a {name} cannot be swapped in place by itself: use longshort.nn.{name}.from_torch(layer)")
    new: dict[nn.Module, nn.Module] = {}
    swapped: dict[str, str] = {}
    for path, layer in list(model.named_modules(remove_duplicate=False)):
        ours = next((ours for theirs, ours in _OURS.items() if isinstance(layer, theirs)), None)
        if ours is None:
            continue
        if layer not in new:
            try:
                new[layer] = _take_over(layer, ours)
            except InputError as error:
                place = repr(path) if path else "the model itself"
                warnings.warn(f"{place} stays as it is: {error}", stacklevel=2)
                new[layer] = layer
        if new[layer] is not layer:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, new[layer])
            swapped[path] = f"torch.nn.{type(layer).__name__}({layer.extra_repr()}) → longshort.nn.{ours.__name__}"
    return swapped


def _take_over(layer: nn.Module, ours: type[Counterpart[Any]]) -> nn.Module:
    new = ours.from_torch(layer)
    if "forward" in vars(layer) or any(getattr(layer, name) for name in _BOUND_HOOKS):
        raise InputError("its own forward or state_dict hooks are bound to it")
    for name in _HOOKS:
        setattr(new, name, getattr(layer, name))
    return new
