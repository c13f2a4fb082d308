"""Settings that all tests share."""

import os
import sys

# Small tensors: a second thread only makes the suite slow on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

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
