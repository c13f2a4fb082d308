"""Draws every figure of the lesson.

python docs/learn/figures.py                    all of them; two minutes, most of them for the one that trains
python docs/learn/figures.py cell fading        some of them
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from numpy.typing import NDArray

from longshort.nn import LSTM, RNN
from longshort.study import study_gradients

IMAGES = Path(__file__).parent / "images"
INK, SOFT, BLUE, ORANGE, GREEN, RED = "#1c2733", "#7a8794", "#2468a2", "#c8731a", "#2e8b57", "#b23a48"
STYLE = {
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "svg.hashsalt": "longshort",
}


def cell() -> Figure:
    """One step of an LSTM cell."""
    figure, ax = plt.subplots(figsize=(8, 4.6))
    ax.set(xlim=(0, 16), ylim=(0, 9.2))
    ax.axis("off")
    ax.add_patch(FancyBboxPatch((2, 1.2), 12, 7, boxstyle="round,pad=0.1", fc="#f3f6f9", ec=SOFT))

    def arrow(start: tuple[float, float], end: tuple[float, float], color: str = INK, width: float = 1.4) -> None:
        style = {"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, start, arrowprops=style)

    def line(*points: tuple[float, float], color: str = INK, width: float = 1.4) -> None:
        ax.plot(*zip(*points, strict=True), color=color, lw=width, solid_capstyle="butt")

    def knot(x: float, y: float, sign: str) -> None:
        ax.add_patch(Circle((x, y), 0.38, fc="white", ec=INK, lw=1.4, zorder=3))
        ax.text(x, y, sign, ha="center", va="center", fontsize=13, zorder=4)

    def gate(x: float, name: str, function: str, color: str) -> None:
        ax.add_patch(FancyBboxPatch((x - 0.8, 2.9), 1.6, 0.8, boxstyle="round,pad=0.05", fc="white", ec=color, lw=2))
        ax.text(x, 3.3, f"{name} = {function}", ha="center", va="center", fontsize=10, zorder=4)
        arrow((x, 2.0), (x, 2.85))

    # The cell state along the top: multiplied, added to, nothing else.
    arrow((0.4, 7.3), (4.1, 7.3), BLUE, 3)
    arrow((4.9, 7.3), (7.6, 7.3), BLUE, 3)
    arrow((8.4, 7.3), (15.6, 7.3), BLUE, 3)
    ax.text(0.4, 7.65, "$c_{t-1}$", fontsize=14, color=BLUE)
    ax.text(15.1, 7.65, "$c_t$", fontsize=14, color=BLUE)
    knot(4.5, 7.3, "×")
    knot(8, 7.3, "+")
    knot(8, 5.4, "×")
    knot(12.4, 4.6, "×")
    gate(4.5, "f", "σ", RED)
    gate(6.9, "i", "σ", GREEN)
    gate(9.1, "g", "tanh", SOFT)
    gate(11.2, "o", "σ", ORANGE)
    arrow((4.5, 3.75), (4.5, 6.9))
    line((6.9, 3.75), (6.9, 5.4))
    arrow((6.9, 5.4), (7.6, 5.4))
    line((9.1, 3.75), (9.1, 5.4))
    arrow((9.1, 5.4), (8.4, 5.4))
    arrow((8, 5.8), (8, 6.9))
    line((12.4, 7.3), (12.4, 6.6))
    ax.add_patch(FancyBboxPatch((11.85, 5.85), 1.1, 0.6, boxstyle="round,pad=0.05", fc="white", ec=INK, lw=1.2))
    ax.text(12.4, 6.15, "tanh", ha="center", va="center", fontsize=10)
    arrow((12.4, 5.8), (12.4, 5.0))
    line((11.2, 3.75), (11.2, 4.6))
    arrow((11.2, 4.6), (12.0, 4.6))
    line((12.8, 4.6), (13.5, 4.6), (13.5, 2.0))
    arrow((13.5, 2.0), (15.6, 2.0))
    ax.text(15.0, 2.3, "$h_t$", fontsize=14)
    line((0.4, 2.0), (11.2, 2.0))
    ax.text(0.4, 2.3, "$h_{t-1}$", fontsize=14)
    arrow((3, 0.3), (3, 2.0))
    ax.text(3.2, 0.4, "$x_t$", fontsize=14)
    ax.text(5.0, 6.2, "what to keep", color=RED, fontsize=9)
    ax.text(8.5, 6.2, "what to add", color=GREEN, fontsize=9)
    ax.text(13.0, 5.2, "what to show", color=ORANGE, fontsize=9)
    return figure


def fading() -> Figure:
    """One pulse at the beginning: what is left of it in a plain RNN, and in a cell state."""
    steps = 60
    pulse = torch.zeros(steps, 1, 1)
    pulse[0] = 1.0
    figure, ax = plt.subplots(figsize=(7, 3.4))
    for weight, color in ((0.5, SOFT), (0.9, ORANGE), (1.1, RED)):
        h = _plain_memory(pulse, weight)
        ax.plot(h / h[0], color=color, label=f"plain RNN, recurrent weight {weight}")
    for forget, color, style in ((0.9, BLUE, "--"), (0.99, BLUE, "-")):
        c = _cell_memory(pulse, forget)
        ax.plot(c / c[0], color=color, ls=style, label=f"LSTM's cell state, forget gate {forget}")
    ax.set(xlabel="steps since the pulse", ylabel="what is left of it", ylim=(0, None), xlim=(0, steps - 1))
    ax.legend(fontsize=9)
    return figure


def _plain_memory(pulse: torch.Tensor, weight: float) -> NDArray[np.float32]:
    """h of one unit, h' = tanh(weight h + x), (T,)."""
    layer = RNN(1, 1, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_hh_l0.fill_(weight)
        return np.asarray(layer(pulse)[0][:, 0, 0])


def _cell_memory(pulse: torch.Tensor, forget: float) -> NDArray[np.float32]:
    """c of one unit whose forget gate stands still, its input gate open and its candidate tanh(x), (T,)."""
    layer = LSTM(1, 1)
    opened = 20.0
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_ih_l0[2] = 1.0  # the candidate reads x
        layer.bias_ih_l0.copy_(torch.tensor([opened, float(np.log(forget / (1 - forget))), 0.0, opened]))
        return np.asarray(layer.trace(pulse).c[0, 0, :, 0, 0])


def gradients() -> Figure:
    """How much of the gradient arrives k steps back, before any training."""
    study = study_gradients(lag=100, hidden_size=64, steps=0)
    wanted = {
        "RNN, tanh, PyTorch's": (SOFT, "-"),
        "RNN, tanh, orthogonal": (ORANGE, "-"),
        "GRU, PyTorch's": (GREEN, "-"),
        "LSTM, forget bias 0": (BLUE, ":"),
        "LSTM, forget bias 1": (BLUE, "--"),
        "LSTM, chrono 100": (BLUE, "-"),
    }
    figure, ax = plt.subplots(figsize=(7, 3.8))
    for course in study.before:
        if course.name in wanted:
            color, style = wanted.pop(course.name)
            ax.semilogy(course.flow.state, color=color, ls=style, label=course.name)
    assert not wanted, f"the study has no {', '.join(wanted)}"
    ax.set(xlabel="steps back from the loss", ylabel="gradient, as a share of that at the loss", ylim=(1e-12, 10))
    ax.legend(fontsize=9)
    return figure


def gates(steps: int = 600) -> Figure:
    """An LSTM that learnt to remember one letter among others: its gates while it does."""
    length, units, shown = 50, 16, 12
    layer, readout = train_letters(length, units, steps)
    letters, answers = draw_letters(length, 512, torch.Generator().manual_seed(1))
    # The same with the letter that counts at one place, for the picture.
    placed = letters.clone()
    placed[placed < 4] = 4
    placed[shown] = answers
    with torch.no_grad():
        right = float((read(layer, readout, letters).argmax(-1) == answers).double().mean())
        trace = layer.trace(torch.eye(9)[placed])
    # The unit whose cell state just before the question tells the letters apart best, for its spread among equal ones.
    before = trace.c[0, 0, -2]
    groups = [before[answers == k] for k in range(4)]
    between = torch.stack([group.mean(0) for group in groups]).std(0)
    within = torch.stack([group.std(0) for group in groups]).mean(0)
    unit = int((between / within.clamp(min=1e-3)).argmax())
    figure, axes = plt.subplots(3, 1, figsize=(7, 5.6), sharex=True, height_ratios=(1, 1, 1.3))
    curves = {"forget gate f": trace.f, "input gate i": trace.i, "cell state c": trace.c}
    for ax, (name, values) in zip(axes, curves.items(), strict=True):
        for k, color in enumerate((BLUE, ORANGE, GREEN, RED)):
            chosen = (answers == k).nonzero()[:4, 0]
            ax.plot(values[0, 0][:, chosen, unit], color=color, lw=1, alpha=0.7)
        ax.axvline(shown, color=SOFT, lw=0.8, ls=":")
        ax.set(ylabel=name, ylim=None if name.startswith("cell") else (-0.05, 1.05))
    for letter, color in zip("ABCD", (BLUE, ORANGE, GREEN, RED), strict=True):
        axes[2].plot([], [], color=color, label=letter)
    axes[2].set(xlabel=f"step: a letter from A to D comes at {shown}, the question at {length}, others in between")
    axes[2].legend(fontsize=9, ncols=4, loc="best")
    axes[0].set_title(f"unit {unit} of {units}; the network answers {100 * right:.0f} % right", fontsize=10)
    return figure


def draw_letters(length: int, count: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Letters E to H, among them one from A to D at a random place of the first half, then a question: (length + 1, B).

    Letters are numbers from 0, the question is 8. The answers, (B,), say which of A to D it was.
    """
    letters = torch.randint(4, 8, (length + 1, count), generator=rng)
    answers = torch.randint(4, (count,), generator=rng)
    letters[torch.randint(length // 2, (count,), generator=rng), torch.arange(count)] = answers
    letters[-1] = 8
    return letters, answers


def read(layer: LSTM, readout: torch.nn.Linear, letters: torch.Tensor) -> torch.Tensor:
    """Scores of the four answers, (B, 4)."""
    y, _ = layer(torch.eye(9)[letters])
    scores: torch.Tensor = readout(y[-1])
    return scores


def train_letters(length: int, units: int, steps: int) -> tuple[LSTM, torch.nn.Linear]:
    """Short sequences first, then longer ones."""
    torch.manual_seed(0)
    layer, readout = LSTM(9, units, forget_bias=2.0), torch.nn.Linear(units, 4)
    parameters = [*layer.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    rng = torch.Generator().manual_seed(0)
    for step in range(steps):
        letters, answers = draw_letters(min(length, 4 + 2 * length * step // steps), 64, rng)
        loss = torch.nn.functional.cross_entropy(read(layer, readout, letters), answers)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return layer, readout


FIGURES: dict[str, Callable[..., Figure]] = {
    "cell": cell,
    "fading": fading,
    "gradients": gradients,
    "gates": gates,
}


def draw(name: str, folder: Path, **options: Any) -> Path:
    """Draw one figure as SVG; the same numbers give the same file."""
    with mpl.rc_context(STYLE):
        figure = FIGURES[name](**options)
        path = folder / f"{name}.svg"
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*FIGURES, []], default=[], metavar="NAME")
    for name in parser.parse_args().names or FIGURES:
        print(draw(name, IMAGES))
