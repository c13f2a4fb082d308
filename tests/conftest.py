"""Settings that all tests share."""

import os

# Small tensors: a second thread only makes the suite slow on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from hypothesis import settings

torch.set_num_threads(1)
# The machine may be busy; a slow example is no failure.
settings.register_profile("longshort", deadline=None)
settings.load_profile("longshort")
