"""Settings that all tests share."""

import base64
import gzip
import json
import os
import re
import sys

# Small tensors: a second thread only makes the suite slow on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# The machine may be busy; a slow example is no failure.
settings.register_profile("longshort", deadline=None)
settings.load_profile("longshort")


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs the command in this process: exit code, standard output, standard error."""
    from longshort import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["longshort", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as exited:
            cli.main()
        shown = capfd.readouterr()
        return exited.value.code or 0, shown.out, shown.err

    return run


@pytest.fixture(scope="session")
def gates():
    """Reads the gates out of a page: their description, and of each layer key -> values, (H, T)."""

    def read(html):
        meta = json.loads(re.search(r'<script type="application/json" class="meta">(.*?)</script>', html).group(1))
        packed = re.search(r'<script type="application/octet-stream" class="bytes">(.*?)</script>', html).group(1)
        flat, layers, place = np.frombuffer(gzip.decompress(base64.b64decode(packed)), np.uint8), [], 0
        for layer in meta["layers"]:
            of = {}
            for key in layer["keys"]:
                size = layer["units"] * layer["steps"]
                data = flat[place : place + size].reshape(layer["units"], layer["steps"]).astype(float)
                place += size
                reach = np.array(key["reach"])[:, None]
                of[key["key"]] = data / 255 if key["gate"] else (data - 128) / 127 * reach
            layers.append(of)
        assert place == len(flat)
        return meta, layers

    return read
