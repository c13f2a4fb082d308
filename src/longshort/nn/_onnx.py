"""Export to ONNX, where each layer and direction of ours becomes one of ONNX's own LSTM, GRU and RNN nodes.

torch.export sees a layer as the operator `longshort::recurrence`; `onnx_table` says what that is in ONNX, and
`export_onnx` is torch.onnx.export with that table and the few things around it that everybody would want. onnx and
onnxscript are imported when they are needed: they are the extra `longshort[onnx]`.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_map

from longshort import ops
from longshort.errors import InputError
from longshort.nn._torch import Counterpart

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram


class _Node(NamedTuple):
    """ONNX's node for one of our cells: its type, its order of the gates, and attributes that all have."""

    kind: str
    gates: tuple[str, ...]
    attributes: Mapping[str, Any]


_LSTM = _Node("LSTM", ("i", "o", "f", "g"), {})
_NODES = {
    **dict.fromkeys(("lstm", "peephole_lstm", "coupled_lstm", "coupled_peephole_lstm"), _LSTM),
    "gru": _Node("GRU", ("z", "r", "n"), {"linear_before_reset": 1}),
    "rnn_tanh": _Node("RNN", ("h",), {"activations": ["Tanh"]}),
    "rnn_relu": _Node("RNN", ("h",), {"activations": ["Relu"]}),
}
_PEEPHOLES = ("i", "o", "f")  # ONNX's order of them
# The operator's tensors that such a node can take.
_TENSORS = ("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr", "w_ch", "lengths")
_INT32, _INT64 = 6, 7  # ONNX's numbers of the types


def export_onnx(
    model: nn.Module,
    args: tuple[Any, ...],
    path: str | os.PathLike[str] | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    **options: Any,
) -> ONNXProgram:
    """Export a model that has our layers in it, or one of the layers itself, as it is in evaluation.

    The model keeps its training mode, and may be given on any backend: the export is the same.

    Args:
        model: on the CPU, in float32; float64 can be exported, but onnxruntime does not run such recurrent nodes.
        args: an example of the inputs, with which `model(*args, **kwargs)` is run once.
        path: the file to write, if it is to be written.
        kwargs: an example of the inputs that are given by name, such as `lengths`.
        dynamic_shapes: the dimensions that may change, as torch.export takes them; None for all that the model does not
            fix, among them the batch and the time.
        input_names: names for the inputs, in order.
        output_names: names for the outputs, in order.
        options: further ones of torch.onnx.export.

    Returns:
        What torch.onnx.export returns: `.save(path)` writes it, `.model_proto` is the model.

    Raises:
        InputError: onnx or onnxscript is not installed, longshort has no compiled core, or a layer cannot be a node of
            ONNX: its weights are elsewhere or of another type, or it is given a PackedSequence.
    """
    table = onnx_table()
    kwargs = kwargs or {}
    with _as_in_evaluation(model), _checked(model), ops.use_backend("core"), torch.no_grad(), _without_remarks():
        _refuse_packed("export_onnx", args, kwargs)
        args, kwargs = tree_map(_own, (args, kwargs))
        model(*args, **kwargs)  # what is wrong with the example is said here, shorter than by the exporter
        if dynamic_shapes is None:
            dynamic_shapes = _all_free(model, args, kwargs)
        try:
            program: ONNXProgram = torch.onnx.export(  # type: ignore[assignment]
                model,
                args,
                kwargs=kwargs,
                dynamic_shapes=dynamic_shapes,
                input_names=input_names,
                output_names=output_names,
                custom_translation_table=table,
                dynamo=True,
                **{"verbose": False, **options},
            )
        except torch.onnx.OnnxExporterError as error:
            ours = _ours(error)
            if ours is None:
                raise
            raise ours from None
    _fold_weights(program)
    _write_fixed_sizes(program)
    if path is not None:
        program.save(path)
    return program


def onnx_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What torch.onnx.export needs to know of our layers: its argument `custom_translation_table`.

    Raises:
        InputError: onnx or onnxscript is not installed, or longshort has no compiled core.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise InputError("to export to ONNX, install onnx and onnxscript: pip install 'longshort[onnx]'") from None
    if not hasattr(torch.ops.longshort, "recurrence"):
        raise InputError(
            "to export to ONNX, longshort needs its compiled core: install a C++ compiler and then longshort once more"
        )
    return {torch.ops.longshort.recurrence.default: _translate}


# -- one layer in one direction ----------------------------------------------------------------------------------------


def _translate(*arguments: Any) -> tuple[Any, ...]:
    """The operator's arguments, tensors as values of the graph, to nodes; gives y, h_n and, for the LSTM, c_n."""
    op = _operators()
    names = [argument.name for argument in torch.ops.longshort.recurrence.default._schema.arguments]
    given = dict(zip(names, arguments, strict=True))
    cell, reverse = given["cell"], given["reverse"]
    if cell not in _NODES:
        raise InputError(f"ONNX has no node for the cell {cell!r}: it cannot be exported")
    node, ours = _NODES[cell], ops.CELLS[cell]
    more = [name for name, value in given.items() if hasattr(value, "shape") and name not in _TENSORS]
    if more:
        raise InputError(f"ONNX's {node.kind} node has no {' and no '.join(more)}: this layer cannot be exported")
    x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, w_ch, lengths = (given[name] for name in _TENSORS)
    hidden = w_ih.shape[0] // len(ours.gates)

    def arrange(weight: Any, have: tuple[str, ...] = ours.gates, want: tuple[str, ...] = node.gates) -> Any:
        """The same rows, with the gates in ONNX's order."""
        if have == want:
            return weight
        if not set(want) <= set(have):
            # Coupled gates, of which i is the first: f = 1 - σ(a) = σ(-a). ONNX's attribute input_forget says the same,
            # but not every runtime knows it.
            weight, have = op.Concat(weight, op.Neg(weight), axis=0), (*have, "f")
        blocks = [range(hidden * k, hidden * (k + 1)) for k in map(have.index, want)]
        return op.Gather(weight, op.Constant(value_ints=[row for block in blocks for row in block]), axis=0)

    w, u = arrange(w_ih), arrange(w_hh)
    peepholes = None if w_ch is None else arrange(w_ch, ours.peepholes, _PEEPHOLES)
    bias = None if b_ih is None else op.Concat(arrange(b_ih), arrange(b_hh), axis=0)
    if w_hr is not None:
        # ONNX has no projection h = W_r m, but then U h = (U W_r) m: a node whose state is m has the same gates. An
        # initial h need be no such product: what U makes of it is added at the first step, as if it were an input.
        if h0 is not None:
            x, w = op.Concat(x, _at_first_step(h0, x, lengths, reverse), axis=2), op.Concat(w, u, axis=1)
            h0 = None
        u = op.MatMul(u, w_hr)

    parts = [w, u, bias, h0, *([c0, peepholes] if "c" in ours.state else [])]
    w, u, bias, *start = (None if part is None else op.Unsqueeze(part, [0]) for part in parts)  # one direction
    count = None if lengths is None else op.Cast(lengths, to=_INT32)
    direction = "reverse" if reverse else "forward"
    make = getattr(op, node.kind)
    y, *final = make(x, w, u, bias, count, *start, hidden_size=hidden, direction=direction, **node.attributes)
    y, hn, *cn = op.Squeeze(y, [1]), *(op.Squeeze(part, [0]) for part in final)
    if w_hr is not None:
        across = op.Transpose(w_hr, perm=[1, 0])
        y, hn = op.MatMul(y, across), op.MatMul(hn, across)
    return y, hn, *cn


def _at_first_step(h0: Any, x: Any, lengths: Any, reverse: bool) -> Any:
    """h0 (B, P) at the step that is computed first, and 0 at all others: (T, B, P)."""
    op = _operators()
    steps = op.Shape(x, start=0, end=1)
    first = op.Constant(value_ints=[0])
    if reverse:
        first = op.Sub(steps if lengths is None else op.Cast(lengths, to=_INT64), [1])
    times = op.Range(0, op.Squeeze(steps, [0]), 1)
    here = op.Equal(op.Unsqueeze(times, [1]), first)
    return op.Where(op.Unsqueeze(here, [2]), op.Unsqueeze(h0, [0]), op.CastLike(0.0, h0))


def _operators() -> Any:
    """ONNX's operators as functions, of the version in which PyTorch's own translations are written."""
    from onnxscript import opset18

    return opset18


# -- around torch.onnx.export ------------------------------------------------------------------------------------------


def _own(value: Any) -> Any:
    """A copy of a tensor: torch.export takes one that is given twice, say as h and c, for one input."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def _all_free(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Let every dimension of every tensor change, unless the model turns out to fix it."""
    arguments = inspect.signature(model.forward).bind(*args, **kwargs).arguments

    def free(value: Any) -> Any:
        return dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) if isinstance(value, Tensor) else None

    shapes: dict[str, Any] = tree_map(free, dict(arguments))
    return shapes


@contextmanager
def _as_in_evaluation(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _checked(model: nn.Module) -> Iterator[None]:
    """Have our layers raise one clear line, each time they run, where they would not become a node."""
    layers = [module for module in model.modules() if isinstance(module, Counterpart)]
    hooks = [layer.register_forward_pre_hook(_check, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    name = type(layer).__name__
    _refuse_packed(name, args, kwargs)
    for weight in layer.parameters():
        if weight.dtype not in (torch.float32, torch.float64) or weight.device.type != "cpu":
            here = f"{weight.dtype} on {weight.device}"
            raise InputError(f"{name}: weights are exported from float32 on cpu, these are {here}: use .float().cpu()")
    if torch.is_autocast_enabled("cpu"):
        raise InputError(f"{name}: a layer under autocast cannot be exported: export without it")


def _refuse_packed(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if any(isinstance(given, PackedSequence) for given in (*args, *kwargs.values())):
        raise InputError(f"{name}: ONNX knows no PackedSequence: give a padded batch and lengths= instead")


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Silence what PyTorch says of its own code, of packages that are not there, and of nothing."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
        # Two inputs that share a dimension, and name it alike, as they should.
        warnings.filterwarnings("ignore", message=r"# The axis name: (.+) will not be used, .* another axis: \1\.$")
        try:
            yield
        finally:
            log.setLevel(level)


def _ours(error: BaseException | None) -> InputError | None:
    """The error of ours behind one of the exporter's, which says it again at length."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def _fold_weights(program: ONNXProgram) -> None:
    """Store weights in ONNX's order, however large: the exporter itself stops at small ones.

    They are the inputs W, R and B of a node, and P of an LSTM.
    """
    from onnxscript.optimizer import fold_constants

    nodes = set()
    kinds = {node.kind for node in _NODES.values()}
    values = [
        value
        for node in program.model.graph
        if node.op_type in kinds
        for value in (*node.inputs[1:4], *node.inputs[7:])
    ]
    while values:
        value = values.pop()
        node = None if value is None else value.producer()
        if node is not None and node not in nodes:
            nodes.add(node)
            values += node.inputs
    fold_constants(program.model, output_size_limit=sys.maxsize, should_fold=lambda node: node in nodes)


def _write_fixed_sizes(program: ONNXProgram) -> None:
    """Write a number where a dimension of an input could have been free and is not."""
    traced = program.exported_program
    ranges = {} if traced is None else traced.range_constraints
    fixed = {str(name): int(each.lower) for name, each in ranges.items() if each.lower == each.upper}
    for value in program.model.graph.inputs:
        if value.shape is not None:
            value.shape = type(value.shape)(fixed.get(str(size), size) for size in value.shape)
