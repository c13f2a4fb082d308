"""Every figure of translation, summaries and chat that the README quotes. Each part prints a table and writes JSON.

    python benchmarks/seq2seq.py multi30k               German to English, test 2016: BLEU, beside no attention
    python benchmarks/seq2seq.py aeslc                  e-mails to their subjects: ROUGE
    python benchmarks/seq2seq.py sgd                    dialogues: perplexity with and without the context, BLEU
    python benchmarks/seq2seq.py decoding               sentences a second, beside a decoder over torch.nn.LSTMCell

Data sets come from the folder LONGSHORT_DATA. A part writes a run directory for each seed below --runs and goes on with
what it finds there unfinished; a finished one is only read. Settings were chosen on validation parts. The last part
reads the first run of the first one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from longshort import Chatbot, Summarizer, Translator
from longshort.data.datasets import dataset_path
from longshort.tasks.seq2seq.batch import padded
from longshort.tasks.seq2seq.beam import search
from longshort.tasks.seq2seq.constraints import Constraints
from longshort.tasks.seq2seq.decoding import Decoding
from longshort.tasks.seq2seq.estimator import Seq2Seq
from longshort.tasks.seq2seq.stepper import Stepper
from longshort.training import Hardware
from record import fitted, main, spread

# Sentences that are decoded at once, how many batches, and how often they are timed.
BATCH, BATCHES, ROUNDS = 32, 8, 5


def multi30k(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """Raw text, no lower case; 29,000 pairs, stopped by the 1,014 of the validation part, tested on 1,000."""
    names = {"training": "train", "validation": "val", "test": "test_2016_flickr"}
    data = {
        part: [dataset_path(f"translation/multi30k.{name}.{side}.gz") for side in ("de", "en")]
        for part, name in names.items()
    }
    table = _fit(Translator, runs / "multi30k", seeds, data, settings)
    if not settings:
        plain = _fit(Translator, runs / "multi30k-without-attention", seeds[:1], data, {"attention": "none"})
        table = {**dict(list(plain.items())[:1]), **table}
    return table


def aeslc(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """14,436 e-mails; the test part has several references to each."""
    return _fit(Summarizer, runs / "aeslc", seeds, _parts("summarisation/aeslc"), settings)


def sgd(runs: Path, seeds: Sequence[int], **settings: Any) -> dict[str, Any]:
    """6,000 dialogues between a user and a system, whose turns are learnt."""
    return _fit(Chatbot, runs / "sgd", seeds, _parts("dialogue/sgd"), settings)


def _parts(name: str) -> dict[str, Any]:
    files = {"training": "train", "validation": "dev", "test": "test"}
    return {part: dataset_path(f"{name}.{end}.jsonl") for part, end in files.items()}


def _fit(
    kind: type[Seq2Seq], runs: Path, seeds: Sequence[int], data: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Train a model for each seed; give mean and spread of ours, the baselines, and what else was scored."""
    rows: list[dict[str, Any]] = []
    baselines: dict[str, Any] = {}
    given = {part: where for part, where in data.items() if part != "training"}
    for seed in seeds:
        model, seconds = fitted(kind(seed=seed, **settings), runs / f"seed-{seed}", data["training"], **given)
        scores = model.fitted.scores
        own = {k: v for k, v in scores.overall[model.name].items() if v is not None}
        contexts = {f"perplexity with {what}": value for what, value in getattr(scores, "contexts", {}).items()}
        lengths = {f"{model.metric}, {r['least']}–{r['most']} words": r[model.name] for r in scores.by_length}
        weights = sum(p.numel() for p in model.fitted.network.parameters())
        valid = min(check.validation or 0.0 for check in model.fitted.checks[0])
        rows.append({**own, **contexts, **lengths, "validation nats": valid, "weights": weights, "seconds": seconds})
        baselines = {name: row for name, row in scores.overall.items() if name != model.name}
        print(f"seed {seed}:", {k: round(v, 4) for k, v in rows[-1].items() if v is not None}, flush=True)
        print(scores.signatures, flush=True)
    return {model.name: spread(rows), **baselines}


def decoding(runs: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Sentences a second by beam search of width 5 in batches of 32, on the network of multi30k.

    The peer is the same network and the same search written over torch.nn.LSTMCell as one would write it, all
    hypotheses of the batch at once; in float32 both give the same translations. Ours rounds its products to bfloat16
    where the machine is faster so, as in training; there is a row without that. All take turns, and the medians count.
    """
    model = Translator.load(runs / "multi30k" / f"seed-{seeds[0]}")
    network, learnt = model.fitted.network, model.fitted
    sources = learnt.sources.encode(learnt.parts["test"].sources[: BATCH * BATCHES])
    settings = Decoding(beam=5, length_penalty=model.config.length_penalty)
    rules = Constraints(end=learnt.targets.end, never=(learnt.targets.begin,))
    batches = [sources[k : k + BATCH] for k in range(0, len(sources), BATCH)]
    limits = [torch.tensor([2 * len(source) + 10 for source in batch]) for batch in batches]

    def ours(rounds: bool = False) -> list[list[int]]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=rounds):
            found = [
                search(Stepper(network, batch, settings.beam), settings, rules, limit.numpy())
                for batch, limit in zip(batches, limits, strict=True)
            ]
        return [best.tokens.tolist() for batch in found for best, *_ in batch]

    peer = Plain(network, learnt.targets.begin, learnt.targets.end, settings)

    def theirs() -> list[list[int]]:
        with torch.inference_mode():
            found = [peer(*padded(batch), limit) for batch, limit in zip(batches, limits, strict=True)]
        return [best for batch in found for best in batch]

    same = sum(a == b for a, b in zip(ours(), theirs(), strict=True))
    half = Hardware(precision="auto").resolved(model.half).precision == "bf16-mixed"
    contenders: dict[str, Callable[[], Any]] = {
        "LSTM": lambda: ours(half),
        "LSTM in float32": ours,
        "the same over torch.nn.LSTMCell": theirs,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    rates = {name: len(sources) / statistics.median(took) for name, took in seconds.items()}
    *_, plain = rates.values()
    table: dict[str, Any] = {name: {"sentences/s": rate, "ratio": rate / plain} for name, rate in rates.items()}
    return {**table, "same translations in float32": {"share": same / len(sources)}}


class Plain:
    """The decoder of a network without copying, input feeding or upper layers, over PyTorch's own modules."""

    def __init__(self, network: Any, begin: int, end: int, settings: Decoding) -> None:
        (layer,), (below,) = network.decoder.recurrent, network.encoder.layers
        self.network, self.begin, self.end, self.settings = network, begin, end, settings
        self.encoder = torch.nn.LSTM(below.input_size, below.hidden_size, bidirectional=True)
        self.encoder.load_state_dict(below.state_dict())
        self.cell = torch.nn.LSTMCell(layer.input_size, layer.hidden_size)
        self.cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})

    def __call__(self, sources: Tensor, lengths: Tensor, limits: Tensor) -> list[list[int]]:
        """The best translation of each source."""
        network, decoder, width, count = self.network, self.network.decoder, self.settings.beam, len(lengths)
        embedded = F.embedding(sources, network.source_embedding.weight) * network.dims.embedding_size**0.5
        packed = torch.nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
        out, (h, c) = self.encoder(packed)
        values = torch.nn.utils.rnn.pad_packed_sequence(out)[0].transpose(0, 1)
        final = decoder.bridge(torch.cat((h[0], h[1], c[0], c[1]), -1))
        h, c = final.chunk(2, -1)
        h, c = h.tanh().repeat_interleave(width, 0), c.repeat_interleave(width, 0)
        values = values.repeat_interleave(width, 0)
        keys = decoder.attention.key(values)
        padding = torch.arange(len(sources)) >= lengths.repeat_interleave(width).unsqueeze(1)
        totals = torch.full((count, width), -torch.inf)
        totals[:, 0] = 0
        tokens = torch.full((count * width,), self.begin)
        said = torch.zeros(count * width, 0, dtype=torch.int64)
        finished: list[list[tuple[float, list[int]]]] = [[] for _ in range(count)]
        for step in range(int(limits.max()) + 1):
            x = F.embedding(tokens, network.target_embedding.weight) * network.dims.embedding_size**0.5
            h, c = self.cell(x, (h, c))
            scores = torch.bmm(keys, h.unsqueeze(2)).squeeze(2).masked_fill(padding, -torch.inf)
            found = torch.bmm(scores.softmax(-1).unsqueeze(1), values).squeeze(1)
            features = torch.tanh(decoder.output(torch.cat((h, found), -1)))
            logs = F.linear(features, network.target_embedding.weight, network.bias).log_softmax(-1)
            logs[:, self.begin] = -torch.inf
            over = (limits <= step).repeat_interleave(width)
            ending = logs[over, self.end].clone()
            logs[over] = -torch.inf
            logs[over, self.end] = ending
            best, flat = (totals.unsqueeze(2) + logs.view(count, width, -1)).flatten(1).topk(2 * width)
            parents, drawn = flat // logs.size(1), flat % logs.size(1)
            rows, nexts = [], []
            for b in range(count):
                kept = 0
                for k in range(2 * width):
                    row = b * width + int(parents[b, k])
                    if int(drawn[b, k]) == self.end:
                        if k < width and len(finished[b]) < width and best[b, k] > -torch.inf:
                            norm = (step + 1) ** self.settings.length_penalty
                            finished[b].append((float(best[b, k]) / norm, said[row].tolist()))
                    elif kept < width:
                        totals[b, kept] = best[b, k]
                        rows.append(row)
                        nexts.append(int(drawn[b, k]))
                        kept += 1
            if all(len(found) >= width for found in finished):
                break
            order, tokens = torch.tensor(rows), torch.tensor(nexts)
            h, c, said = h[order], c[order], torch.cat((said[order], tokens.unsqueeze(1)), 1)
        return [max(found)[1] for found in finished]


PART: dict[str, Callable[..., dict[str, Any]]] = {
    "multi30k": multi30k,
    "aeslc": aeslc,
    "sgd": sgd,
    "decoding": decoding,
}


if __name__ == "__main__":
    main(__doc__, "seq2seq", PART)
