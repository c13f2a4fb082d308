"""A language model for export: tokens and a state in, log-probabilities and the next state out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshort.exportable import Exportable
from longshort.sequence.exporting import tokens_part

if TYPE_CHECKING:
    from longshort.tasks.language.estimator import LanguageModel


def exportable(model: LanguageModel) -> Exportable:
    """The network of a language model, and its tokenizer."""
    fitted, begin = model.fitted, int(model.beginning[0])
    how = (
        "tokenizer.json says how a text is cut into tokens: their kind, and the tokens in the order of their numbers, "
        "or the pairs that are merged.",
        f"A text that nothing stands before begins after token {begin}.",
    )
    part = tokens_part(fitted.network, model.config.cell)
    return Exportable({"network": part}, how, {"tokenizer.json": fitted.tokenizer.to_json()})
