"""What makes a classifier's inputs of its examples, and its file in a run."""

from __future__ import annotations

from longshort.artifact import RunDirectory
from longshort.data.tokens import Tokenizer
from longshort.tasks.classify.numbers import NumberEncoder
from longshort.tasks.classify.words import WordEncoder

Encoder = WordEncoder | NumberEncoder

TOKENIZER, SCALES = "tokenizer.json", "scales.json"


def write_encoder(run: RunDirectory, encoder: Encoder) -> None:
    """Write the vocabulary, or the scales."""
    if isinstance(encoder, WordEncoder):
        run.write_json(TOKENIZER, encoder.tokenizer.to_json())
    else:
        run.write_json(SCALES, encoder.to_json())


def read_encoder(run: RunDirectory, buckets: int, longest: int) -> Encoder:
    """The inverse of `write_encoder`; the settings `character_buckets` and `max_length` are not in its file."""
    if run.has(TOKENIZER):
        return WordEncoder(Tokenizer.from_json(run.read_json(TOKENIZER)), buckets, longest)
    return NumberEncoder.from_json(run.read_json(SCALES), longest)
