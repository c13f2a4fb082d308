"""Settings of a task: a frozen dataclass that checks itself and goes into config.json and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from longshort.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Settings:
    """The base of every task's settings; None in a field means: read from the data.

    A subclass checks its fields in `__post_init__` with the methods below, each of which raises InputError.
    """

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown settings raise InputError."""
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InputError(f"unknown setting {unknown[0]!r}: known are {', '.join(known)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def _need(self, right: bool, what: str) -> None:
        if not right:
            raise InputError(what)

    def _one_of(self, name: str, choices: Sequence[str], *, optional: bool = False) -> None:
        value = getattr(self, name)
        self._need(
            value in choices or (optional and value is None),
            f"{name} must be one of {', '.join(choices)}, not {value!r}",
        )

    def _truth(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            self._need(isinstance(value, bool), f"{name} must be true or false, not {value!r}")

    def _whole(self, *names: str, least: int, optional: bool = False) -> None:
        for name in names:
            value = getattr(self, name)
            right = (optional and value is None) or (is_whole(value) and value >= least)
            self._need(right, f"{name} must be a whole number from {least}, not {value!r}")

    def _number(self, *names: str, below: float = math.inf, positive: bool = False, optional: bool = False) -> None:
        for name in names:
            value = getattr(self, name)
            if optional and value is None:
                continue
            self._need(is_number(value) and 0 <= value < math.inf, f"{name} must be a number from 0, not {value!r}")
            self._need(value < below, f"{name} must be below {below:g}, not {value}")
            self._need(value > 0 or not positive, f"{name} must be above 0, not {value}")


def tuples(value: Any) -> Any:
    """JSON's lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {k: tuples(v) for k, v in value.items()}
    return tuple(tuples(v) for v in value) if isinstance(value, list) else value


def is_number(value: object) -> bool:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
