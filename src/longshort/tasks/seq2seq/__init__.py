"""From one sequence to another, by one encoder-decoder with attention: translation, summaries, conversation."""

from typing import TYPE_CHECKING

from longshort.lazy import lazy

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.chat import Chatbot, ChatScores
    from longshort.tasks.seq2seq.config import Seq2SeqConfig
    from longshort.tasks.seq2seq.decoding import Decoding
    from longshort.tasks.seq2seq.summarize import Summarizer, SummarizeScores
    from longshort.tasks.seq2seq.translate import TranslateScores, Translator

__all__ = [
    "ChatScores",
    "Chatbot",
    "Decoding",
    "Seq2SeqConfig",
    "SummarizeScores",
    "Summarizer",
    "TranslateScores",
    "Translator",
]

__getattr__ = lazy(
    __name__,
    {
        "ChatScores": "chat",
        "Chatbot": "chat",
        "Decoding": "decoding",
        "Seq2SeqConfig": "config",
        "SummarizeScores": "summarize",
        "Summarizer": "summarize",
        "TranslateScores": "translate",
        "Translator": "translate",
    },
)
