"""How each of the built-in tasks is trained, the same for all cells: sizes, steps, and what the networks begin with."""

from __future__ import annotations

from dataclasses import dataclass

from longshort.study.network import Start


@dataclass(frozen=True)
class Recipe:
    """One task's.

    Attributes:
        least: the shortest lag; 0 where there is none to choose.
        lag: the usual one.
        hidden_size: units of the first cell.
        steps, batch_size, learning_rate: of AdamW with a cosine to 0.
        forget_bias: of the gate that keeps the state; None for chrono initialisation up to the lag.
        first, growth, mastered, review: of the curriculum; see `Curriculum`.
        wide: so many times as many sequences there may be in batches of short lags, which cost little.
        averaging: decay of the moving average of the weights.
        precision, accelerator: Lightning's.
    """

    least: int
    lag: int
    hidden_size: int
    steps: int
    batch_size: int
    learning_rate: float
    forget_bias: float | None = None
    first: int = 10
    growth: float = 2.0
    mastered: float = 0.95
    review: float = 0.2
    wide: int = 1
    averaging: float = 0.99
    precision: str = "32-true"
    accelerator: str = "cpu"

    def start(self, cell: str, lag: int) -> Start:
        """What a cell begins with: what the field knows to help it remember for so many steps.

        Gates that keep the state begin open, the recurrent weights of all cells are orthogonal, those of an RNN with
        ReLU the identity (Le, Jaitly & Hinton 2015).
        """
        if cell == "rnn-relu":
            return Start(identity=True)
        if cell == "rnn":
            return Start(orthogonal=True)
        if self.forget_bias is not None:
            return Start(forget_bias=self.forget_bias, orthogonal=True)
        return Start(chrono=max(3, lag), orthogonal=True)


IMAGES = Recipe(
    least=0,
    lag=784,
    hidden_size=128,
    steps=25_000,
    batch_size=128,
    learning_rate=2e-3,
    averaging=0.999,
    precision="bf16-mixed",
)
RECIPES: dict[str, Recipe] = {
    "adding": Recipe(
        least=2,
        lag=600,
        hidden_size=32,
        steps=4000,
        batch_size=32,
        learning_rate=4e-2,
        first=50,
        growth=4.0,
        mastered=0.99,
    ),
    "copy": Recipe(
        least=1,
        lag=1000,
        hidden_size=128,
        steps=10_000,
        batch_size=32,
        learning_rate=1e-2,
        forget_bias=4.0,
        mastered=0.98,
        review=0.6,
        wide=2,
        precision="bf16-mixed",
    ),
    "order": Recipe(least=10, lag=300, hidden_size=32, steps=2000, batch_size=32, learning_rate=1e-2),
    "recall": Recipe(least=1, lag=300, hidden_size=32, steps=1500, batch_size=32, learning_rate=1e-2),
    "mnist": IMAGES,
    "permuted-mnist": IMAGES,
}
