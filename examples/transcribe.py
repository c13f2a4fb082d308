"""Write down what is said, live: three "words" that are tones, so that nothing has to be fetched."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from longshort import Transcriber

RATE = 8_000
TONES = {"ding": 350, "dong": 900, "deng": 2200}
rng = np.random.default_rng(0)


def said(words: Iterable[str]) -> Any:
    parts = []
    for word in words:
        time = np.arange(int(RATE * rng.uniform(0.2, 0.3))) / RATE
        parts += [0.4 * np.sin(2 * np.pi * TONES[word] * time) * np.hanning(len(time)), np.zeros(1_000)]
    sound = np.concatenate(parts)
    return sound + 0.002 * rng.standard_normal(len(sound))


with tempfile.TemporaryDirectory() as folder:
    for k in range(120):
        words = rng.choice(list(TONES), rng.integers(1, 4))
        soundfile.write(Path(folder, f"{k}.wav"), said(words), RATE)
        Path(folder, f"{k}.txt").write_text(" ".join(words))
    # Tones are no voices: what tells them apart must not be blurred.
    clear = {"stretch": 0.0, "warp": 0.0, "noise": 0.0, "frequency_masks": 0, "time_masks": 0}
    small = {"hidden_size": 24, "num_layers": 1, "steps": 300, "batch_size": 8, "learning_rate": 1e-2}
    model = Transcriber(live=True, units="words", **small, **clear)
    model.fit(folder)

print(model.evaluate().verdict)
sound = said(["ding", "deng", "dong"])
live = model.live(rate=RATE)
for begin in range(0, len(sound), 800):
    print(f"{begin / RATE:.1f} s: {live.feed(sound[begin : begin + 800]).text}")
for word in live.finish().words:
    print(f"{word.text}: {word.start:.2f} to {word.end:.2f} s")
