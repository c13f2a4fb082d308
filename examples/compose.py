"""Learn from made-up folk tunes, compare with a Markov chain, write a tune and go on from another, save and load."""

import tempfile
from pathlib import Path

import numpy as np

from longshort import Composer
from longshort.data.midi import score_of

rng = np.random.default_rng(0)
scale = np.array([62, 64, 66, 67, 69, 71, 73, 74])

with tempfile.TemporaryDirectory() as name:
    folder = Path(name) / "tunes"
    folder.mkdir()
    for k in range(40):  # walks along the scale of D, eighths and quarters; any folder of MIDI files will do
        steps = np.abs(np.cumsum(rng.choice([-1, 0, 1, 2], 32))) % len(scale)
        longs = rng.choice([0.5, 1.0], 32)
        starts = np.cumsum(longs) - longs
        notes = np.stack([starts, longs, scale[steps] + k % 3, np.zeros(32)], axis=1)
        score_of(notes, tempo=100.0).dump_midi(folder / f"{k:02}.mid")

    model = Composer(hidden_size=32, num_layers=1, steps=120, tunes=4, bars=4, learning_rate=0.01).fit(folder)
    print(model.evaluate().verdict)

    tune = model.compose(bars=8, key="D", temperature=0.8, tempo=100, seed=0)
    tune.write(folder / "new.mid")  # .wav to hear, .svg to see
    print(f"{len(tune.notes)} notes, {tune.seconds:.0f} seconds")
    print(model.predict(folder / "00.mid", k=3))

    model.save(folder / "run")
    again = Composer.load(folder / "run")
    more = again.compose(folder / "00.mid", bars=2, key="kept", seed=0)
    assert (more.notes == model.compose(folder / "00.mid", bars=2, key="kept", seed=0).notes).all()
