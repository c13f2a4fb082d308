"""What a search over settings may choose from: ranges of numbers, lists of values, and how both are written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longshort.errors import InputError
from longshort.settings import is_number, is_whole


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are.

    Attributes:
        low, high: bounds.
        log: whether what counts is the ratio of two values rather than their difference.
        step: of whole numbers, the distance between two of them.
    """

    low: float
    high: float
    log: bool = False
    step: int = 1

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return is_whole(self.low) and is_whole(self.high)

    def __contains__(self, value: object) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:  # type: ignore[operator]
            return False
        return not self.whole or (is_whole(value) and (value - self.low) % self.step == 0)  # type: ignore[operator]

    def __str__(self) -> str:
        step = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low:g} to {self.high:g}{step}{', logarithmic' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of several values, which have no order."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


Ranges = dict[str, "Range | Choice"]


@dataclass(frozen=True)
class Space:
    """What a search over the settings of a task starts from.

    Attributes:
        ranges: setting -> what it may be.
        values: setting -> what it is by default, read from the data where the default is None.
        described: what config.json says of the data.
    """

    ranges: Ranges
    values: Mapping[str, Any]
    described: Mapping[str, Any]


def parse(pairs: Sequence[str], known: Ranges, values: Mapping[str, Any]) -> Ranges:
    """What `--search NAME=LOW..HIGH` and `--search NAME=A,B,C` ask for.

    Args:
        pairs: as they were given.
        known: the task's own ranges, from which a new one takes whether it is logarithmic.
        values: of all settings by default, which tell whole numbers from others.

    Raises:
        InputError: one of them cannot be read.
    """
    found: Ranges = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not text:
            raise InputError(f"--search needs NAME=LOW..HIGH or NAME=A,B,C, not {pair!r}")
        name = name.replace("-", "_")
        if ".." not in text:
            found[name] = Choice(tuple(_value(part) for part in text.split(",")))
            continue
        low, high = (_value(part) for part in text.split("..", 1))
        if not (is_number(low) and is_number(high) and low < high):
            raise InputError(f"--search {pair!r}: a range goes from a number up to a larger one, such as {name}=1..4")
        before = known.get(name)
        whole = before.whole if isinstance(before, Range) else not isinstance(values.get(name), float)
        if whole and not (is_whole(low) and is_whole(high)):
            raise InputError(f"--search {pair!r}: {name} is a whole number")
        log = before.log if isinstance(before, Range) else high >= 10 * low
        if not whole:
            low, high = float(low), float(high)
        found[name] = Range(low, high, log=log and low > 0)
    return found


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text.strip()
    return value if not isinstance(value, float) or math.isfinite(value) else text
