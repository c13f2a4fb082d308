"""Settings of a generation: how the next token is drawn from the network's distribution."""

from __future__ import annotations

from dataclasses import dataclass

from longshort.settings import Settings


@dataclass(frozen=True)
class Sampling(Settings):
    """Settings of a generation.

    Attributes:
        length: tokens at most.
        temperature: the logits are divided by it: below 1 likely tokens become likelier; 0 always takes the likeliest.
        top_k: draw from the k likeliest tokens only.
        top_p: draw from the fewest tokens only that together have this probability (Holtzman et al. 2020).
        repetition_penalty: lowers the logits of tokens that occurred: positive ones are divided by it, negative ones
            multiplied (Keskar et al. 2019); 1 for none.
        stop: texts at which a sample ends; they are left out of it.
        samples: texts to draw side by side.
        seed: of the draws; None for other ones every time.
    """

    length: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] | str = ()
    samples: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        self._whole("length", "samples", least=1)
        self._whole("top_k", least=1, optional=True)
        self._whole("seed", least=0, optional=True)
        self._number("temperature")
        self._number("repetition_penalty", positive=True)
        self._number("top_p", positive=True, optional=True)
        self._need(self.top_p is None or self.top_p <= 1, f"top_p must be at most 1, not {self.top_p}")
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        texts = isinstance(self.stop, tuple | list) and all(isinstance(text, str) and text for text in self.stop)
        self._need(texts, f"stop must be one or several texts that are not empty, not {self.stop!r}")
