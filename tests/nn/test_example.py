"""The example that we ship runs, and says what it promises."""

import re
import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "swap_layers.py"


def test_swap_layers(capsys):
    runpy.run_path(str(EXAMPLE))
    said = capsys.readouterr().out
    assert "lstm: torch.nn.LSTM(16, 32, num_layers=2, batch_first=True) → longshort.nn.LSTM" in said
    differences = [float(number) for number in re.findall(r": (\d\.\de[+-]\d+)$", said, re.MULTILINE)]
    assert len(differences) == 3
    assert max(differences) < 1e-6
