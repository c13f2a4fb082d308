"""Taking the place of PyTorch's own recurrent modules: same options, same parameters."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from torch import Tensor, nn

from longshort import ops
from longshort.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

HX = TypeVar("HX")  # the state in its caller's form: a pair (h, c) for the LSTM, a tensor h for the others


class Counterpart(nn.Module, Generic[HX]):
    """Base of all layers and cells, each of which stands for the module of PyTorch that bears its name."""

    counterpart: ClassVar[type[nn.Module]]
    options: ClassVar[tuple[str, ...]]  # the constructor's arguments, kept as attributes of the same names

    cell: str  # what it computes: a name in `longshort.ops.CELLS`
    input_size: int
    hidden_size: int
    bias: bool

    @classmethod
    def from_torch(cls, layer: nn.Module) -> Self:
        """Make this module from PyTorch's of the same name. Both then share the very same parameters.

        The options and the training mode come along, hooks stay behind; `longshort.nn.replace` moves them too.

        Raises:
            InputError: `layer` is not exactly of that type, or its parameters are computed from others.
        """
        wanted = f"torch.nn.{cls.counterpart.__name__}"
        if type(layer) is not cls.counterpart:
            kind = "a subclass of" if isinstance(layer, cls.counterpart) else "not a"
            raise InputError(
                f"{cls.__name__}.from_torch cannot take over {type(layer).__name__}: it is {kind} {wanted}"
            )
        with warnings.catch_warnings():  # PyTorch has said already what is odd about the options
            warnings.simplefilter("ignore")
            new = cls(**{name: getattr(layer, name) for name in cls.options}, device="meta")
        if list(layer.state_dict()) != list(new.state_dict()):
            raise InputError(f"{cls.__name__}.from_torch cannot take over this {wanted}: its weights are computed")
        for name, parameter in layer.named_parameters(recurse=False):
            setattr(new, name, parameter)
        return new.train(layer.training)

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-1/√hidden_size, 1/√hidden_size), in PyTorch's order; gains are 1."""
        bound = 1 / math.sqrt(self.hidden_size)
        for name, parameter in self.named_parameters():
            if name.startswith("gain"):
                nn.init.ones_(parameter)
            else:
                nn.init.uniform_(parameter, -bound, bound)

    def _to_state(self, hx: HX) -> ops.State:
        """The state as `longshort.ops` takes it, a tuple with h first."""
        names = ops.CELLS[self.cell].state
        if len(names) == 1:
            if not isinstance(hx, Tensor):
                raise InputError(f"{type(self).__name__} takes hx as one tensor, got {type(hx).__name__}")
            return (hx,)
        if not isinstance(hx, tuple | list) or len(hx) != len(names):
            wanted = ", ".join(f"{name}_0" for name in names)
            raise InputError(f"{type(self).__name__} takes hx as a tuple ({wanted}), got {type(hx).__name__}")
        return tuple(hx)

    def _from_state(self, state: ops.State) -> HX:
        return cast(HX, state if len(state) > 1 else state[0])


def rnn_cell(nonlinearity: str) -> str:
    """The name in `longshort.ops.CELLS` of the plain RNN with this nonlinearity."""
    if nonlinearity not in ("tanh", "relu"):
        raise InputError(f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'.")
    return f"rnn_{nonlinearity}"
