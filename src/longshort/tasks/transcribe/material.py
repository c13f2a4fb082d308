"""What a transcriber learns from: recordings in parts for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from longshort.data.audio import check_soundfile
from longshort.data.recordings import Columns, Recordings, read_recordings
from longshort.data.splits import stratified_split
from longshort.errors import InputError
from longshort.tasks.transcribe.config import SUBWORDS, Plan, TranscribeConfig, make_plan, plan_features, steps_of
from longshort.tasks.transcribe.normalising import Prior
from longshort.tasks.transcribe.units import CLEANERS, Units, needed
from longshort.tasks.transcribe.utterances import Utterances, load, look
from longshort.training import Progress

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Material:
    """Recordings of every part, and what was made of them.

    Attributes:
        parts: "training", "validation" and "test"; the test part may be empty.
        columns: how later tables are read.
        features: path of the file of features, None for audio.
        units: what the network emits.
        prior: mean and mean square of the training part's features.
        plan: sizes and length of training.
        data: checksums and counts of the recordings.
        notes: what was found on reading.
    """

    parts: dict[str, Utterances]
    columns: Columns
    features: str | None
    units: Units
    prior: Prior
    plan: Plan
    data: dict[str, Any]
    notes: tuple[str, ...]


def read_material(
    source: Any,
    config: TranscribeConfig,
    *,
    validation: Any = None,
    test: Any = None,
    features: Any = None,
    path: str | None = None,
    transcript: str | None = None,
    speaker: str | None = None,
    split: str | None = None,
) -> Material:
    """Read recordings and cut them into parts.

    Args:
        source, validation, test: as `read_recordings` takes them. Parts that are not given are those that the source's
            column of parts names, or are cut from it.
        config: settings.
        features: an `.npz` file with features of every recording, in place of audio.
        path, transcript, speaker, split: columns; those that are not given are found.

    Raises:
        InputError: recordings cannot be read, or too few are left.
    """
    check_jiwer()
    if features is None:
        check_soundfile()
    columns = Columns(path, transcript, speaker, split)
    found = {"training": read_recordings(source, columns, features=features)}
    for part, where in (("validation", validation), ("test", test)):
        if where is not None:
            found[part] = read_recordings(where, columns, features=features)
    notes = [note for recordings in found.values() for note in recordings.notes]
    planned = plan_features(config, *_kind(found["training"], notes))
    read: dict[str, Utterances] = {}
    clean = CLEANERS[config.text]
    for part, recordings in found.items():
        utterances, faults = load(recordings, planned, longest=config.max_seconds, learn=True)
        texts = tuple(map(clean, utterances.texts))
        said = [k for k, text in enumerate(texts) if text]
        if len(said) < len(texts):
            faults.append(f"{recordings.name}: {len(texts) - len(said):,} transcripts without a letter: left out")
        read[part] = replace(utterances, texts=texts).chosen(said)
        notes += faults
    parts = _cut(read, _told(found["training"], read["training"]), config, notes)
    kind: Any = config.units
    size = config.vocabulary_size or (SUBWORDS if kind == "subwords" else None)
    units = Units.learn(parts["training"].texts, kind, size)
    parts, plan = _fitting(parts, units, config, planned, notes)
    unknown = sum(not units.knows(text) for part in PARTS[1:] for text in parts[part].texts)
    if unknown:
        notes.append(f"{unknown:,} transcripts held out have {kind} that the training part lacks: told wrong for sure")
    data = {part: utterances.fingerprint() for part, utterances in read.items()}
    prior = Prior.of(parts["training"].features)
    return Material(parts, columns, None if features is None else str(features), units, prior, plan, data, tuple(notes))


def check_jiwer() -> None:
    """Raise InputError where the library of the error rates is missing."""
    try:
        import jiwer  # noqa: F401
    except ImportError:
        raise InputError("the error rates of a transcriber need jiwer: pip install 'longshort[speech]'") from None


def _kind(recordings: Recordings, notes: list[str]) -> tuple[list[int], int | None]:
    """Sample rates of audio, or channels of features."""
    if recordings.features is not None:
        return [], recordings.features[recordings.names[0]].shape[1]
    rates, found = look(recordings, Progress())
    notes += found
    if len(set(rates)) > 1:
        listed = ", ".join(f"{rate:,}" for rate in sorted(set(rates)))
        notes.append(f"{recordings.name}: sample rates of {listed} Hz: resampled to one")
    return rates, None


def _told(recordings: Recordings, kept: Utterances) -> tuple[str, ...]:
    """The part of each recording that was read, as the table says; () where it says nothing."""
    if not recordings.parts:
        return ()
    by_name = dict(zip(recordings.names, recordings.parts, strict=True))
    return tuple(by_name[name] for name in kept.names)


def _cut(
    read: dict[str, Utterances], told: tuple[str, ...], config: TranscribeConfig, notes: list[str]
) -> dict[str, Utterances]:
    whole, parts = read["training"], dict(read)
    if told and set(told) != {"training"}:
        named = {part: np.flatnonzero(np.array(told) == part) for part in PARTS}
        counts = ", ".join(f"{len(places):,} {part}" for part, places in named.items() if len(places))
        notes.append(f"parts as the table says: {counts}")
        for part in PARTS[1:]:
            if len(named[part]) and part not in parts:
                parts[part] = whole.chosen(named[part])
        whole = whole.chosen(named["training"])
    shares = {part: getattr(config, part) for part in PARTS[1:] if part not in parts}
    if told and "test" in parts:
        shares.pop("test", None)
    shares = {part: share for part, share in shares.items() if share > 0}
    cuts = _cuts(whole, shares, parts.get("test"), config, notes)
    parts.update({part: whole.chosen(cut) for part, cut in zip(["training", *shares], cuts, strict=True)})
    parts.setdefault("test", whole.chosen([]))
    for part in PARTS[:2]:
        if not len(parts[part]):
            raise InputError(f"no recording is left for the {part} part; give more, or validation= apart")
    return {part: parts[part] for part in PARTS}


def _cuts(
    whole: Utterances, shares: dict[str, float], test: Utterances | None, config: TranscribeConfig, notes: list[str]
) -> list[Any]:
    """Places of the recordings of the training part, and of each part that is cut from it."""
    if not shares:
        return [np.arange(len(whole))]
    speakers = sorted(set(whole.speakers))
    by = config.split_by
    if by is None:
        unseen = test is not None and bool(test.speakers) and set(test.speakers).isdisjoint(speakers)
        by = "speaker" if unseen and len(speakers) >= 10 else "recording"
    if by == "recording":
        return list(stratified_split(whole.texts, (1 - sum(shares.values()), *shares.values()), config.seed))
    if len(speakers) < len(shares) + 1:
        raise InputError(f"split_by='speaker' needs {len(shares) + 1} speakers at least, there are {len(speakers)}")
    order = np.random.default_rng(config.seed).permutation(len(speakers))
    counts = [max(1, round(share * len(speakers))) for share in shares.values()]
    bounds = np.cumsum([0, *counts])
    chosen = [{speakers[k] for k in order[a:b]} for a, b in pairwise(bounds)]
    out = set().union(*chosen)
    notes.append(f"held out by speaker: {', '.join(sorted(out)[:8])}{', …' if len(out) > 8 else ''}")
    cuts = [np.array([k for k, who in enumerate(whole.speakers) if who in group], dtype=np.int64) for group in chosen]
    return [np.array([k for k, who in enumerate(whole.speakers) if who not in out], dtype=np.int64), *cuts]


def _fitting(
    parts: dict[str, Utterances], units: Units, config: TranscribeConfig, planned: Any, notes: list[str]
) -> tuple[dict[str, Utterances], Plan]:
    """Without the recordings whose transcripts are longer than CTC can emit, of training and validation; the plan."""
    need = {part: [needed(units.encode(text)) for text in parts[part].texts] for part in PARTS}

    def plan() -> Plan:
        return make_plan(
            config,
            planned,
            units=len(units),
            sizes=[len(parts[part]) for part in PARTS],
            frames=parts["training"].frames.tolist(),
            needed=need["training"],
            distinct=len(set(parts["training"].texts)),
        )

    stride = plan().stride
    for part in PARTS[:2]:
        steps = steps_of(parts[part].frames, stride)
        kept = [k for k, n in enumerate(need[part]) if 0 < n <= steps[k]]
        left = sorted(set(range(len(need[part]))) - set(kept))
        if left:
            first = parts[part].names[left[0]]
            notes.append(
                f"{len(left):,} {part} transcripts are longer than CTC can emit in their recordings, or hold nothing "
                f"known: left out; the first is {first}"
            )
        parts[part] = parts[part].chosen(kept)
        need[part] = [need[part][k] for k in kept]
        if not kept:
            raise InputError(f"no {part} recording has a transcript that CTC can emit; check that they belong together")
    return parts, plan()
