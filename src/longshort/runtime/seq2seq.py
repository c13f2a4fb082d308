"""Translators, summarizers and chatbots: answers to texts, and where the network looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from longshort.artifact import RunDirectory
from longshort.data.sources import read_sources
from longshort.errors import InputError
from longshort.runtime.encoder_decoder import Network, Stepper
from longshort.runtime.weights import Weights
from longshort.tasks.seq2seq.alignment import Alignment
from longshort.tasks.seq2seq.answering import KINDS, Answering
from longshort.tasks.seq2seq.config import Plan, Seq2SeqConfig
from longshort.tasks.seq2seq.conversation import Conversation
from longshort.tasks.seq2seq.decoding import Decoding
from longshort.tasks.seq2seq.vocabulary import Vocabulary

Columns = dict[str, NDArray[Any]]


class Seq2Seq:
    """What the three have in common; made by `longshort.runtime.load`.

    Attributes:
        task: as config.json names it.
    """

    task: ClassVar[str]

    def __init__(self, network: Network, answering: Answering, more: dict[str, Any]) -> None:
        self._network, self._answering, self._more = network, answering, more

    @classmethod
    def restore(cls, run: RunDirectory, settings: dict[str, Any]) -> Any:
        """From a run of the task."""
        config, model = Seq2SeqConfig.from_dict(settings), run.read_json("model.json")
        sources = targets = Vocabulary.from_json(run.read_json("tokenizer.json"))
        if not config.shared:
            targets = Vocabulary.from_json(run.read_json("tokenizer-targets.json"))
        answering = Answering(KINDS[cls.task], config, Plan.from_dict(model["plan"]), sources, targets)
        return cls(Network(Weights.of(run), config), answering, model["more"])

    def decoding(self, **settings: Any) -> Decoding:
        """How answers are found: as the run's settings say, and changed by `settings`, fields of `Decoding`."""
        return self._answering.decoding(**settings)

    def predict(self, data: Any, *, alignments: bool = False, **decoding: Any) -> Columns:
        """Answers to sources: the columns that the estimator's `predict` gives as a table.

        Args:
            data: a list of texts, of a chatbot one of lists of turns; or a path or a table, which need Polars to be
                read (but for the JSON Lines of dialogues).
            alignments: whether to tell where the network looked.
            decoding: fields of `Decoding`, such as `beam=10`, `n_best=3`, `method="sample"`.

        Raises:
            InputError: the sources cannot be read, or something is asked that cannot be.
        """
        settings = self.decoding(**decoding)
        if alignments:
            self._need_attention()
        sources = self._sources(data)
        found = self._answering.found(self._begin, sources, settings)
        table = self._answering.table(sources, found, self._shown, self._aligned if alignments else None)
        if settings.n_best == 1:
            del table["rank"]
        types = {"rank": np.int64, "score": np.float64}
        return {name: np.array(values, dtype=types.get(name, object)) for name, values in table.items()}

    def align(self, source: Any, answer: str | None = None) -> Alignment:
        """Where the network looked in a source while it wrote an answer, by default its own.

        Raises:
            InputError: the network has no attention.
        """
        self._need_attention()
        (asked,) = self._sources([source])
        if answer is None:
            ((best, *_),) = self._answering.found(self._begin, [asked], self.decoding())
            answer = self._answering.said(best)
        return self._aligned(asked, answer)

    def _begin(self, sources: Sequence[NDArray[np.integer]], width: int) -> Stepper:
        return Stepper(self._network, sources, width)

    def _aligned(self, source: str, answer: str) -> Alignment:
        return self._answering.align(self._begin, source, answer)

    def _need_attention(self) -> None:
        if self._network.attention is None:
            raise InputError("this network has no attention to show: fit one with attention")

    def _sources(self, data: Any) -> Sequence[str]:
        """Sources as examples have them."""
        try:
            return read_sources(data, column=self._more["columns"][0])[0]
        except ImportError as error:
            raise InputError(f"reading tables needs Polars: pip install polars narwhals ({error})") from None

    def _shown(self, source: str) -> str:
        """A source as people read it."""
        return source


class Translator(Seq2Seq):
    """What `longshort.Translator` makes of texts, without PyTorch."""

    task = "translate"


class Summarizer(Seq2Seq):
    """What `longshort.Summarizer` makes of texts, without PyTorch."""

    task = "summarize"


class Chatbot(Seq2Seq):
    """What `longshort.Chatbot` says, without PyTorch."""

    task = "chat"

    def reply(self, history: Sequence[Any], **decoding: Any) -> str:
        """What is said next.

        Args:
            history: the turns so far: texts, whose speakers take turns and of which the last is not the model's, or
                pairs of speaker and text.
            decoding: fields of `Decoding`.

        Raises:
            InputError: nothing was said yet.
        """
        return str(self.predict([history], **decoding)["reply"][0])

    @property
    def speaker(self) -> str:
        """Whom the model speaks for."""
        return self._conversation.speaker

    @property
    def _conversation(self) -> Conversation:
        return Conversation.from_json(self._more)

    def _sources(self, data: Any) -> Sequence[str]:
        return self._conversation.contexts(data)

    def _shown(self, source: str) -> str:
        return self._conversation.shown(source)
