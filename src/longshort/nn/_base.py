"""What LSTM, GRU and RNN share: parameters, layers and directions, and the forms in which a batch may come."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from longshort import ops
from longshort.errors import InputError
from longshort.nn._regularization import Regularization, check, draw_masks, drop_weights
from longshort.nn._stream import Stream
from longshort.nn._torch import HX, Counterpart

TraceT = TypeVar("TraceT", bound=ops.Trace)
Batch = TypeVar("Batch", Tensor, PackedSequence)


class Recurrent(Counterpart[HX], Generic[HX, TraceT]):
    """Layers of one cell, in one direction or both; LSTM, GRU and RNN say which cell and which options.

    L layers, D directions, T steps, B sequences, I inputs, H hidden units, R = proj_size if there is one, else H.
    """

    # The options that PyTorch's module lacks, and their defaults.
    extensions: ClassVar[dict[str, object]] = {
        "recurrent_dropout": 0.0,
        "zoneout": 0.0,
        "weight_dropout": 0.0,
        "checkpoint_steps": 0,
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: torch.device | str | int | None,
        dtype: torch.dtype | None,
        *,
        recurrent_dropout: float,
        zoneout: float | tuple[float, float],
        weight_dropout: float,
        checkpoint_steps: int,
    ) -> None:
        super().__init__()
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.recurrent_dropout = recurrent_dropout
        self.zoneout = zoneout
        self.weight_dropout = weight_dropout
        self.checkpoint_steps = checkpoint_steps
        self._regularization()

        cell = ops.CELLS[self.cell]
        rows = len(cell.gates) * hidden_size
        output = proj_size or hidden_size
        for layer in range(num_layers):
            shapes = {
                "weight_ih": (rows, output * self._directions if layer else input_size),
                "weight_hh": (rows, output),
                "bias_ih": (rows,),
                "bias_hh": (rows,),
                "weight_hr": (proj_size, hidden_size),
                "weight_ch": (len(cell.peepholes) * hidden_size,),
                "gain_ih": (rows,),
                "gain_hh": (rows,),
                "gain_ch": (hidden_size,),
                "bias_ch": (hidden_size,),
            }
            for direction in range(self._directions):
                for kind, name in self._names(layer, direction).items():
                    empty = torch.empty(shapes[kind], device=device, dtype=dtype)
                    self.register_parameter(name, nn.Parameter(empty))
        self.reset_parameters()

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, one list for each layer and direction."""
        return [
            [getattr(self, name) for name in self._names(layer, direction).values()]
            for layer in range(self.num_layers)
            for direction in range(self._directions)
        ]

    def flatten_parameters(self) -> None:
        """Do nothing; here for code that was written for PyTorch's layers."""

    def extra_repr(self) -> str:
        """The options that differ from their defaults, written as PyTorch writes them."""
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            **self.extensions,
        }
        changed = [f"{name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])

    def forward(
        self, input: Batch, hx: HX | None = None, *, lengths: Tensor | Sequence[int] | None = None
    ) -> tuple[Batch, HX]:
        """Run all layers over a batch of sequences.

        Args:
            input: (T, B, I), with `batch_first` (B, T, I), without a batch (T, I), or a PackedSequence.
            hx: the initial state, h (L * D, B, R) and, for the LSTM, c (L * D, B, H), without B where the input is
                without a batch; None for zeros.
            lengths: the number of valid steps of each sequence, (B,), integers in any order, or None where nothing
                is padded. What stands in the padding changes neither results nor gradients.

        Returns:
            The output, in the form of the input with D * R features, 0 at padded steps; and the final state, in the
            form of hx, of each sequence's own last step.

        Raises:
            InputError: a shape, dtype or length that does not fit.
        """
        x, state, known = self._read(input, hx, lengths)
        finals: list[ops.State] = []
        for y, directions in self._layers(ops.recurrence, x, state, known, self.training):
            x = y
            finals += [final for _, final in directions]
        final = tuple(p[0].unsqueeze(0) if len(p) == 1 else torch.stack(p) for p in zip(*finals, strict=True))
        if isinstance(input, PackedSequence):
            return _pack_like(x, input), self._from_state(final)
        if input.dim() == 2:
            return x.squeeze(1), self._from_state(tuple(part.squeeze(1) for part in final))
        return x.transpose(0, 1) if self.batch_first else x, self._from_state(final)

    def trace(self, input: Tensor, hx: HX | None = None, *, lengths: Tensor | Sequence[int] | None = None) -> TraceT:
        """Every gate, cell and hidden state of every step, computed by the reference, as in evaluation (no dropout).

        Takes what `forward` takes. Each field has shape (L, D, T, B, H), with `batch_first` (L, D, B, T, H), without a
        batch (L, D, T, H); h has R in place of H. Padded steps are 0. Gradients flow through all of it.
        """
        x, state, known = self._read(input, hx, lengths)
        values = [value for _, both in self._layers(ops.trace, x, state, known) for value, _ in both]

        def arrange(parts: tuple[Tensor, ...]) -> Tensor:
            stacked = torch.stack(parts)
            stacked = stacked.view(self.num_layers, self._directions, *stacked.shape[1:])
            if input.dim() == 2:
                return stacked.squeeze(3)
            return stacked.transpose(2, 3) if self.batch_first else stacked

        return cast(TraceT, type(values[0])(*map(arrange, zip(*values, strict=True))))

    def stream(self, hx: HX | None = None) -> Stream[HX]:
        """Run step by step from `hx`, or from zeros: `step = layer.stream()`, then `y = step(x)` for each x (B, I)."""
        return Stream(self, hx)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _names(self, layer: int, direction: int) -> dict[str, str]:
        """The parameters of one layer and direction: field of `ops.Weights` to attribute of this module."""
        kinds = ["weight_ih", "weight_hh"]
        if self.bias:
            kinds += ["bias_ih", "bias_hh"]
        if self.proj_size:
            kinds += ["weight_hr"]
        if ops.CELLS[self.cell].peepholes:
            kinds += ["weight_ch"]
        if ops.CELLS[self.cell].normalized:
            kinds += ["gain_ih", "gain_hh", "gain_ch"] + ["bias_ch"] * self.bias
        return {kind: f"{kind}_l{layer}{'_reverse' if direction else ''}" for kind in kinds}

    def _weights(self, layer: int, direction: int) -> ops.Weights:
        return ops.Weights(**{kind: getattr(self, name) for kind, name in self._names(layer, direction).items()})

    def _layers(
        self,
        run: Callable[..., tuple[Any, ops.State]],
        x: Tensor,
        state: ops.State | None,
        lengths: ops.Lengths | None,
        training: bool = False,
    ) -> Iterator[tuple[Tensor, list[tuple[Any, ops.State]]]]:
        """Run layer by layer; gives each one's output (T, B, D * R) and what `run` gave for each direction."""
        options = self._regularization()
        for layer in range(self.num_layers):
            if layer and self.dropout and training:
                x = F.dropout(x, self.dropout)
            directions = []
            for direction in range(self._directions):
                k = layer * self._directions + direction
                start = None if state is None else tuple(part[k] for part in state)
                weights = drop_weights(self._weights(layer, direction), options.weight_dropout, training)
                more: dict[str, Any] = {"checkpoint": options.checkpoint_steps}
                if options.recurrent_dropout or any(options.zoneout):
                    more["masks"] = draw_masks(self.cell, x, weights, options, training)
                directions.append(run(self.cell, x, start, weights, lengths=lengths, reverse=direction == 1, **more))
            outputs = [result if isinstance(result, Tensor) else result.h for result, _ in directions]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
            yield x, directions

    def _regularization(self) -> Regularization:
        """The options as they are now: they may be changed at any time."""
        return check(
            self.cell,
            self.proj_size > 0,
            self.recurrent_dropout,
            self.zoneout,
            self.weight_dropout,
            self.checkpoint_steps,
        )

    def _read(
        self, input: Tensor | PackedSequence, hx: HX | None, lengths: Tensor | Sequence[int] | None
    ) -> tuple[Tensor, ops.State | None, ops.Lengths | None]:
        """Bring a batch of any form to (T, B, I), its state to (L * D, B, ·), and check all of it."""
        name = type(self).__name__
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise InputError(f"{name}: a PackedSequence brings its own lengths, so give none")
            self._check_input(input.data)
            x, lengths = pad_packed_sequence(input)
        else:
            if input.dim() not in (2, 3):
                raise InputError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
            self._check_input(input)
            if input.dim() == 2:
                if lengths is not None:
                    raise InputError(f"{name}: lengths belong to a batch, but the input is 2D, without a batch")
                x = input.unsqueeze(1)
            else:
                x = input.transpose(0, 1) if self.batch_first else input
        if x.size(0) == 0:
            raise InputError(f"{name}: Expected sequence length to be larger than 0")
        known = None
        if lengths is not None:
            known = ops.Lengths(lengths, steps=x.size(0), batch=x.size(1), device=x.device)
        if hx is None:
            return x, None, known
        state = self._to_state(hx)
        batched = isinstance(input, PackedSequence) or input.dim() == 3
        self._check_state(state, x.shape[1:2] if batched else ())
        return x, state if batched else tuple(part.unsqueeze(1) for part in state), known

    def _check_input(self, input: Tensor) -> None:
        if input.size(-1) != self.input_size:
            raise InputError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )
        dtype = self.weight_ih_l0.dtype
        if input.dtype != dtype and not torch.is_autocast_enabled(input.device.type):
            raise InputError(f"input has dtype {input.dtype}, the weights have {dtype}: use input.to({dtype})")

    def _check_state(self, state: ops.State, batch: Sequence[int]) -> None:
        """Raise unless each part of the state has shape (L * D, *batch, its size)."""
        sizes = {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        for name, part in zip(ops.CELLS[self.cell].state, state, strict=True):
            wanted = (self.num_layers * self._directions, *batch, sizes[name])
            if part.shape != wanted:
                raise InputError(f"Expected {name}_0 of shape {wanted}, got {(*part.shape,)}")


def _pack_like(x: Tensor, packed: PackedSequence) -> PackedSequence:
    """Pack x (T, B, ·), its sequences in the caller's order, exactly as `packed` is packed."""
    if packed.sorted_indices is not None:
        x = x.index_select(1, packed.sorted_indices)
    running = torch.arange(x.size(1)) < packed.batch_sizes.unsqueeze(-1)
    data = x[: len(running)][running.to(x.device)]
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def _check_options(
    input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool, dropout: float, proj_size: int
) -> None:
    for name, size in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"{name} must be an integer greater than zero, got {size!r}")
    for name, flag in {"bias": bias, "batch_first": batch_first}.items():
        if not isinstance(flag, bool):
            raise InputError(f"{name} should be of type bool, got {flag!r}")
    if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise InputError(
            f"dropout should be a number in range [0, 1], the probability of zeroing an element, got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,  # the line that makes the layer
        )
    if not 0 <= proj_size < hidden_size:
        raise InputError(f"proj_size has to be smaller than hidden_size, or 0 for no projection, got {proj_size!r}")
