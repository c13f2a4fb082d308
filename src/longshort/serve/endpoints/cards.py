"""What is told of the service and of its runs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Card(BaseModel):
    """A run."""

    name: str = Field(description="In addresses: /runs/NAME/….")
    task: str
    verdict: str | None = Field(description="What its test said, beside the baselines.")
    session: bool = Field(description="Whether there is a WebSocket at /runs/NAME/session.")
    about: dict[str, Any] = Field(description="What belongs to the task: classes, horizon, vocabulary, …")


class About(BaseModel):
    """The service."""

    version: str
    runs: list[Card]
