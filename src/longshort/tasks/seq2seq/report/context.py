"""What the history of a conversation is worth: the perplexity of the right replies with more or less of it."""

from __future__ import annotations

from longshort.report import Html, Section, table
from longshort.tasks.seq2seq.chat import FOREIGN, LAST, WHOLE, ChatScores


def context_section(scores: ChatScores) -> Section:
    """A row for each kind of context."""
    whole = scores.contexts[WHOLE]
    rows = [[name.capitalize(), f"{value:.2f}", f"{value / whole:.2f}"] for name, value in scores.contexts.items()]
    head = ["The model reads", "Perplexity", "Of that with the whole context"]
    shown: Html = table(head, rows, caption=f"Perplexity of {scores.examples:,} right replies", best=[{1}])
    ratio = whole / scores.contexts[LAST]
    used = "uses" if ratio < 0.98 else "hardly uses"
    see = (
        f"With the whole context a token of the right reply has perplexity {whole:.2f}, with the last turn alone "
        f"{scores.contexts[LAST]:.2f}, so the network {used} the history ({ratio:.2f} times). With the context of "
        f"another dialogue it is {scores.contexts[FOREIGN]:.2f}: a reply that ignored what was said would be as likely "
        "there."
    )
    return Section("What the history is worth", see, [shown])
