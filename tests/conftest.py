"""Settings that all tests share."""

import torch

# Small tensors: a second thread only makes the suite slow on a busy machine.
torch.set_num_threads(1)
