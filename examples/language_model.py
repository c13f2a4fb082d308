"""Learn a tiny language from made-up sentences, compare with counts, ask, write, save and load."""

import tempfile
from pathlib import Path

import numpy as np

from longshort import LanguageModel
from longshort.data import Corpus

# A thousand sentences of a small grammar. A path to a text file, a list of paths or a folder works as well.
rng = np.random.default_rng(0)
voices = {"cat": "meows", "dog": "barks", "bird": "sings", "cow": "moos"}
animals = rng.choice(list(voices), 1000)
text = Corpus.of(["".join(f"the {animal} always {voices[animal]}.\n" for animal in animals)])

# Dropout is for languages that are harder to learn by heart.
dropout = {f"{what}_dropout": 0.0 for what in ("word", "input", "output", "weight")}
model = LanguageModel(tokens="words", hidden_size=32, window=20, steps=250, learning_rate=0.02, **dropout).fit(text)
print(model.evaluate().verdict)
print(model.next("the dog always", k=2))
print(model.generate("the bird", temperature=0.5, stop="\n", seed=0))

with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "grammar"
    model.save(run)
    again = LanguageModel.load(run)
    assert again.score("the cow always moos.").equals(model.score("the cow always moos."))
