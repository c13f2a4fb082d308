"""What a classifier learns from: examples in parts for training, validation and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from longshort.data.examples import Sequences, Texts
from longshort.data.splits import stratified_split
from longshort.errors import InputError
from longshort.tasks.classify.config import ClassifyConfig, Plan, make_plan
from longshort.tasks.classify.encoder import Encoder
from longshort.tasks.classify.examples import Examples, Labelled, check_fits, examples_of, kind_of, read
from longshort.tasks.classify.numbers import NumberEncoder
from longshort.tasks.classify.words import WordEncoder

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Material:
    """Examples of every part, and what was made of them.

    Attributes:
        parts: "training", "validation" and "test"; the test part may be empty.
        columns: how later files are read: text, id, step and channels, as `read_labelled` takes them.
        label: column of labels as it was named, or None.
        channels: names of the channels; () for texts.
        encoder: made from the training part.
        plan: sizes and length of training.
        data: checksums and counts of the examples.
        notes: what was found on reading.
    """

    parts: dict[str, Examples]
    columns: dict[str, Any]
    label: str | None
    channels: tuple[str, ...]
    encoder: Encoder
    plan: Plan
    data: dict[str, Any]
    notes: tuple[str, ...]


def read_material(
    source: Any,
    config: ClassifyConfig,
    *,
    validation: Any = None,
    test: Any = None,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    step: str | None = None,
    channels: str | Sequence[str] | None = None,
) -> Material:
    """Read examples and cut them into parts.

    Args:
        source, validation, test: paths or tables as `longshort.data.labelled.read_labelled` takes them. Parts that are
            not given are cut from the source, each class by its share.
        config: settings.
        text, label, id, step, channels: columns, as `read_labelled` takes them; those that are not given are found.

    Raises:
        InputError: examples cannot be read, a part has a label that the source lacks, or too few are left.
    """
    check_scikit_learn()
    columns = {"text": text, "id": id, "step": step, "channels": channels or None}
    found = read(source, {**columns, "label": label}, need_labels=True)
    assert found.labels is not None
    if isinstance(found, Sequences) and not _nameless(found):
        columns["channels"] = list(found.channels)
    kind = kind_of(found)
    known = found.channels if isinstance(found, Sequences) else ()
    classes = _in_order(found.labels)
    parts = {"training": examples_of(found, classes)}
    notes = list(found.notes)
    for part, where in {"validation": validation, "test": test}.items():
        if where is not None:
            other = read_part(where, columns, label)
            check_fits(other, kind, known)
            parts[part] = examples_of(other, classes)
            notes += [f"{part}: {note}" for note in other.notes if note not in notes]
    data = {part: examples.fingerprint() for part, examples in parts.items()}
    parts = _cut(parts, found, config)
    counts = Counter(found.labels)
    notes += [f"class {name!r} has 1 example: too few to learn it" for name in classes if counts[name] == 1]
    encoder = _encoder(parts["training"], kind, config)
    plan = make_plan(config, kind, classes, encoder.inputs, *(len(parts[part]) for part in PARTS))
    cut = encoder.encode([content for part in PARTS for content in parts[part].content]).cut
    if cut:
        what = "words" if kind == "texts" else "steps"
        count = f"{cut:,} of {sum(map(len, parts.values())):,} examples"
        notes.append(f"cut to their first {config.max_length:,} {what} (max_length): {count}")
    return Material(parts, columns, label, known, encoder, plan, data, tuple(notes))


def check_scikit_learn() -> None:
    """Raise InputError where the library of the baselines is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise InputError("the baselines of a classifier need scikit-learn: pip install 'longshort[classify]'") from None


def read_part(where: Any, columns: dict[str, Any], label: str | None) -> Labelled:
    """A part in a file of its own, which need not have examples of two classes."""
    found = read(where, {**columns, "label": label}, need_labels=False)
    if found.labels is None:
        raise InputError(f"{found.name}: not every example has a label; fill them in, or name the column with label=")
    return found


def _nameless(found: Sequences) -> bool:
    """Whether the channels have no names of their own, as in a `.ts` file."""
    return found.channels == tuple(f"channel {k + 1}" for k in range(len(found.channels)))


def _in_order(labels: Sequence[str]) -> tuple[str, ...]:
    """The different labels: as numbers if they all are, else as words."""
    distinct = sorted(set(labels))
    try:
        return tuple(sorted(distinct, key=float))
    except ValueError:
        return tuple(distinct)


def _cut(parts: dict[str, Examples], found: Texts | Sequences, config: ClassifyConfig) -> dict[str, Examples]:
    shares = {part: getattr(config, part) for part in PARTS[1:] if part not in parts}
    shares = {part: share for part, share in shares.items() if share > 0}
    whole = parts["training"]
    fractions = (1 - sum(shares.values()), *shares.values())
    cuts = stratified_split(found.labels or (), fractions, config.seed)
    result = dict(parts)
    result.update({part: whole.chosen(cut) for part, cut in zip(["training", *shares], cuts, strict=True)})
    result.setdefault("test", replace(whole.chosen([]), codes=whole.codes[:0]))
    for part in PARTS[:2]:
        if not len(result[part]):
            raise InputError(
                f"{found.name}: no example is left for the {part} part; give more examples, or validation= in a file"
            )
    return {part: result[part] for part in PARTS}


def _encoder(training: Examples, kind: str, config: ClassifyConfig) -> Encoder:
    if kind == "texts":
        return WordEncoder.train(training.content, config.vocabulary_size, config.character_buckets, config.max_length)
    return NumberEncoder.train(training.content, config.max_length)
