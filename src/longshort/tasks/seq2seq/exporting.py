"""An encoder-decoder for export: the encoder that reads sources, and the decoder that writes a token at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from longshort.exportable import Exportable, Part, Value
from longshort.tasks.seq2seq.encoder import Memory
from longshort.tasks.seq2seq.network import Seq2SeqNetwork

if TYPE_CHECKING:
    from longshort.tasks.seq2seq.estimator import Seq2Seq


class Reader(nn.Module):
    """S source steps, B sources, M memory size, K size of a key, L decoder layers, H hidden units."""

    def __init__(self, network: Seq2SeqNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, sources: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Tokens (S, B) and lengths (B,) to values (B, S, M), keys (B, S, K), valid (B, S), h and c (L, B, H).

        Keys and valid are left out where there is no attention to need them.
        """
        memory = self.network.encode(sources, lengths)
        h, c = (torch.cat(part) for part in zip(*self.network.decoder.start(memory), strict=True))
        attended = () if self.network.decoder.attention is None else (memory.keys, memory.valid)
        return memory.values, *attended, h, c


class Step(nn.Module):
    """One token of each answer. E embedding size, V target tokens."""

    def __init__(self, network: Seq2SeqNetwork, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, tokens: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Tokens (B,) and what `exportable` names to log-probabilities (B, V) and the state to go on from."""
        network, decoder = self.network, self.network.decoder
        given: dict[str, Any] = dict(zip(self.names, inputs, strict=True))
        values, h, c = given["values"], given["h"], given["c"]
        sources = given.get("sources", values.new_zeros((values.size(1), values.size(0)), dtype=torch.int64))
        memory = Memory(values, given.get("keys", values[:, :, :0]), given.get("valid"), (h, c), sources)  # type: ignore[arg-type]
        coverage = given.get("coverage")
        x = network.embed(network.target_embedding, tokens).unsqueeze(0)
        read = torch.cat((x, given["fed"].unsqueeze(0)), -1) if decoder.feeding else x
        state = [(h[k : k + 1].contiguous(), c[k : k + 1].contiguous()) for k in range(len(decoder.recurrent))]
        said, coverage = decoder._run(read, x, memory, state, coverage)
        gate, weights = said.gate, said.weights
        logs = network.log_probabilities(
            said.features.transpose(0, 1),
            None if gate is None else gate.transpose(0, 1),
            None if weights is None else weights.transpose(0, 1),
            sources,
        )
        after = [torch.cat(part) for part in zip(*state, strict=True)]
        fed = [said.features[0]] if decoder.feeding else []
        return logs[:, 0], *after, *fed, *([] if coverage is None else [coverage])


def exportable(model: Seq2Seq) -> Exportable:
    """The encoder and the decoder's step, and the vocabularies."""
    fitted = model.fitted
    network, dims = fitted.network, fitted.network.dims
    decoder, layers = network.decoder, len(network.decoder.recurrent)
    size = network.encoder.memory_size
    with torch.no_grad():
        keys = decoder.keys(torch.zeros(1, 1, size)).size(-1)
    state = (layers, "batch", dims.hidden_size)
    read = (
        Value("sources", ("steps", "batch"), "tokens, 0 behind the end"),
        Value("lengths", ("batch",), "tokens of each source, from 1"),
    )
    memory = [Value("values", ("batch", "steps", size), "what was read")]
    if decoder.attention is not None:
        memory.append(Value("keys", ("batch", "steps", keys), "what attention compares with"))
        memory.append(Value("valid", ("batch", "steps"), "which steps are no padding"))
    carried = [Value("h", state, "state of the decoder's layers"), Value("c", state, "their cell state")]
    memory += carried
    inputs = [*memory, *([read[0]] if dims.copy else [])]
    grown = [Value("fed", ("batch", dims.embedding_size), "what was about to be said, zeros first")] * decoder.feeding
    grown += [Value("coverage", ("batch", "steps"), "sums of earlier weights, zeros first")] * decoder.covers
    names = tuple(value.name for value in (*inputs, *grown))
    reader = Reader(network).eval()

    def sources(batch: int, steps: int) -> tuple[Tensor, Tensor]:
        drawn = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, steps + 1, (batch,), generator=drawn)
        lengths[-1] = steps
        return torch.randint(dims.sources, (steps, batch), generator=drawn), lengths

    def tokens(batch: int, steps: int) -> tuple[Tensor, ...]:
        asked = sources(batch, steps)
        with torch.no_grad():
            known = dict(zip((value.name for value in memory), reader(*asked), strict=True))
        known |= {"sources": asked[0], "fed": torch.zeros(batch, dims.embedding_size)}
        known["coverage"] = torch.zeros(batch, steps)
        return torch.arange(batch) % dims.targets, *(known[name] for name in names)

    outputs = [
        Value(f"{value.name}_n", value.shape, f"{value.meaning.partition(',')[0]}, to go on from")
        for value in (*carried, *grown)
    ]
    logs = Value("log_probabilities", ("batch", dims.targets), "of what follows")
    step = Part(
        Step(network, names).eval(),
        (Value("tokens", ("batch",), "what was said last"), *inputs, *grown),
        (logs, *outputs),
        tokens,
    )
    vocabulary = fitted.targets
    how = (
        f"The encoder reads once, the decoder then writes token by token, from {vocabulary.begin} (begin) until it "
        f"says {vocabulary.end} (end); what it gives under a name with _n goes in again under that name.",
        f"At most {fitted.plan.max_source:,} tokens of a source are read.",
    )
    files = {"tokenizer.json": fitted.sources.to_json()}
    if not model.config.shared:
        files["tokenizer-targets.json"] = vocabulary.to_json()
    return Exportable({"encoder": Part(reader, read, memory, sources), "decoder": step}, how, files)
