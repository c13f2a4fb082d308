"""`Chatbot`: the next reply of a conversation, from all that was said before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from longshort.data.dialogues import SPEAKERS, Dialogues, read_dialogues
from longshort.errors import InputError
from longshort.scores import HIGHEST, Metric
from longshort.tasks.seq2seq import metrics
from longshort.tasks.seq2seq.baselines import Retrieval, check_scikit_learn
from longshort.tasks.seq2seq.config import Defaults
from longshort.tasks.seq2seq.conversation import OTHER, Conversation
from longshort.tasks.seq2seq.estimator import Seq2Seq
from longshort.tasks.seq2seq.evaluation import BLEU, PERPLEXITY, Seq2SeqScores, by_length, thousandths, verdict
from longshort.tasks.seq2seq.examples import Examples
from longshort.tasks.seq2seq.material import Material, make_material

NEAREST = "Reply to the most similar context (TF-IDF)"
# How perplexities with less context are called.
WHOLE, LAST, MIXED, FOREIGN = (
    "the whole context",
    "the last turn alone",
    "the last turn, after another dialogue's turns",
    "the context of another dialogue",
)


def _different(what: str) -> Metric:
    meaning = f"Different {what} among all of them (Li et al. 2016): near 0 where all replies are alike."
    return Metric(meaning, aim=HIGHEST, show=thousandths)


@dataclass(frozen=True)
class ChatScores(Seq2SeqScores):
    """Scores of replies.

    Attributes:
        contexts: perplexity of the right replies given more or less of the context.
    """

    metrics: ClassVar[Mapping[str, Metric]] = {
        "perplexity": PERPLEXITY,
        "BLEU": BLEU,
        "distinct-1": _different("words"),
        "distinct-2": _different("pairs of words"),
    }

    contexts: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        return {**super().to_json(), "contexts": self.contexts}


class Chatbot(Seq2Seq):
    """Replies by an LSTM with attention that reads the conversation so far, learnt from dialogues.

    >>> model = Chatbot().fit("dialogues.jsonl")                     # doctest: +SKIP
    >>> model.reply(["I am hungry.", "In which city?", "San Jose."]) # doctest: +SKIP

    It learns from dialogues as `longshort.data.read_dialogues` takes them, and replies as one of their speakers: the
    one who most often speaks second, or `speaker=`. Options of `fit`: `validation=` and `test=`, further dialogues in
    place of a share of the first ones. Its settings are those of `Seq2SeqConfig`; of a conversation the last
    `max_source` tokens are read.
    """

    task = "chat"
    scores_type = ChatScores
    metric = "BLEU"
    next_steps = {  # noqa: RUF012 - as the base class says
        "Talk": "longshort chat {run}",
        "Evaluate": "longshort evaluate {run} DATA",
    }
    defaults = Defaults(
        copy=True,
        embedding_size=256,
        hidden_size=512,
        max_source=160,
        max_target=64,
        word_dropout=0.1,
        input_dropout=0.2,
        hidden_dropout=0.2,
        output_dropout=0.2,
        batch_tokens=8_000,
        epochs=8,
        no_repeat=0,
    )

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

    def _read(self, data: Any, **options: Any) -> Material:
        return self._material(data, **options)

    def _material(self, data: Any, *, validation: Any = None, test: Any = None, speaker: str | None = None) -> Material:
        metrics.check_libraries()
        check_scikit_learn()
        given, notes = {}, list[str]()
        found = {"training": read_dialogues(data)}
        found.update({p: read_dialogues(w) for p, w in (("validation", validation), ("test", test)) if w is not None})
        training = found["training"]
        counts = training.speakers
        if speaker is None:
            speaker = Counter(turns[1].speaker for turns in training.dialogues).most_common(1)[0][0]
        if speaker not in counts:
            known = ", ".join(repr(name) for name, _ in counts.most_common(SPEAKERS))
            raise InputError(f"{training.name}: nobody is called {speaker!r}; speakers are {known}")
        names = [name for name, _ in counts.most_common(SPEAKERS)]
        marks = (*dict.fromkeys([*names, speaker]), OTHER)
        for part, dialogues in found.items():
            notes += [note for note in dialogues.notes if note not in notes]
            strange = _strangers(dialogues, marks)
            if strange:
                notes.append(f"{dialogues.name}: {strange}")
            given[part] = _examples_of(dialogues, Conversation(speaker, marks))
        more = Conversation(speaker, marks).to_json()
        return make_material(given, notes, self.config, self.defaults, from_end=True, marks=marks, more=more)

    def _examples(self, data: Any) -> Examples:
        return _examples_of(read_dialogues(data), self._conversation)

    @property
    def _conversation(self) -> Conversation:
        return Conversation.from_json(self.fitted.more)

    def _sources(self, data: Any) -> Sequence[str]:
        return self._conversation.contexts(data)

    def shown(self, source: str) -> str:
        """A context with a line for every turn."""
        return self._conversation.shown(source)

    def _rivals(self, sources: Sequence[str]) -> dict[str, list[str]]:
        training = self.fitted.parts["training"]
        return {NEAREST: Retrieval(training.sources, training.targets, self._conversation.marks)(sources)}

    def quality(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """chrF of each reply, 0 to 100."""
        return metrics.sentence_chrf(answers, references)

    def _score(self, examples: Examples, found: dict[str, list[str]]) -> ChatScores:
        overall: dict[str, dict[str, float | None]] = {}
        signatures: dict[str, str] = {}
        for model, answers in found.items():
            bleu, signatures["BLEU"] = metrics.bleu(answers, examples.references)
            shares = {f"distinct-{n}": metrics.distinct(answers, n) for n in (1, 2)}
            overall[model] = {"perplexity": None, "BLEU": bleu, **shares}
        contexts = {
            what: self._perplexity(sources, examples.targets) for what, sources in _less_context(examples).items()
        }
        overall[self.name]["perplexity"] = contexts[WHOLE]

        def measure(answers: Sequence[str], places: list[int]) -> float:
            return metrics.bleu([answers[k] for k in places], [examples.references[k] for k in places])[0]

        basis = f"on {len(examples):,} held-out replies"
        gain = contexts[WHOLE] / contexts[LAST]
        worth = f"With the whole context its perplexity is {contexts[WHOLE]:.2f}, with the last turn alone "
        worth += f"{contexts[LAST]:.2f}: " + ("the history is used." if gain < 0.98 else "the history is hardly used.")
        return ChatScores(
            overall=overall,
            verdict=f"{verdict(overall, 'BLEU', basis)} {worth}",
            examples=len(examples),
            signatures=signatures,
            by_length=by_length(examples.sources, found, measure),
            contexts=contexts,
        )


def _examples_of(dialogues: Dialogues, conversation: Conversation) -> Examples:
    """Of every dialogue all replies of the speaker, each with what was said before it."""
    rows = [
        (conversation.context(turns[:k]), (turn.text,), group)
        for group, turns in enumerate(dialogues.dialogues)
        for k, turn in enumerate(turns)
        if k and turn.speaker == conversation.speaker
    ]
    if not rows:
        raise InputError(f"{dialogues.name}: {conversation.speaker!r} never replies; name another one with speaker=")
    sources, references, groups = zip(*rows, strict=True)
    return Examples(sources, references, groups)


def _strangers(dialogues: Dialogues, marks: Sequence[str]) -> str:
    unknown = [name for name in dialogues.speakers if name not in marks]
    if not unknown:
        return ""
    turns = sum(dialogues.speakers[name] for name in unknown)
    names = ", ".join(map(repr, unknown[:3])) + (", …" if len(unknown) > 3 else "")
    return f"{turns:,} turns of {len(unknown):,} speakers without a mark of their own ({names}): read as {OTHER!r}"


def _less_context(examples: Examples) -> dict[str, list[str]]:
    """The sources as they are, and with less or other context.

    The other dialogue is the one half of all dialogues further on, and in it the reply at the same place, or the last.
    """
    parts = [_turns(source) for source in examples.sources]
    whole = ["".join(turns) for turns in parts]
    last = ["".join(turns[-2:]) for turns in parts]
    groups: dict[int, list[int]] = {}
    for place, group in enumerate(examples.groups):
        groups.setdefault(group, []).append(place)
    order = list(groups)
    other = {group: groups[order[(k + max(1, len(order) // 2)) % len(order)]] for k, group in enumerate(order)}
    foreign = []
    for group in order:
        theirs = other[group]
        foreign += [theirs[min(k, len(theirs) - 1)] for k in range(len(groups[group]))]
    at = dict(zip([place for group in order for place in groups[group]], foreign, strict=True))
    return {
        WHOLE: whole,
        LAST: last,
        MIXED: ["".join((*parts[at[k]][:-2], *turns[-2:])) for k, turns in enumerate(parts)],
        FOREIGN: [whole[at[k]] for k in range(len(parts))],
    }


def _turns(source: str) -> list[str]:
    """A context cut before every mark: turns, and last the mark of who replies."""
    begins = [k for k, sign in enumerate(source) if "\ue000" <= sign <= "\uf8ff"]
    return [source[a:b] for a, b in zip(begins, [*begins[1:], len(source)], strict=True)]
