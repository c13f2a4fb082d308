"""A transcriber for export: normalised features in, log-probabilities of units out; live, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from longshort.exportable import Exportable, Part, Value
from longshort.sequence.exporting import Carried
from longshort.tasks.transcribe.config import EDGE, Plan, kernel_of
from longshort.tasks.transcribe.features import FLOOR, LOWEST, LogMel
from longshort.tasks.transcribe.network import TranscribeNetwork
from longshort.tasks.transcribe.normalising import LEAST, PRIOR, Prior
from longshort.tasks.transcribe.units import BLANK

if TYPE_CHECKING:
    from longshort.tasks.transcribe.estimator import Transcriber


class Whole(nn.Module):
    """Whole recordings, of unlike length."""

    def __init__(self, network: TranscribeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As `TranscribeNetwork.forward`."""
        logs, steps = self.network(frames, lengths)
        return logs, steps


class Chunk(nn.Module):
    """Some frames of a recording that goes on: T new ones, R that earlier steps left over, C numbers of each."""

    def __init__(self, network: TranscribeNetwork, carried: Carried) -> None:
        super().__init__()
        self.network, self.carried = network, carried

    def forward(self, frames: Tensor, rest: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Frames (T, B, C), the rest (R, B, C) and the state to log-probabilities (S, B, V), the rest and the state."""
        read = torch.cat((rest, frames))
        x, after = self.network.convolve(read), []
        left = read[x.size(0) * self.network.dims.stride :]
        for layer, before in zip(self.network.recurrent, self.carried.split(state), strict=True):
            x, new = layer(x, before if len(before) > 1 else before[0])
            after.append(new if isinstance(new, tuple) else (new,))
        return self.network.emit(x), left, *self.carried.join(tuple(after))


def exportable(model: Transcriber) -> Exportable:
    """The network of a transcriber, what makes features of a sound, and the units."""
    fitted, plan = model.fitted, model.fitted.plan
    stride, kernel = plan.stride, kernel_of(plan.stride)
    how = [
        "features.json says how a sound becomes frames, as longshort/tasks/transcribe/features.py and normalising.py "
        "do it; frames that come before the sound and after it are zeros, normalised.",
        f"The likeliest unit of every step, what repeats taken once and {BLANK} (blank) left out, is the text: their "
        "pieces by units.json, one after the other. Beam search sums over paths (CTC).",
    ]
    if plan.live:
        how += [
            "Frames go in as they come. What comes out under a name with _n goes in again under that name; rest is "
            f"{EDGE} frames of zeros at the beginning, and {EDGE} more are the last frames of a recording.",
            f"A step reads {kernel} frames and goes on by {stride}: rest and frames together must be {kernel} or more, "
            f"which any {stride} new ones are.",
        ]
        part = _live_part(fitted.network, model.config.cell)
    else:
        part = _whole_part(fitted.network)
    files = {
        "features.json": _features(plan, fitted.prior),
        "units.json": {"blank": BLANK, "pieces": fitted.units.pieces},
        "tokenizer.json": fitted.units.to_json(),
    }
    return Exportable({"network": part}, how, files)


def _whole_part(network: TranscribeNetwork) -> Part:
    dims = network.dims

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, steps + 1, (batch,), generator=drawn)
        lengths[-1] = steps
        frames = torch.randn((steps, batch, dims.inputs), generator=drawn)
        return frames * (torch.arange(steps)[:, None] < lengths).unsqueeze(-1), lengths

    return Part(
        module=Whole(network).eval(),
        inputs=(
            Value("frames", ("frames", "batch", dims.inputs), "normalised features; 0 behind the end"),
            Value("lengths", ("batch",), "frames of each recording, from 1"),
        ),
        outputs=(
            Value("log_probabilities", ("steps", "batch", dims.units), "of every unit"),
            Value("steps", ("batch",), "steps of each recording"),
        ),
        example=example,
    )


def _live_part(network: TranscribeNetwork, cell: str) -> Part:
    dims = network.dims
    carried = Carried(cell, dims.num_layers, dims.hidden_size)

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn, left = torch.Generator().manual_seed(0), kernel_of(dims.stride) - dims.stride + steps % dims.stride
        frames, rest = (
            torch.randn((size, batch, dims.inputs), generator=drawn) for size in (steps * dims.stride, left)
        )
        return frames, rest, *carried.example(batch, drawn)

    rest = ("rest", "batch", dims.inputs)
    return Part(
        module=Chunk(network, carried).eval(),
        inputs=(
            Value("frames", ("frames", "batch", dims.inputs), "normalised features of what is new"),
            Value("rest", rest, f"frames that the steps before left over, {EDGE} of zeros at the beginning"),
            *carried.inputs,
        ),
        outputs=(
            Value("log_probabilities", ("steps", "batch", dims.units), "of every unit"),
            Value("rest_n", ("left", *rest[1:]), "frames that these steps leave over, to go on from"),
            *carried.outputs,
        ),
        example=example,
    )


def _features(plan: Plan, prior: Prior) -> dict[str, Any]:
    """All numbers by which sound becomes normalised frames; sizes in samples, frequencies in Hz."""
    found: dict[str, Any] = {
        "inputs": plan.features.inputs,
        "hop_seconds": plan.features.hop,
        "stride": plan.stride,
        "kernel": kernel_of(plan.stride),
        "edge": EDGE,
        "normalise": plan.normalise,
        "prior": {"frames": PRIOR, **prior.to_json()},
        "least_deviation": LEAST,
        "log_mel": None,
    }
    if plan.features.rate:
        made = LogMel(plan.features.rate, plan.features.inputs)
        found["log_mel"] = {
            "sample_rate": made.rate,
            "mels": made.mels,
            "window": made.window,
            "hop": made.hop,
            "fft": made.size,
            "taper": "periodic Hann",
            "lowest": LOWEST,
            "floor": FLOOR,
        }
    return found
