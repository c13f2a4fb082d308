"""What bodies are made of: strict about what is not known, and about numbers that are none."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from longshort.serve.limits import CHARACTERS, LARGEST, NAME


class Body(BaseModel):
    """A body, or a part of one; a field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")


Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Text = Annotated[str, Field(max_length=CHARACTERS)]
Name = Annotated[str, Field(min_length=1, max_length=NAME)]
