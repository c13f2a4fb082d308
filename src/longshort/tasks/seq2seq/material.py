"""What a sequence-to-sequence model learns from: examples in parts, their vocabularies, and a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from longshort.errors import InputError
from longshort.tasks.seq2seq.answering import cut_to
from longshort.tasks.seq2seq.config import Defaults, Plan, Seq2SeqConfig, chosen, make_plan, vocabulary_size
from longshort.tasks.seq2seq.examples import NONE, PARTS, Examples
from longshort.tasks.seq2seq.problem import Encoded, batch_count
from longshort.tasks.seq2seq.vocabulary import Vocabulary, distinct_parts


@dataclass(frozen=True)
class Material:
    """Examples of every part, and what was made of them.

    Attributes:
        parts: "training", "validation" and "test"; the test part may be empty.
        sources, targets: vocabularies, made from the training part; one and the same if they are shared.
        encoded: pairs of tokens of the training and the validation part.
        plan: sizes and length of training.
        data: checksums and counts of the data.
        notes: what was found on reading.
        more: what else the task keeps, as data for JSON.
    """

    parts: dict[str, Examples]
    sources: Vocabulary
    targets: Vocabulary
    encoded: dict[str, Encoded]
    plan: Plan
    data: dict[str, Any]
    notes: tuple[str, ...]
    more: dict[str, Any] = field(default_factory=dict)


def make_material(
    given: dict[str, Examples],
    notes: list[str],
    config: Seq2SeqConfig,
    defaults: Defaults,
    *,
    from_end: bool = False,
    marks: tuple[str, ...] = (),
    more: dict[str, Any] | None = None,
) -> Material:
    """Cut what was given into parts, learn the vocabularies, and plan.

    Args:
        given: examples of "training", and of the parts that come from files of their own.
        notes: what was found on reading.
        config, defaults: settings, and what the task takes where they say nothing.
        from_end: whether the end of a source that is too long is read, not its beginning.
        marks: names of the marks in the sources.
        more: what else the task keeps.

    Raises:
        InputError: a part is empty.
    """
    data = {part: examples.fingerprint() for part, examples in given.items()}
    parts = _cut(given, config)
    training = parts["training"]
    for part in PARTS[1:]:
        count = _shared(training, parts[part])
        if count:
            what = (
                f"{count:,} examples of the {part} part stand" if count > 1 else f"1 example of the {part} part stands"
            )
            notes.append(f"{what} in the training part too: its scores flatter")
    characters = sum(map(len, distinct_parts((*training.sources, *training.targets))))
    size = vocabulary_size(config, characters)
    if config.shared:
        sources = targets = Vocabulary.train((*training.sources, *training.targets), size, marks)
    else:
        sources = Vocabulary.train(training.sources, size, marks)
        targets = Vocabulary.train(training.targets, size)
    most = chosen(config, defaults, "max_source"), chosen(config, defaults, "max_target")
    encoded, cut = {}, 0
    for part in PARTS:
        read = sources.encode(parts[part].sources)
        cut += sum(len(tokens) > most[0] for tokens in read)
        written = [tokens[: most[1]] for tokens in targets.encode(parts[part].targets)]
        encoded[part] = Encoded(cut_to(read, most[0], from_end), written, targets.begin, targets.end)
    if cut:
        total = sum(map(len, parts.values()))
        where = "last" if from_end else "first"
        notes.append(f"of {cut:,} of {total:,} sources the {where} {most[0]:,} tokens are read (max_source)")
    plan = make_plan(
        config,
        defaults,
        pairs=(len(parts["training"]), len(parts["validation"]), len(parts["test"])),
        vocabularies=(len(sources), len(targets)),
        tokens=sum(map(len, (*encoded["training"].sources, *encoded["training"].targets))),
        batches=batch_count(encoded["training"].lengths, chosen(config, defaults, "batch_tokens")),
    )
    return Material(parts, sources, targets, encoded, plan, data, tuple(notes), more or {})


def _cut(given: dict[str, Examples], config: Seq2SeqConfig) -> dict[str, Examples]:
    shares = {part: getattr(config, part) for part in PARTS[1:] if part not in given}
    shares = {part: share for part, share in shares.items() if share > 0}
    parts = dict(given)
    cuts = given["training"].split((1 - sum(shares.values()), *shares.values()), config.seed)
    parts.update(zip(["training", *shares], cuts, strict=True))
    parts.setdefault("test", NONE)
    for part in PARTS[:2]:
        if not len(parts[part]):
            raise InputError(f"no example is left for the {part} part; give more, or validation= in a file")
    return {part: parts[part] for part in PARTS}


def _shared(training: Examples, other: Examples) -> int:
    """How many examples stand in both."""
    known = set(zip(training.sources, training.targets, strict=True))
    return sum(pair in known for pair in zip(other.sources, other.targets, strict=True))
