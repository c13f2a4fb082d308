"""The core runs in PyTorch's threads: these spin for a while after an operation, and others would share their cores."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch

from longshort import _core

_FUNCTIONS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", "omp_get_max_threads")


def borrow_threads() -> bool:
    """Have the core use the OpenMP library that PyTorch is linked to. Whether there is one."""
    for library in (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"):
        try:
            functions = [getattr(ctypes.CDLL(str(library)), name) for name in _FUNCTIONS]
        except (OSError, AttributeError):
            continue
        addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions]
        _core.borrow_threads(*addresses)
        return True
    return False
