"""The gates and states of the cells: what they are called, what they mean, and how long they keep something."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from longshort.wording import number

FloatArray = NDArray[np.float64]

# Of each cell its gates and states in the order of computing them: name, whether between 0 and 1, and what it means.
MEANINGS: dict[str, dict[str, tuple[str, bool, str]]] = {
    "lstm": {
        "i": ("input gate", True, "How much of the candidate is written into the cell: 0 nothing, 1 all of it."),
        "f": ("forget gate", True, "Multiplies the old cell state: 1 keeps it whole, 0 erases it."),
        "g": ("cell candidate", False, "What there is to write, between −1 and 1."),
        "o": ("output gate", True, "How much of the cell is let out into the hidden state."),
        "c": (
            "cell state",
            False,
            "c′ = f ⊙ c + i ⊙ g: what the forget gate left of the old state, and the gated candidate is added to it. "
            "Long streaks of one colour are long memory.",
        ),
        "h": ("hidden state", False, "h′ = o ⊙ tanh(c′): what the rest of the network gets to see."),
    },
    "gru": {
        "r": ("reset gate", True, "How much of the old hidden state goes into the candidate: 0 none, 1 all of it."),
        "z": (
            "update gate",
            True,
            "Multiplies the old hidden state: 1 keeps it whole, 0 replaces it by the candidate.",
        ),
        "n": ("candidate", False, "What there is to put in the place of the old state, between −1 and 1."),
        "h": ("hidden state", False, "h′ = (1 − z) ⊙ n + z ⊙ h: memory and output in one."),
    },
    "rnn": {
        "h": (
            "hidden state",
            False,
            "h′ = tanh(W x + U h + b): no gate protects it, so it is rewritten at every step.",
        ),
    },
}
# The gate that multiplies the old state.
KEEPERS = {"lstm": "f", "gru": "z"}
# Timescales that are longer cannot be told apart in float32.
LONGEST = 1e6


def timescales(gate: FloatArray) -> FloatArray:
    """Of each unit the timescale in steps, −1 / mean(ln f), from the gate that multiplies its state, (…, H), (H,).

    Over n steps the product of the gates leaves e^(−n / timescale) of what was stored.
    """
    decay = -np.log(np.clip(gate, 1e-12, 1.0)).reshape(-1, gate.shape[-1]).mean(0)
    found: FloatArray = 1 / np.maximum(decay, 1 / LONGEST)
    return found


def memory(cell: str, states: Mapping[str, FloatArray], width: int = 1, step: str = "step of the data") -> str:
    """How long the layer remembers, read from the gate that multiplies its state, in a sentence.

    Args:
        cell: "lstm", "gru" or "rnn".
        states: gate or state -> its values, (T, H).
        width: steps of the data in one step of the layer.
        step: what a step of the data is called.
    """
    if cell not in KEEPERS:
        return "A plain RNN has no gate: its hidden state is all it has."
    key = KEEPERS[cell]
    mean = np.clip(states[key].mean(0), 1e-6, 1 - 1e-6)
    half = width * np.log(0.5) / np.log(mean)
    steps = step.replace(step.split()[0], f"{step.split()[0]}s", 1)
    return (
        f"The {MEANINGS[cell][key][0]} of the median unit is {float(np.median(mean)):.2f} on average: left alone, it "
        f"halves what is stored every {number(float(np.median(half)), 2)} {steps}; for the tenth of the "
        f"units that remembers longest it is every {number(float(np.quantile(half, 0.9)), 2)} or more."
    )
