"""The engine against PyTorch, side by side through the public modules. Each part prints a table; all go into one JSON.

    python benchmarks/engine.py                      all parts, with 1 and with 2 threads
    python benchmarks/engine.py dense sweep --threads 2 --seconds 5

    dense        LSTM of nine shapes: inference and a training step
    lengths      the same with sequences of different lengths: PackedSequence, `lengths=`, and padding that is computed
    sweep        LSTM of some sixty shapes, and where PyTorch is faster
    variants     GRU, plain RNN, projection, two layers in both directions, float64: a training step
    streaming    one step at a time, beside LSTMCell and, where it is installed, ONNX Runtime
    neighbour    a training step with 2 threads while another process keeps a core busy

A training step is forward, backward from a fixed gradient of the output, with one for the input too, and clearing the
gradients. Autograd and Python are part of every figure. Candidates take turns for `--seconds` per row, all in one
process; a figure is the median over their calls. A ratio above 1 says that longshort is faster. Nothing is timed before
its outputs and gradients have been compared with PyTorch's.

The machine must have nothing else to do: threads that wait for one another suffer from a neighbour, as the last part
shows. The JSON has the load that there was before each part.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import longshort.nn
from longshort import _core
from longshort.artifact import versions

RESULTS = Path(__file__).parent / "results"
ROUNDS = 3  # at least
TURN = 0.02  # seconds for which a candidate runs before the next has its turn; one call at least
PAUSE = 0.005  # seconds between two turns, in which PyTorch's threads stop spinning, so that none pays for another
NEIGHBOUR_THREADS = 2

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


def measure(candidates: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median milliseconds of each candidate's calls; they take turns, in alternating order."""
    for call in candidates.values():
        call()
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
            want = torch.as_tensor(a).detach()
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
        if most := peak():
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
    with torch.no_grad():
        y, _ = layer(x, *arguments, **options)
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


def peak() -> float | None:
    """GFLOP/s in float32 that this machine reaches with as many threads as PyTorch has, if the core can tell."""
    tell = getattr(_core, "peak", None)
    return None if tell is None else float(tell(torch.get_num_threads()))


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
    "streaming": streaming,
    "neighbour": neighbour,
}


def record(part: str, threads: Sequence[int], seconds: float) -> None:
    """Run a part with each number of threads, print its tables, and write them into engine.json beside the others."""
    rows: list[Row] = []
    load = os.getloadavg()[0]
    before = torch.get_num_threads()
    for number in (NEIGHBOUR_THREADS,) if part == "neighbour" else threads:
        torch.set_num_threads(number)
        print(f"\n{part}, threads: {number}. {(PARTS[part].__doc__ or '').splitlines()[0]}", flush=True)
        rows += (show_slower if part == "sweep" else show)(PARTS[part](seconds))
    torch.set_num_threads(before)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "engine.json"
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


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row of a table")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
    for part in PARTS if "all" in options.parts else options.parts:
        record(part, options.threads, options.seconds)


if __name__ == "__main__":
    main()
