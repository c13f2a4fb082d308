"""Where the network looked while it wrote, and what it copied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from longshort.tasks.seq2seq.batch import make_batch
from longshort.tasks.seq2seq.network import Seq2SeqNetwork
from longshort.tasks.seq2seq.vocabulary import Vocabulary

# A word is said to be copied if more than this share of its probability came from copying.
COPIED = 0.5


@dataclass(frozen=True)
class Alignment:
    """Of a source of S tokens and an answer of T tokens, its end included.

    Attributes:
        source, answer: the tokens as people read them; the inner pieces of a word begin with "·".
        weights: of attention, (T, S); each row adds up to 1.
        copied: of each token the share of its probability that came from copying, (T,); 0 without copying.
    """

    source: list[str]
    answer: list[str]
    weights: NDArray[np.float32]
    copied: NDArray[np.float32]

    def words(self) -> str:
        """For each word of the answer the word of the source that was looked at most, "0-0 1-2 …", counted from 0.

        Words are what stands between white space; that is the format of Pharaoh and its successors.
        """
        read, written = _words(self.source), _words(self.answer[:-1])
        pairs = []
        for number in range(written[-1] + 1 if len(written) else 0):
            looked = self.weights[:-1][written == number].mean(0)
            pairs.append(f"{int(np.bincount(read, looked).argmax())}-{number}")
        return " ".join(pairs)

    def bracketed(self) -> str:
        """The answer with its copied words in brackets."""
        written, text = _words(self.answer[:-1]), []
        for number in range(written[-1] + 1 if len(written) else 0):
            here = np.flatnonzero(written == number)
            word = "".join(self.answer[k].removeprefix("·") for k in here)
            text.append(f"[{word}]" if self.copied[here].mean() > COPIED else word)
        return " ".join(text)


def align(
    network: Seq2SeqNetwork,
    sources: Vocabulary,
    targets: Vocabulary,
    read: NDArray[np.integer],
    written: NDArray[np.integer],
) -> Alignment:
    """Read a source's tokens, (S,), and write an answer's, (T − 1,), with an eye on the attention."""
    batch = make_batch([read.astype(np.int32)], [written.astype(np.int32)], targets.begin, targets.end)
    with torch.inference_mode():
        decoded = network(batch)
        assert decoded.weights is not None
        weights = decoded.weights[:, 0].float()
        copied = torch.zeros(len(weights))
        if decoded.gate is not None:
            both = network.log_probabilities(
                decoded.features.transpose(0, 1), decoded.gate.t(), weights.unsqueeze(0), batch.sources
            )[0]
            whole = both.gather(1, batch.targets).squeeze(1).exp()
            same = (batch.sources.t() == batch.targets).float()  # (T, S)
            copied = (1 - decoded.gate[:, 0].float().sigmoid()) * (weights * same).sum(1) / whole.clamp(min=1e-20)
    return Alignment(
        sources.labels(read), targets.labels(batch.targets[:, 0].numpy()), weights.numpy(), copied.clamp(0, 1).numpy()
    )


def _words(tokens: list[str]) -> NDArray[np.int64]:
    """Of each token the number of its word, (T,): inner pieces of a word begin with "·"."""
    return np.cumsum([k == 0 or not token.startswith("·") for k, token in enumerate(tokens)], dtype=np.int64) - 1
