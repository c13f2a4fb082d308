"""A composer for export: tokens or frames and a state in, what comes next and the next state out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from longshort.data.rolls import LOWEST
from longshort.exportable import Exportable, Part, Value
from longshort.sequence.exporting import Carried, Reader, tokens_part
from longshort.sequence.network import LanguageNetwork
from longshort.tasks.compose.network import FrameNetwork
from longshort.tasks.compose.pieces import TokenEncoding

if TYPE_CHECKING:
    from longshort.tasks.compose.estimator import Composer


def exportable(model: Composer) -> Exportable:
    """The network of a composer, and its vocabulary, or what its frames are."""
    fitted = model.fitted
    network, encoding = fitted.network, fitted.encoding
    if isinstance(network, LanguageNetwork):
        assert isinstance(encoding, TokenEncoding)
        begin, end = encoding.tokens.begin, encoding.tokens.end
        how: tuple[str, ...] = (
            "tokenizer.json names the tokens of miditok's REMI in the order of their numbers.",
            f"A tune begins with token {begin} and ends when token {end} comes.",
            "Which tokens may follow which is told in longshort/data/music_tokens.py; the network has only learnt it.",
        )
        files = {"tokenizer.json": encoding.tokens.to_json()}
        return Exportable({"network": tokens_part(network, model.config.cell)}, how, files)
    how = (
        "A frame holds 1 for the keys that sound and 0 for the others; rolls.json says how long it lasts, and the MIDI "
        "pitch of the first key.",
        "Given the frames so far, the keys of the next one are independent, each with probability "
        "1 / (1 + exp(-log_odds)). The first frame of a tune is given.",
    )
    frame = {"keys": encoding.size, "lowest_pitch": LOWEST, "quarter_notes_per_frame": model.config.frame}
    return Exportable({"network": _frames_part(network, model.config.cell)}, how, {"rolls.json": frame})


def _frames_part(network: FrameNetwork, cell: str) -> Part:
    keys, layers = network.output.out_features, network.recurrent
    carried = Carried(cell, len(layers), layers[0].hidden_size)

    def example(batch: int, steps: int) -> tuple[Tensor, ...]:
        drawn = torch.Generator().manual_seed(0)
        frames = (torch.rand((steps, batch, keys), generator=drawn) < 0.1).float()
        return frames, *carried.example(batch, drawn)

    shape = ("steps", "batch", keys)
    return Part(
        module=Reader(network, network, carried).eval(),
        inputs=(Value("frames", shape, "which keys sound"), *carried.inputs),
        outputs=(Value("log_odds", shape, "of every key in the frame after each one"), *carried.outputs),
        example=example,
    )
