"""Learn to translate a made-up language, summarise notes and hold a small conversation; save, load, answer again."""

import tempfile
from pathlib import Path

import numpy as np

from longshort import Chatbot, Summarizer, Translator

rng = np.random.default_rng(0)

# English into a language in which adjectives follow nouns and verbs come last. Two aligned files work as well.
NOUNS = {"dog": "hundo", "cat": "kato", "bird": "birdo", "horse": "cevalo", "child": "infano", "man": "viro"}
ADJECTIVES = {"red": "ruga", "small": "eta", "old": "olda", "happy": "gaja", "white": "blanka"}
VERBS = {"sees": "vidas", "loves": "amas", "follows": "sekvas", "hears": "audas"}


def sentence() -> tuple[str, str]:
    (a, b), (v,) = rng.choice(list(NOUNS), 2), rng.choice(list(VERBS), 1)
    x, y = rng.choice(list(ADJECTIVES), 2)
    return f"The {x} {a} {v} the {y} {b}.", f"La {NOUNS[a]} {ADJECTIVES[x]} la {NOUNS[b]} {ADJECTIVES[y]} {VERBS[v]}."


small = {"hidden_size": 64, "embedding_size": 32, "learning_rate": 0.01, "beam": 3}
translator = Translator(**small, steps=250, batch_tokens=600).fit([sentence() for _ in range(1000)])
print(translator.evaluate().verdict)
print(translator.predict(["The old horse sees the white bird."], n_best=2))
alignment = translator.align("The old horse sees the white bird.")
for token, weights in zip(alignment.answer, alignment.weights, strict=True):
    print(f"{token:>10} looks at {alignment.source[int(weights.argmax())]}")


# Notes and their subjects; what was never seen before can be copied. A table with two columns works as well.
def note() -> tuple[str, str]:
    number, day = rng.integers(100, 999), rng.choice(["Monday", "Tuesday", "Friday"])
    what = rng.choice(["invoice", "meeting", "contract"])
    return f"Dear all, please note that {what} {number} is due on {day}. Thank you.", f"{what} {number} {day}"


summarizer = Summarizer(**small, steps=250, batch_tokens=1000).fit([note() for _ in range(1000)])
print(summarizer.evaluate().verdict)
print(summarizer.predict(["Dear all, please note that contract 271 is due on Monday. Thank you."]))


# Conversations: the second reply needs what was said first.
def talk() -> list[str]:
    city, food = rng.choice(["Rome", "Oslo", "Lima", "Cairo"]), rng.choice(["fish", "bread", "soup"])
    return [f"I am in {city}.", "What do you want to eat?", f"Some {food}, please.", f"There is {food} in {city}."]


chatbot = Chatbot(**small, steps=200, batch_tokens=1000).fit([talk() for _ in range(400)])
print(chatbot.evaluate().verdict)
print(chatbot.reply(["I am in Lima.", "What do you want to eat?", "Some soup, please."]))

with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "chat"
    chatbot.save(run)
    again = Chatbot.load(run)
    assert again.reply(["I am in Oslo."]) == chatbot.reply(["I am in Oslo."])
