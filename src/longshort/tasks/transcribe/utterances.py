"""Recordings as features, with what is said in them; what cannot be learnt from is left out and said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longshort.data.audio import audio_format, is_clipped, is_silent, read_audio
from longshort.data.recordings import Recordings
from longshort.errors import InputError
from longshort.tasks.transcribe.config import FeaturePlan
from longshort.tasks.transcribe.features import LogMel
from longshort.training import Progress

FloatArray = NDArray[np.float32]
# A recording shorter than this holds no word, in seconds.
SHORTEST = 0.05


@dataclass(frozen=True)
class Utterances:
    """N recordings that were read.

    Attributes:
        names: what each is called.
        paths: of the audio, (N,); () where there are features only.
        features: not normalised, (T_i, C) each.
        texts: what is said, clean; "" where it is not known.
        speakers: (N,), or () where they are not known.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    features: tuple[FloatArray, ...]
    texts: tuple[str, ...]
    speakers: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def frames(self) -> NDArray[np.int64]:
        """Of each recording, (N,)."""
        return np.array([len(f) for f in self.features], dtype=np.int64)

    def chosen(self, places: Sequence[int] | NDArray[np.int64]) -> Utterances:
        """Some of them."""
        fields = ("names", "paths", "features", "texts", "speakers")
        parts = {name: getattr(self, name) for name in fields}
        return Utterances(**{name: tuple(v[k] for k in places) if v else () for name, v in parts.items()})

    def fingerprint(self) -> dict[str, str | int]:
        """What config.json keeps of the data: a SHA-256 of features and texts, and the number of recordings."""
        digest = hashlib.sha256()
        for features, text in zip(self.features, self.texts, strict=True):
            data = text.encode("utf-8", "replace")
            digest.update(f"{features.shape} {len(data)} ".encode() + data + features.tobytes())
        return {"sha256": digest.hexdigest(), "recordings": len(self)}


def look(recordings: Recordings, progress: Progress) -> tuple[list[int], list[str]]:
    """The sample rates that the recordings have, and what is wrong with any file, a note each kind.

    Raises:
        InputError: none can be read.
    """
    rates, channels = [], 0
    first: InputError | None = None
    for path in recordings.paths:
        try:
            found = audio_format(path)
        except InputError as error:
            first = first or error
            continue
        rates.append(found.rate)
        channels += found.channels > 1
    if not rates:
        raise first or InputError(f"{recordings.name}: there is no recording; give at least one")
    notes = []
    if channels:
        notes.append(f"{recordings.name}: {channels:,} recordings with several channels: mixed down to one")
    return rates, notes


def load(
    recordings: Recordings, plan: FeaturePlan, *, longest: float, learn: bool, clean: bool = True
) -> tuple[Utterances, list[str]]:
    """Read recordings into features.

    Args:
        recordings: where they are.
        plan: how features are made.
        longest: recordings of more seconds are left out.
        learn: whether what cannot be learnt from is left out with a note, rather than refused.

    Returns:
        The utterances, and notes.

    Raises:
        InputError: a recording cannot be used, and nothing is to be left out; or none can.
    """
    log_mel = LogMel(plan.rate, plan.inputs) if plan.rate else None
    kept: list[int] = []
    features: list[FloatArray] = []
    faults: dict[str, list[str]] = {}
    clipped = []
    for k, name in enumerate(recordings.names):
        text = recordings.transcripts[k]
        if learn and text is not None and not text.strip():
            faults.setdefault("an empty transcript", []).append(name)
            continue
        try:
            found, flaw = _read(recordings, k, plan, log_mel, longest)
        except InputError as error:
            if not learn:
                raise
            faults.setdefault(_kind(error), []).append(f"{name} ({error})")
            continue
        if flaw == "clipped":
            clipped.append(name)
        elif flaw and learn:
            faults.setdefault(flaw, []).append(name)
            continue
        kept.append(k)
        features.append(found)
    notes = [
        f"{recordings.name}: {len(names):,} of {len(recordings):,} recordings with {fault}: left out; the first is "
        f"{names[0]}"
        for fault, names in faults.items()
    ]
    if clipped:
        notes.append(f"{recordings.name}: {len(clipped):,} recordings are clipped, {clipped[0]} the first")
    if not kept:
        raise InputError(notes[0] if notes else f"{recordings.name}: there is no recording; give at least one")
    whole = Utterances(
        names=recordings.names,
        paths=recordings.paths,
        features=(np.zeros((0, 0), np.float32),) * len(recordings),
        texts=tuple(text or "" for text in recordings.transcripts),
        speakers=recordings.speakers,
    )
    return replace(whole.chosen(kept), features=tuple(features)), notes


def _read(
    recordings: Recordings, k: int, plan: FeaturePlan, log_mel: LogMel | None, longest: float
) -> tuple[FloatArray, str]:
    """Features of a recording, and what is the matter with it, if anything."""
    if recordings.features is not None:
        if log_mel is not None:
            raise InputError(f"{recordings.name} holds features, this run was trained on audio: give audio")
        found = recordings.features[recordings.names[k]]
        if found.shape[1] != plan.inputs:
            raise InputError(
                f"{recordings.features.path}: the array {recordings.names[k]!r} has {found.shape[1]} channels, others "
                f"have {plan.inputs}; give the same"
            )
        if len(found) * plan.hop > longest:
            return found, f"more than {longest:g} s (max_seconds)"
        return found, "" if len(found) * plan.hop >= SHORTEST else f"less than {SHORTEST:g} s"
    if log_mel is None:
        raise InputError(f"{recordings.name} is audio, this run was trained on features: give features as .npz")
    path = recordings.paths[k]
    if audio_format(path).seconds > longest:
        return np.zeros((0, plan.inputs), np.float32), f"more than {longest:g} s (max_seconds)"
    samples = read_audio(path, plan.rate)
    found = log_mel(samples)
    if len(samples) < SHORTEST * plan.rate:
        return found, f"less than {SHORTEST:g} s"
    if is_silent(samples):
        return found, "nothing but silence"
    return found, "clipped" if is_clipped(samples) else ""


def _kind(error: InputError) -> str:
    text = str(error)
    for what, words in (("cut off", "the file cut off"), ("damaged", "damaged sound"), ("ends", "damaged sound")):
        if what in text:
            return words
    return "no readable sound"
