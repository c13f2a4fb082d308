"""Training on several devices or machines: which processes there are, and which of them speaks for all."""

from __future__ import annotations

import os

from longshort.training.settings import Hardware


def is_main() -> bool:
    """Whether this process creates and writes the run; True unless a launcher such as torchrun says otherwise."""
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) == 0


def strategy(hardware: Hardware) -> str:
    """Lightning's name for how to use the devices.

    Started by a launcher, every process is there already. Else the processes are forked for the time of one training,
    so that what comes before and after it runs once.
    """
    if "RANK" in os.environ or "SLURM_PROCID" in os.environ:
        return "ddp"
    return "ddp_fork" if _several(hardware) else "auto"


def _several(hardware: Hardware) -> bool:
    if isinstance(hardware.devices, int):
        return hardware.devices not in (0, 1)
    if hardware.devices == "auto" and hardware.accelerator in ("auto", "gpu", "cuda"):
        import torch

        return torch.cuda.device_count() > 1
    return "," in hardware.devices or hardware.devices == "-1"
