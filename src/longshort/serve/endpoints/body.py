"""What bodies are made of: strict about what is not known, and about numbers that are none."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from longshort.errors import InputError
from longshort.serve.limits import CHARACTERS, LARGEST, NAME


class Body(BaseModel):
    """A body, or a part of one; a field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")


Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Text = Annotated[str, Field(max_length=CHARACTERS)]
Name = Annotated[str, Field(min_length=1, max_length=NAME)]


def decoded(text: str, name: str) -> bytes:
    """The bytes of a field in base64.

    Raises:
        InputError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InputError(f"{name}: no base64; write it with A-Z, a-z, 0-9, + and /, and = at the end") from None
