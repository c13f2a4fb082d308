"""Write a model with a longshort layer to an ONNX file, and run it there on batches of other shapes."""

import tempfile
from pathlib import Path

import onnxruntime
import torch

import longshort.nn


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(100, 16)
        self.lstm = longshort.nn.LSTM(16, 32, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(64, 5)

    def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        y, _ = self.lstm(self.embed(words), lengths=lengths)
        return self.head(y)  # type: ignore[no-any-return]


torch.manual_seed(0)
model = Tagger()
example = torch.randint(100, (3, 8)), torch.tensor([8, 3, 5])  # three sentences of up to eight words
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tagger.onnx"
    program = longshort.nn.export_onnx(model, example, path, input_names=["words", "lengths"])
    print("nodes:", *(node.op_type for node in program.model.graph))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

for batch, time in ((3, 8), (1, 1), (20, 50)):
    words, lengths = torch.randint(100, (batch, time)), torch.randint(1, time + 1, (batch,))
    (answer,) = session.run(None, {"words": words.numpy(), "lengths": lengths.numpy()})
    difference = (torch.as_tensor(answer) - model(words, lengths)).abs().max()
    print(f"{batch} sentences of {time} words: largest difference {difference:.1e}")
