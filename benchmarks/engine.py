"""The engine against PyTorch, side by side through the public modules. Each part prints a table; all go into one JSON.

    python benchmarks/engine.py                      all parts, with 1 and with 2 threads
    python benchmarks/engine.py dense sweep --threads 2 --seconds 5
    python benchmarks/engine.py --markdown           the tables of what has been measured, for the README

    dense        LSTM of nine shapes: inference and a training step
    lengths      the same with sequences of different lengths: PackedSequence, `lengths=`, and padding that is computed
    sweep        LSTM of some sixty shapes, and where PyTorch is faster (with 2 threads alone unless `--threads` says)
    variants     GRU, plain RNN, projection, two layers in both directions, float64: a training step
    cells        LSTMs that PyTorch lacks, beside the loop that one would write in Python, eager and compiled
    bfloat16     LSTM of two large shapes: a training step
    streaming    one step at a time, beside LSTMCell and, where it is installed, ONNX Runtime
    neighbour    a training step with 2 threads while another process keeps a core busy

A training step is forward, backward from a fixed gradient of the output, with one for the input too, and clearing the
gradients. Autograd and Python are part of every figure. Candidates take turns for `--seconds` per row, all in one
process; a figure is the median over their calls. A ratio …/ours above 1 says that longshort is faster. Nothing is timed
before its outputs and gradients have been compared with PyTorch's; what is drawn at random is compared in evaluation.
The share of the machine's peak needs a C++ compiler; the step of a stream without Python needs what `make core-bench`
builds.

All parts take some twelve minutes on two idle cores. The machine must have nothing else to do: threads that wait for
one another suffer from a neighbour, as the last part shows. The JSON has the load that there was before each part.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import longshort.nn
from longshort import _core
from longshort.artifact import versions

RESULTS = Path(__file__).parent / "results"
ENGINE_BENCH = Path(__file__).parent.parent / "build" / "core" / "engine_bench"
ROUNDS = 3  # at least
TURN = 0.02  # seconds for which a candidate runs before the next has its turn; one call at least
PAUSE = 0.005  # seconds between two turns, in which PyTorch's threads stop spinning, so that none pays for another
SECONDS = {"sweep": 1.0}  # for each row; 2 in the other parts
THREADS = {"sweep": [2], "neighbour": [2]}  # 1 and 2 in the other parts

Row: TypeAlias = dict[str, float | int | str]
Candidates: TypeAlias = Mapping[str, Callable[[], Sequence[Any]]]


class Shape(NamedTuple):
    """Sequences, steps, inputs and hidden units of a layer's work."""

    batch: int
    steps: int
    input: int
    hidden: int

    @property
    def gflop(self) -> float:
        """Of one LSTM training step: the products of forward, and twice as many in backward."""
        return 6e-9 * self.steps * self.batch * 4 * self.hidden * (self.input + self.hidden)


DENSE = (
    Shape(1, 1, 64, 128),
    Shape(1, 100, 64, 128),
    Shape(1, 100, 128, 512),
    Shape(32, 100, 64, 128),
    Shape(32, 100, 128, 256),
    Shape(64, 100, 256, 512),
    Shape(32, 50, 1024, 1024),
    Shape(128, 28, 28, 128),
    Shape(256, 365, 32, 64),
)
SIZES = ((16, 32), (64, 64), (100, 100), (128, 256), (300, 512))
MOST_GFLOP = 40
SWEEP = tuple(
    shape
    for batch in (1, 8, 64, 256)
    for steps in (1, 20, 200)
    for sizes in SIZES
    if (shape := Shape(batch, steps, *sizes)).gflop <= MOST_GFLOP
)
LENGTHS = tuple(shape for shape in DENSE if shape.batch > 1)
VARIANTS = (Shape(32, 100, 64, 128), Shape(256, 365, 32, 64))
STREAMING = (Shape(1, 1, 64, 128),)
NEIGHBOUR = (DENSE[2], DENSE[3], DENSE[8])
LARGE = (Shape(64, 100, 256, 512), Shape(32, 50, 1024, 1024))


def measure(candidates: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median milliseconds of each candidate's calls, which are warm; they take turns, in alternating order."""
    for call in candidates.values():
        call()
    calls = list(candidates.items())
    turn = min(TURN, seconds / (ROUNDS * len(calls)))
    times: dict[str, list[float]] = {name: [] for name in candidates}
    rounds = 0
    began = time.perf_counter()
    while rounds < ROUNDS or time.perf_counter() - began < seconds:
        for name, call in calls if rounds % 2 == 0 else reversed(calls):
            time.sleep(PAUSE)
            start = now = time.perf_counter()
            while now - start < turn:
                before = time.perf_counter()
                call()
                now = time.perf_counter()
                times[name].append(now - before)
        rounds += 1
    return {name: 1e3 * statistics.median(times[name]) for name in candidates}


def agree(candidates: Candidates, rtol: float = 1e-3) -> None:
    """Call each candidate once and raise unless all give the same, up to `rtol` of the largest element."""
    (first, expected), *others = [(name, call()) for name, call in candidates.items()]
    for name, found in others:
        for number, (a, b) in enumerate(zip(expected, found, strict=True)):
            want = torch.as_tensor(a).detach().double()
            error = (torch.as_tensor(b).detach().reshape(want.shape) - want).abs().max()
            if not error <= rtol * want.abs().max():
                raise RuntimeError(f"result {number} of {name} is not that of {first}: off by {float(error):.3g}")


def dense(seconds: float, shapes: Iterable[Shape] = DENSE) -> Iterator[Row]:
    """LSTM, float32, every sequence of full length: milliseconds."""
    for shape in shapes:
        theirs, ours = pair(longshort.nn.LSTM, shape)
        x = torch.randn(shape.steps, shape.batch, shape.input)
        candidates: Candidates = {"torch": inference(theirs, x), "ours": inference(ours, x)}
        with torch.inference_mode():
            agree(candidates)
            run = measure(candidates, seconds / 2)
        candidates = {"torch": training(theirs, x), "ours": training(ours, x)}
        agree(candidates)
        train = measure(candidates, seconds / 2)
        row = _head(shape)
        for what, found in {"infer": run, "train": train}.items():
            row |= {f"{what} {name}": value for name, value in found.items()}
            row[f"{what} torch/ours"] = found["torch"] / found["ours"]
        row["train GFLOP/s"] = speed = shape.gflop / train["ours"] * 1e3
        if most := peak(torch.get_num_threads()):
            row["of peak"] = speed / most
        yield row


def sweep(seconds: float, shapes: Iterable[Shape] = SWEEP) -> Iterator[Row]:
    """LSTM, float32, as `dense`, over a grid of shapes: milliseconds."""
    return dense(seconds, shapes)


def lengths(seconds: float, shapes: Iterable[Shape] = LENGTHS) -> Iterator[Row]:
    """LSTM, float32, lengths uniform in 0.1 T ... T, training: milliseconds."""
    for shape in shapes:
        theirs, ours = pair(longshort.nn.LSTM, shape)
        x = torch.randn(shape.steps, shape.batch, shape.input)
        shortest = max(1, shape.steps // 10)
        valid = torch.randint(shortest, shape.steps + 1, (shape.batch,))
        padded: Candidates = {"packed": training(Packed(theirs), x, valid), "ours": training(ours, x, lengths=valid)}
        plain: Candidates = {"torch dense": training(theirs, x), "ours dense": training(ours, x)}
        agree(padded)
        agree(plain)
        found = measure({**padded, **plain}, seconds)
        yield {
            **_head(shape),
            **found,
            "packed/ours": found["packed"] / found["ours"],
            "torch dense/ours": found["torch dense"] / found["ours"],
            "ours dense/ours": found["ours dense"] / found["ours"],
        }


def variants(seconds: float, shapes: Iterable[Shape] = VARIANTS) -> Iterator[Row]:
    """Other layers than the one-layer float32 LSTM, training: milliseconds."""
    nn = longshort.nn
    for shape in shapes:
        kinds: dict[str, tuple[Any, dict[str, Any]]] = {
            "GRU": (nn.GRU, {}),
            "RNN tanh": (nn.RNN, {}),
            "LSTM proj_size": (nn.LSTM, {"proj_size": shape.hidden // 2}),
            "LSTM 2 layers, both ways": (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
            "LSTM float64": (nn.LSTM, {"dtype": torch.float64}),
        }
        for name, (kind, options) in kinds.items():
            theirs, ours = pair(kind, shape, **options)
            x = torch.randn(shape.steps, shape.batch, shape.input, dtype=options.get("dtype"))
            candidates: Candidates = {"torch": training(theirs, x), "ours": training(ours, x)}
            agree(candidates)
            found = measure(candidates, seconds)
            yield {"layer": name, **_head(shape), **found, "torch/ours": found["torch"] / found["ours"]}


def cells(seconds: float, shapes: Iterable[Shape] = VARIANTS) -> Iterator[Row]:
    """LSTMs that PyTorch lacks, float32, training, beside our plain LSTM and a loop in Python: milliseconds."""
    for shape in shapes:
        for name, kind in KINDS.items():
            torch.manual_seed(0)
            ours = longshort.nn.LSTM(shape.input, shape.hidden, **kind.options)
            for gain in (value for what, value in ours.named_parameters() if what.startswith("gain")):
                torch.nn.init.constant_(gain, 0.5)  # with 1 it is chaotic: rounding errors grow from step to step
            x = torch.randn(shape.steps, shape.batch, shape.input)
            loops, failure = written_by_hand(kind, ours, x)
            layers = {**loops, "ours": ours}
            candidates = {what: training(layer, x) for what, layer in layers.items()}
            # What is drawn at random agrees in evaluation alone, where zones are their mean and nothing is dropped. The
            # loops run the same step there, as masks and zones are its arguments.
            for layer in layers.values():
                layer.train(not (kind.zoneout or kind.dropout))
            agree(candidates)
            for layer in layers.values():
                layer.train()
            plain = longshort.nn.LSTM(shape.input, shape.hidden)
            found = measure({**candidates, "plain": training(plain, x)}, seconds)
            best = min(found[loop] for loop in loops)
            yield {
                "layer": name,
                **_head(shape),
                "eager": found["eager"],
                "compiled": found.get("compiled", failure),
                "ours": found["ours"],
                "plain": found["plain"],
                "loop/ours": best / found["ours"],  # the better loop
                "ours/plain": found["ours"] / found["plain"],
            }


def bfloat16(seconds: float, shapes: Iterable[Shape] = LARGE) -> Iterator[Row]:
    """LSTM, bfloat16, training: milliseconds."""
    for shape in shapes:
        theirs, ours = pair(longshort.nn.LSTM, shape, dtype=torch.bfloat16)
        x = torch.randn(shape.steps, shape.batch, shape.input, dtype=torch.bfloat16)
        candidates: Candidates = {"torch": training(theirs, x), "ours": training(ours, x)}
        agree(candidates, rtol=3e-2)
        found = measure(candidates, seconds)
        yield {**_head(shape), **found, "torch/ours": found["torch"] / found["ours"]}


@torch.inference_mode()
def streaming(seconds: float, shapes: Iterable[Shape] = STREAMING) -> Iterator[Row]:
    """LSTM, float32, one step after another, the state carried along: microseconds per step."""
    for shape in shapes:
        theirs, ours = pair(longshort.nn.LSTM, shape)
        cell = torch.nn.LSTMCell(shape.input, shape.hidden)
        cell.load_state_dict({name.removesuffix("_l0"): value for name, value in theirs.state_dict().items()})
        x = torch.randn(shape.batch, shape.input)
        candidates: dict[str, Callable[[], Sequence[Any]]] = {
            "ours": _stream(ours, x),
            "LSTMCell": _cell(cell, x),
            "LSTM": _one_step(theirs, x.unsqueeze(0)),
        }
        installed = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
        if installed:
            candidates["onnxruntime"] = _onnxruntime(theirs, shape, x)
        agree(candidates)
        agree(candidates)  # the state is carried the same way
        found = {name: 1e3 * value for name, value in measure(candidates, seconds).items()}
        row = {**_head(shape), **found, **{f"{k}/ours": v / found["ours"] for k, v in found.items() if k != "ours"}}
        row |= core_stream(shape)
        yield row if installed else {**row, "onnxruntime": "not installed"}


def neighbour(seconds: float, shapes: Iterable[Shape] = NEIGHBOUR) -> Iterator[Row]:
    """LSTM, float32, training beside a process that keeps one core busy: milliseconds, and how much slower."""
    for shape in shapes:
        theirs, ours = pair(longshort.nn.LSTM, shape)
        x = torch.randn(shape.steps, shape.batch, shape.input)
        candidates: Candidates = {"torch": training(theirs, x), "ours": training(ours, x)}
        agree(candidates)
        quiet = measure(candidates, seconds / 2)
        with busy_core():
            busy = measure(candidates, seconds / 2)
        yield {
            **_head(shape),
            **{f"{name} quiet": value for name, value in quiet.items()},
            **{f"{name} busy": value for name, value in busy.items()},
            "busy torch/ours": busy["torch"] / busy["ours"],
            "torch busy/quiet": busy["torch"] / quiet["torch"],
            "ours busy/quiet": busy["ours"] / quiet["ours"],
        }


def pair(kind: Any, shape: Shape, **options: Any) -> tuple[Any, Any]:
    """PyTorch's layer and ours with the same weights."""
    torch.manual_seed(0)
    theirs = kind.counterpart(shape.input, shape.hidden, **options)
    ours = kind(shape.input, shape.hidden, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def inference(layer: Any, x: Tensor) -> Callable[[], Sequence[Tensor]]:
    """One call: gives the output."""

    def run() -> Sequence[Tensor]:
        y, _ = layer(x)
        return (y,)

    return run


def training(layer: Any, x: Tensor, *arguments: Any, **options: Any) -> Callable[[], Sequence[Any]]:
    """One step of training: gives the output and the gradients of x and of the parameters."""
    x = x.detach().clone().requires_grad_()
    leaves = [x, *layer.parameters()]
    y, _ = layer(x, *arguments, **options)  # with gradients: what is compiled is compiled once
    torch.manual_seed(1)
    dy = torch.randn(y.shape, dtype=y.dtype)

    def step() -> Sequence[Any]:
        y, _ = layer(x, *arguments, **options)
        y.backward(dy)
        results = [y, *(leaf.grad for leaf in leaves)]
        for leaf in leaves:
            leaf.grad = None
        return results

    return step


class Packed(torch.nn.Module):
    """A layer of PyTorch as it is used for sequences of different lengths."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Any]:
        """Pack x, run the layer, pad its output."""
        y, state = self.layer(pack_padded_sequence(x, valid, enforce_sorted=False))
        return pad_packed_sequence(y, total_length=x.size(0))[0], state


class Kind(NamedTuple):
    """An LSTM that PyTorch lacks: our options for it, and a step in plain PyTorch.

    The step takes the sums of the inputs (B, G * H), h and c, the parameters whose names are in `takes`, and masks.
    """

    options: dict[str, Any]
    step: Callable[..., tuple[Tensor, Tensor]]
    takes: tuple[str, ...] = ("weight_hh",)

    @property
    def zoneout(self) -> float:
        """The probability with which a unit keeps its state."""
        return float(self.options.get("zoneout", 0))

    @property
    def dropout(self) -> float:
        """The probability with which a unit is hidden from the recurrent product."""
        return float(self.options.get("recurrent_dropout", 0))


class Loop(torch.nn.Module):
    """A layer as one writes it in Python: the products with all inputs at once, then `step` for each step in turn."""

    def __init__(self, kind: Kind, layer: torch.nn.Module, step: Callable[..., tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.kind, self.step = kind, step
        for name, value in layer.named_parameters():
            self.register_parameter(name.removesuffix("_l0"), torch.nn.Parameter(value.detach().clone()))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run all steps of x (T, B, I); gives the output and the final state."""
        units = self.get_parameter("weight_hh").size(1)
        # With a gradient, so that what is compiled for the later steps serves the first one too.
        h, c = (x.new_zeros(x.size(1), units, requires_grad=True) for _ in "hc")
        fixed: list[Tensor] = [self.get_parameter(name) for name in self.kind.takes]
        if self.kind.dropout:  # once for each sequence
            fixed.append(self.drawn(h, 1 - self.kind.dropout) / (1 - self.kind.dropout))
        outputs = []
        for sums in self.inputs(x).unbind():
            zones = [self.drawn(h, self.kind.zoneout) for _ in "hc"] if self.kind.zoneout else []
            h, c = self.step(sums, h, c, *fixed, *zones)
            outputs.append(h)
        return torch.stack(outputs), (h, c)

    def inputs(self, x: Tensor) -> Tensor:
        """What the inputs add to the gates of all steps."""
        weight, bias_ih, bias_hh = (self.get_parameter(name) for name in ("weight_ih", "bias_ih", "bias_hh"))
        if self.kind.step is not layer_norm_step:
            return F.linear(x, weight, bias_ih + bias_hh)
        return F.layer_norm(F.linear(x, weight), bias_ih.shape, self.get_parameter("gain_ih"), bias_ih)

    def drawn(self, like: Tensor, p: float) -> Tensor:
        """Ones with probability p, else zeros; in evaluation their mean."""
        if not self.training:
            return torch.full_like(like, p)
        return (torch.rand_like(like) < p).to(like.dtype)  # takes less than bernoulli_


def written_by_hand(kind: Kind, layer: torch.nn.Module, x: Tensor) -> tuple[dict[str, Loop], str]:
    """Loops with the layer's weights: eager and, unless that fails, with a compiled step; and why it failed."""
    loops = {"eager": Loop(kind, layer, kind.step)}
    torch.compiler.reset()  # forgets the steps of other rows, so that none is looked through at a call
    try:
        compiled = Loop(kind, layer, torch.compile(kind.step, dynamic=False))
        training(compiled, x)()
    except Exception as error:  # no C++ compiler, or something that it cannot compile
        return loops, f"failed: {type(error).__name__}"
    return {**loops, "compiled": compiled}, ""


def lstm_step(sums: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the plain LSTM, which others are made of."""
    i, f, g, o = (sums + F.linear(h, weight_hh)).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def peephole_step(sums: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor, weight_ch: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the LSTM whose gates see the cell state."""
    i, f, g, o = (sums + F.linear(h, weight_hh)).chunk(4, 1)
    p_i, p_f, p_o = weight_ch.chunk(3)
    c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * torch.tanh(g)
    return torch.sigmoid(o + p_o * c) * torch.tanh(c), c


def coupled_step(sums: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the LSTM that forgets as much as it takes in."""
    i, g, o = (sums + F.linear(h, weight_hh)).chunk(3, 1)
    i = torch.sigmoid(i)
    c = (1 - i) * c + i * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def layer_norm_step(
    sums: Tensor,
    h: Tensor,
    c: Tensor,
    weight_hh: Tensor,
    gain_hh: Tensor,
    bias_hh: Tensor,
    gain_ch: Tensor,
    bias_ch: Tensor,
) -> tuple[Tensor, Tensor]:
    """One step of the LSTM with layer normalisation; that of the inputs has been done."""
    product = F.layer_norm(F.linear(h, weight_hh), bias_hh.shape, gain_hh, bias_hh)
    i, f, g, o = (sums + product).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(F.layer_norm(c, bias_ch.shape, gain_ch, bias_ch)), c


def zoneout_step(
    sums: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor, zone_h: Tensor, zone_c: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of the LSTM whose units now and then keep their state."""
    new_h, new_c = lstm_step(sums, h, c, weight_hh)
    return zone_h * h + (1 - zone_h) * new_h, zone_c * c + (1 - zone_c) * new_c


def dropout_step(sums: Tensor, h: Tensor, c: Tensor, weight_hh: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the LSTM whose recurrent product lacks some units."""
    return lstm_step(sums, h * mask, c, weight_hh)


KINDS = {
    "peephole": Kind({"peephole": True}, peephole_step, ("weight_hh", "weight_ch")),
    "coupled": Kind({"coupled": True}, coupled_step),
    "layer norm": Kind(
        {"layer_norm": True}, layer_norm_step, ("weight_hh", "gain_hh", "bias_hh", "gain_ch", "bias_ch")
    ),
    "zoneout 0.1": Kind({"zoneout": 0.1}, zoneout_step),
    "recurrent dropout 0.3": Kind({"recurrent_dropout": 0.3}, dropout_step),
}


def _stream(layer: Any, x: Tensor) -> Callable[[], Sequence[Any]]:
    stream = layer.stream()
    return lambda: (stream(x),)


def _cell(cell: torch.nn.LSTMCell, x: Tensor) -> Callable[[], Sequence[Any]]:
    state = None

    def step() -> Sequence[Any]:
        nonlocal state
        state = cell(x, state)
        return (state[0],)

    return step


def _one_step(layer: Any, x: Tensor) -> Callable[[], Sequence[Any]]:
    state = None

    def step() -> Sequence[Any]:
        nonlocal state
        y, state = layer(x, state)
        return (y,)

    return step


def _onnxruntime(layer: torch.nn.Module, shape: Shape, x: Tensor) -> Callable[[], Sequence[Any]]:
    """ONNX Runtime on a graph of one LSTM node with the layer's weights."""
    onnx: Any = importlib.import_module("onnx")
    runtime: Any = importlib.import_module("onnxruntime")
    make = onnx.helper

    def reordered(name: str) -> Any:  # PyTorch's gates are i, f, g, o, those of ONNX i, o, f, c
        i, f, g, o = layer.get_parameter(name).detach().numpy().reshape(4, shape.hidden, -1)
        return np.concatenate([i, o, f, g])

    biases = np.concatenate([reordered("bias_ih_l0"), reordered("bias_hh_l0")])
    weights = {"W": reordered("weight_ih_l0"), "R": reordered("weight_hh_l0"), "B": biases[:, 0]}
    sizes = {"x": shape.input, "h": shape.hidden, "c": shape.hidden, "hn": shape.hidden, "cn": shape.hidden}
    values = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, shape.batch, size])
        for name, size in sizes.items()
    ]
    node = make.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "hn", "cn"], hidden_size=shape.hidden)
    constants = [onnx.numpy_helper.from_array(value[None], name) for name, value in weights.items()]
    graph = make.make_graph([node], "lstm", values[:3], values[3:], constants)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {"x": x.numpy()[None], **dict.fromkeys(("h", "c"), np.zeros((1, shape.batch, shape.hidden), np.float32))}

    def step() -> Sequence[Any]:
        feeds["h"], feeds["c"] = session.run(None, feeds)
        return (feeds["h"],)

    return step


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with another process, which ends with this one."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**6))"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


# Independent sums of multiplications and additions in registers, as many as the widest pipelines have on their way.
# Prints the best of many rounds, each about a millisecond: neighbours can only slow one down.
PEAK_SOURCE = r"""
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int bytes = 64;
#elif defined(__AVX__)
constexpr int bytes = 32;
#else
constexpr int bytes = 16;
#endif
typedef float Vector __attribute__((vector_size(bytes)));
constexpr int sums = 12, times = 1 << 17;
volatile float factor = 0.999f;  // not known to the compiler
thread_local volatile float sink;

__attribute__((noinline)) void work() {
  const Vector by = Vector{} + factor, plus = Vector{} + (1 - factor);
  Vector sum[sums];
  for (int k = 0; k < sums; ++k) sum[k] = Vector{} + static_cast<float>(k);
  for (int n = 0; n < times; ++n) {
    _Pragma("GCC unroll 12") for (int k = 0; k < sums; ++k) sum[k] = sum[k] * by + plus;
  }
  for (int k = 1; k < sums; ++k) sum[0] += sum[k];
  sink = sum[0][0];
}

int main(int, char** argv) {
  const int threads = std::atoi(argv[1]);
  double best = 1e30;
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> ready{0};
    const auto together = [&] {
      for (++ready; ready < threads;) {}
      work();
    };
    std::vector<std::thread> others;
    for (int k = 1; k < threads; ++k) others.emplace_back(together);
    while (ready < threads - 1) {}
    const auto begin = std::chrono::steady_clock::now();
    together();
    for (auto& other : others) other.join();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (taken.count() < best) best = taken.count();
  }
  std::printf("%g\n", 2e-9 * threads * sums * (bytes / sizeof(float)) * times / best);
}
"""


@functools.cache
def peak(threads: int) -> float | None:
    """GFLOP/s in float32 that so many threads of this machine reach without memory; None without a C++ compiler."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "peak")
        options = ["-O3", "-march=native", "-std=c++17", "-pthread", "-x", "c++", "-", "-o", str(program)]
        built = subprocess.run([compiler, *options], input=PEAK_SOURCE, text=True, stderr=subprocess.DEVNULL)
        return None if built.returncode else float(subprocess.check_output([program, str(threads)]))


def core_stream(shape: Shape) -> Row:
    """Microseconds of a step in C++ and of reading its weights from cache, if `make core-bench` has been there."""
    if not ENGINE_BENCH.exists():
        return {}
    size = ",".join(map(str, shape))
    printed = subprocess.check_output([ENGINE_BENCH, "--quick", "--shape", size], text=True)
    found = re.search(rf"^stream {size}: ([\d.]+) us a step; reading .* takes ([\d.]+) us$", printed, re.MULTILINE)
    return {"step in C++": float(found[1]), "reading weights": float(found[2])} if found else {}


def cpu() -> str:
    """What the processor calls itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _head(shape: Shape) -> Row:
    return {**shape._asdict(), "threads": torch.get_num_threads()}


def show(rows: Iterable[Row]) -> list[Row]:
    """Print rows as they come, under a heading."""
    shown: list[Row] = []
    for row in rows:
        widths = [max(len(name), 24 if name == "layer" else 8) for name in row]
        if not shown:
            print("  ".join(f"{name:>{width}}" for name, width in zip(row, widths, strict=True)))
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)), flush=True)
        shown.append(row)
    return shown


def show_slower(rows: Iterable[Row]) -> list[Row]:
    """Print the rows in which PyTorch is faster, slowest first, and their number; gives all rows in that order."""
    found = sorted(rows, key=worst)
    slower = [row for row in found if worst(row) < 1]
    show(slower)
    ratios = [float(value) for row in found for name, value in row.items() if name.endswith("torch/ours")]
    middle = statistics.median(ratios)
    print(f"slower than PyTorch in {len(slower)} of {len(found)} shapes; median ratio {middle:.3g}")
    return found


def worst(row: Row) -> float:
    """The least of a row's ratios."""
    return min(float(value) for name, value in row.items() if name.endswith("torch/ours"))


PARTS: dict[str, Callable[[float], Iterator[Row]]] = {
    "dense": dense,
    "lengths": lengths,
    "sweep": sweep,
    "variants": variants,
    "cells": cells,
    "bfloat16": bfloat16,
    "streaming": streaming,
    "neighbour": neighbour,
}
TABLES = ("dense", "lengths", "variants", "cells", "bfloat16", "streaming")


def record(part: str, threads: Sequence[int], seconds: float, path: Path) -> None:
    """Run a part with each number of threads, print its tables, and write them into the JSON beside the others."""
    rows: list[Row] = []
    load = os.getloadavg()[0]
    before = torch.get_num_threads()
    for number in threads:
        torch.set_num_threads(number)
        print(f"\n{part}, threads: {number}. {title(part)}", flush=True)
        rows += (show_slower if part == "sweep" else show)(PARTS[part](seconds))
    torch.set_num_threads(before)
    path.parent.mkdir(exist_ok=True)
    parts = json.loads(path.read_text()) if path.exists() else {}
    parts[part] = {
        "versions": versions(),
        "instruction_set": _core.instruction_set(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load": load,
        "threads": sorted({row["threads"] for row in rows}),
        "seconds": seconds,
        "rows": rows,
    }
    path.write_text(json.dumps({name: parts[name] for name in PARTS if name in parts}, indent=2) + "\n")


def title(part: str) -> str:
    """What a part measures, and in which unit."""
    return (PARTS[part].__doc__ or "").splitlines()[0]


def markdown(parts: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one table for each part that has been measured."""
    for part in TABLES:
        if part not in parts:
            continue
        rows: list[Row] = [in_words(row) for row in parts[part]["rows"]]
        names = list(dict.fromkeys(name for row in rows for name in row))
        yield f"\n{title(part)}\n"
        yield f"| {' | '.join(names)} |"
        yield "|" + "".join("---|" if isinstance(rows[0].get(name), str) else "---:|" for name in names)
        for row in rows:
            yield f"| {' | '.join(figure(name, row.get(name, '')) for name in names)} |"


def in_words(row: Row) -> Row:
    """A row with its shape in one column."""
    layer = {"layer": row["layer"]} if "layer" in row else {}
    others = {name: value for name, value in row.items() if name not in ("layer", *Shape._fields)}
    return {**layer, ", ".join(Shape._fields): ", ".join(str(row[name]) for name in Shape._fields), **others}


def figure(column: str, value: float | int | str) -> str:
    """A cell of a table: ratios with two digits and bold, shares in percent, times with three figures."""
    if not isinstance(value, float):
        return str(value)
    if column == "of peak":
        return f"{100 * value:.0f} %"
    if "ours/" in column or "/ours" in column:
        return f"**{value:.2f}**"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def main() -> None:
    """Run the parts that are named, or all; or print what they have given before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--threads", type=int, nargs="+", help="1 and 2 unless given, for the sweep 2")
    parser.add_argument("--seconds", type=float, help="for each row of a table; 2 unless given, for the sweep 1")
    parser.add_argument("--json", type=Path, default=RESULTS / "engine.json", help="where the results are")
    parser.add_argument("--markdown", action="store_true", help="run nothing, print tables of the results")
    options = parser.parse_args()
    if options.markdown:
        print("\n".join(markdown(json.loads(options.json.read_text()))).strip())
        return
    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
    for part in PARTS if "all" in options.parts else options.parts:
        threads = options.threads if options.threads and part != "neighbour" else THREADS.get(part, [1, 2])
        record(part, threads, options.seconds or SECONDS.get(part, 2.0), options.json)


if __name__ == "__main__":
    main()
