"""Texts as they are learnt from."""

from __future__ import annotations

import unicodedata


def clean(text: str) -> str:
    """A text on one line: white space is one space, control and private signs and halves of pairs are left out."""
    if not text.isprintable():
        text = "".join(" " if sign.isspace() else sign for sign in text if sign.isspace() or _harmless(sign))
    return " ".join(text.split())


def _harmless(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cs", "Co")
