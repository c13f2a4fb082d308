"""What a language model learns from: texts cut into tokens and into parts for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longshort.data.corpus import Corpus, read_corpus
from longshort.data.tokens import Tokenizer, choose_kind
from longshort.errors import InputError
from longshort.tasks.language.config import LanguageConfig, Plan, make_plan

IntArray = NDArray[np.int32]

PARTS = ("training", "validation", "test")
# The validation part comes from so many places of the text, so that nothing of its course is missing in what is learnt
# from; from fewer where a stretch would be shorter than this many characters.
STRETCHES = 10
STRETCH = 1000
# Fewer tokens than this cannot be learnt from or judged by.
LEAST = {"training": 64, "validation": 16, "test": 16}


@dataclass(frozen=True)
class Material:
    """Tokens of every part, and what was made of them.

    Attributes:
        tokenizer: made from the training part.
        training, validation, test: tokens, (N,) each; the test part may be empty.
        characters: of the test part.
        plan: sizes and length of training.
        data: checksums and counts of the texts.
        notes: what was found on reading.
    """

    tokenizer: Tokenizer
    training: IntArray
    validation: IntArray
    test: IntArray
    characters: int
    plan: Plan
    data: dict[str, Any]
    notes: tuple[str, ...]


def read_material(
    source: Any, config: LanguageConfig, *, validation: Any = None, test: Any = None, field: str | None = None
) -> Material:
    """Read texts and cut them.

    Args:
        source, validation, test: as `longshort.data.read_corpus` takes them. Parts that are not given are cut from the
            source: the test from its end, the validation from several places before.
        config: settings.
        field: of JSON Lines, the field with the text.

    Raises:
        InputError: a text cannot be read, or a part is too short.
    """
    given = {"training": source, "validation": validation, "test": test}
    corpora = {part: read_corpus(where, field=field) for part, where in given.items() if where is not None}
    texts = {part: joined(corpus) for part, corpus in corpora.items()}
    kind: Any = config.tokens or choose_kind(len(texts["training"]))
    whole, name = texts["training"], corpora["training"].documents[0].name
    texts.update(_cut(whole, kind, {part: getattr(config, part) for part in PARTS[1:] if part not in texts}))
    if not texts["training"].strip():
        raise InputError(f"{name}: nothing is left to learn from; give a longer text")
    tokenizer = Tokenizer.train([texts["training"]], kind, vocabulary_size=config.vocabulary_size)
    encoded = {part: tokenizer.encode(texts[part]) for part in PARTS}
    ids = {part: e.ids for part, e in encoded.items()}
    for part, least in LEAST.items():
        if len(ids[part]) < least and (part != "test" or config.test > 0 or test is not None):
            raise InputError(
                f"{corpora[part].documents[0].name if part in corpora else name}: the {part} part has {len(ids[part])} "
                f"{kind}, at least {least} are needed: give a longer text"
            )
    plan = make_plan(config, kind, len(tokenizer), *(len(ids[part]) for part in PARTS))
    notes = [note for corpus in corpora.values() for note in corpus.notes]
    if len(corpora["training"].documents) > 1:
        notes.insert(0, f"{len(corpora['training'].documents):,} texts, read one after the other")
    unknown = {part: encoded[part].unknown for part in PARTS[1:]}
    if any(unknown.values()):
        share = max(count / max(len(ids[part]), 1) for part, count in unknown.items())
        notes.append(f"up to {100 * share:.2g} % of the held-out {kind} are not in the vocabulary")
    return Material(
        tokenizer=tokenizer,
        **ids,
        characters=len(texts["test"]),
        plan=plan,
        data={part: corpus.fingerprint() for part, corpus in corpora.items()},
        notes=tuple(notes),
    )


def joined(corpus: Corpus) -> str:
    """All texts, each behind the line end of the one before it."""
    texts: Sequence[str] = [document.text for document in corpus.documents]
    return "".join(t if t.endswith("\n") or k == len(texts) - 1 else t + "\n" for k, t in enumerate(texts))


def _cut(text: str, kind: str, shares: Mapping[str, float]) -> dict[str, str]:
    """The parts of a text of which shares are asked, and what is left as the training part."""
    parts, end = {}, len(text)
    if "test" in shares:
        end = _boundary(text, round(len(text) * (1 - shares["test"])), kind)
        parts["test"] = text[end:]
    pieces = []
    last = 0
    held = shares.get("validation", 0) * len(text)
    count = int(np.clip(held // STRETCH, 1, STRETCHES)) if held else 0
    for k in range(count):
        middle = (k + 0.5) * end / count
        begin, until = (_boundary(text, round(middle + side * held / count / 2), kind) for side in (-1, 1))
        pieces.append((text[last:begin], text[begin:until]))
        last = until
    if pieces:
        parts["validation"] = "".join(held_out for _, held_out in pieces)
    return {"training": "".join(learnt for learnt, _ in pieces) + text[last:end], **parts}


def _boundary(text: str, cut: int, kind: str) -> int:
    """A place to cut a text at, that does not go through a word where words are tokens."""
    if kind in ("characters", "bytes"):
        return cut
    while cut < len(text) and not text[cut - 1].isspace():
        cut += 1
    return cut
