"""Recurrent layers on NumPy arrays: weights by PyTorch's names, computed by the compiled core."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from longshort import _core
from longshort.runtime.weights import Weights

FloatArray = NDArray[np.float32]
# h (B, R), and c (B, H) where the cell has one.
State = tuple[FloatArray, ...]

_NUMBERS = {name: number for number, name in enumerate(_core.CELLS)}
# What settings call a cell, and what the core does.
CELLS = {"lstm": "lstm", "gru": "gru", "rnn": "rnn_tanh"}
_NONE = (0, 0, 0)


def threads() -> int:
    """Threads of a sequence: OMP_NUM_THREADS, or the cores that this process may use. A single step takes one."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Recurrent:
    """A layer of `longshort.nn`, or several on top of each other, in evaluation. I inputs, H hidden units, R outputs.

    Args:
        cell: a name in `CELLS`.
        weights: of the module, `weight_ih_l0` and so on; how many layers and directions there are is read from them.
    """

    def __init__(self, cell: str, weights: Weights) -> None:
        self._number, self._memory = _NUMBERS[CELLS[cell]], cell == "lstm"
        count = sum(name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in weights)
        ends = ("", "_reverse") if "weight_ih_l0_reverse" in weights else ("",)
        self._layers = [[_Direction(weights, f"_l{k}{end}", bool(end)) for end in ends] for k in range(count)]

    def __call__(
        self, x: FloatArray, state: Sequence[State] | None = None, lengths: NDArray[np.int64] | None = None
    ) -> tuple[FloatArray, list[State]]:
        """Read sequences.

        Args:
            x: (T, B, I).
            state: to begin with, of every layer and direction, as this method returned it; None for zeros.
            lengths: valid steps, (B,); None for all.

        Returns:
            The last layer's output, (T, B, directions * R), 0 at padded steps; the state after each last valid step.
        """
        after: list[State] = []
        for layer in self._layers:
            y = np.empty((*x.shape[:2], sum(one.output for one in layer)), np.float32)
            begin = 0
            for one in layer:
                start = () if state is None else state[len(after)]
                after.append(self._run(one, x, start, lengths, y[:, :, begin : begin + one.output]))
                begin += one.output
            x = y
        return x, after

    def stream(self, batch: int, state: Sequence[State] | None = None) -> Stream:
        """The same one step at a time on B sequences."""
        layers = [one for (one,) in self._layers]
        return Stream(self._number, self._memory, layers, batch, state)

    def _run(
        self, one: _Direction, x: FloatArray, start: State, lengths: NDArray[np.int64] | None, y: FloatArray
    ) -> State:
        steps, batch, width = x.shape
        h0, c0 = (*map(_whole, start), None, None)[:2]
        x = x if x.strides[2] == x.itemsize else np.ascontiguousarray(x)
        lengths = None if lengths is None else np.ascontiguousarray(lengths, np.int64)
        hn = np.empty((batch, one.output), np.float32)
        cn = np.empty((batch, one.hidden), np.float32) if self._memory else None
        sizes = (self._number, steps, batch, width, one.hidden, one.projected, 0, False)
        states = (_address(h0), _address(c0), 0)
        _core.forward_float32(
            *(sizes, _address(lengths), one.reverse, threads(), one.addresses),
            *(_placed(x), states, _NONE, _NONE),
            *(_placed(y), _address(hn), _address(cn), 0),
        )
        return (hn,) if cn is None else (hn, cn)


class Stream:
    """Layers one step at a time, their weights packed and their state kept in the core: `y = step(x)`.

    x is (B, I), y (B, R).
    """

    def __init__(
        self, number: int, memory: bool, layers: Sequence[_Direction], batch: int, state: Sequence[State] | None
    ) -> None:
        self._number, self._memory, self._weights = number, memory, layers
        self._sizes = [(one.output, one.hidden)[: 1 + memory] for one in layers]
        self._begin(batch)
        if state is not None:
            self.state = list(state)

    def _begin(self, batch: int) -> None:
        self._batch, self._inputs = batch, self._weights[0].inputs
        self._layers = [
            _core.stream_float32(
                self._number, batch, one.inputs, one.hidden, one.projected, one.addresses, 0.0, 0.0, False
            )
            for one in self._weights
        ]
        self._between = [np.empty((batch, one.output), np.float32) for one in self._weights]

    def select(self, rows: NDArray[np.int64]) -> None:
        """Go on with some of the sequences, (B',), in this order; one may occur several times, as in a beam search."""
        state = [tuple(part[rows] for part in parts) for parts in self.state]
        if len(rows) != self._batch:
            self._begin(len(rows))
        self.state = state

    def __call__(self, x: FloatArray) -> FloatArray:
        """One step."""
        x = np.ascontiguousarray(x, np.float32)
        assert x.shape == (self._batch, self._inputs)
        for layer, out in zip(self._layers, self._between, strict=True):
            layer.step(x.ctypes.data, out.ctypes.data)
            x = out
        return x.copy()

    @property
    def state(self) -> list[State]:
        """Of every layer, after the last step."""
        states = []
        for layer, sizes in zip(self._layers, self._sizes, strict=True):
            parts = tuple(np.empty((self._batch, size), np.float32) for size in sizes)
            layer.read(*map(_address, (*parts, None)[:2]))
            states.append(parts)
        return states

    @state.setter
    def state(self, states: Sequence[State]) -> None:
        for layer, state in zip(self._layers, states, strict=True):
            parts = [_whole(part) for part in state]
            layer.write(*map(_address, (*parts, None)[:2]))


class Readout:
    """A linear layer for a few rows at a time, its weights packed in the core: `y = readout(x)`, (B, I) to (B, O)."""

    def __init__(self, weight: FloatArray, bias: FloatArray | None) -> None:
        self._outputs, inputs = weight.shape
        self._run = _core.readout_float32(inputs, self._outputs, _address(weight), _address(bias), False).run

    def __call__(self, x: FloatArray) -> FloatArray:
        """One product."""
        x = np.ascontiguousarray(x, np.float32)
        y = np.empty((len(x), self._outputs), np.float32)
        self._run(len(x), x.ctypes.data, y.ctypes.data)
        return y


class _Direction:
    """One layer in one direction: its sizes, and its weights in the order in which the core takes them."""

    def __init__(self, weights: Weights, end: str, reverse: bool) -> None:
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        self._held = [weights.get(kind + end) for kind in kinds]
        self.addresses = (*map(_address, self._held), 0, 0, 0, 0, 0)
        w_ih, w_hh, *_, w_hr = self._held
        assert w_ih is not None
        assert w_hh is not None
        self.inputs, self.output, self.reverse = w_ih.shape[1], w_hh.shape[1], reverse
        self.hidden: int = self.output if w_hr is None else w_hr.shape[1]
        self.projected: int = 0 if w_hr is None else self.output


def _whole(array: FloatArray) -> FloatArray:
    return np.ascontiguousarray(array, np.float32)


def _address(array: NDArray[np.generic] | None) -> int:
    return 0 if array is None else array.ctypes.data


def _placed(array: FloatArray) -> tuple[int, int, int]:
    """Address and strides of (T, B, ·)."""
    return array.ctypes.data, array.strides[0] // array.itemsize, array.strides[1] // array.itemsize
