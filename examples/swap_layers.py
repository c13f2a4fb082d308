"""Put longshort's layers into a PyTorch model that exists already: the same numbers, and lengths, gates and streams."""

import torch

import longshort.nn


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(100, 16)
        self.lstm: torch.nn.Module = torch.nn.LSTM(16, 32, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(32, 5)

    def forward(self, words: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        options = {} if lengths is None else {"lengths": lengths}  # an option that only longshort's layers have
        y, _ = self.lstm(self.embed(words), **options)
        return self.head(y)  # type: ignore[no-any-return]


torch.manual_seed(0)
model = Tagger().eval()
words = torch.randint(100, (3, 8))  # three sentences, eight words
before = model(words)

for name, what in longshort.nn.replace(model).items():
    print(f"{name}: {what}")
print(f"largest difference in the answers: {(model(words) - before).abs().max():.1e}")

lengths = torch.tensor([8, 3, 5])  # a padded batch: no packing, no sorting
alone = model(words[1:2, :3])
print(f"a padded sentence and the same alone: {(model(words, lengths)[1, :3] - alone[0]).abs().max():.1e}")

lstm = model.lstm
assert isinstance(lstm, longshort.nn.LSTM)
gates = lstm.trace(model.embed(words), lengths=lengths)  # each (layers, directions, batch, time, units)
print("forget gate of the upper layer, mean by step:", [round(f.item(), 3) for f in gates.f[1, 0, 0].mean(dim=-1)])

step = lstm.stream()
answers = torch.stack([model.head(step(model.embed(word))) for word in words[0]])
print(f"word by word and all at once: {(answers - before[0]).abs().max():.1e}")
