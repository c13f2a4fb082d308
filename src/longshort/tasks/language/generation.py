"""A text as it is written: its pieces come as soon as they are certain."""

from __future__ import annotations

from collections.abc import Sequence

from longshort.data.tokens import Tokenizer


class Text:
    """One sample as it grows: gives out what can no longer become part of a stop text or of half a character."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], stop: Sequence[str]) -> None:
        self._stream = tokenizer.stream(prompt)
        self._stop = stop
        self._held = ""
        self.ended = False

    def add(self, token: int) -> str:
        """The text that is certain once this token has come."""
        if self.ended:
            return ""
        return self._release(self._stream.feed(token))

    def end(self) -> str:
        """The rest, when no more tokens come."""
        if self.ended:
            return ""
        rest = self._release(self._stream.finish())
        self.ended = True
        return rest + self._held

    def _release(self, text: str) -> str:
        self._held += text
        found = [place for place in map(self._held.find, self._stop) if place >= 0]
        if found:
            self.ended = True
            given, self._held = self._held[: min(found)], ""
            return given
        keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        given, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return given


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text are the beginning of a stop text."""
    return next((k for k in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:k])), 0)
