"""The training loop that all tasks share: Lightning, with averaged weights, early stopping and exact resumption.

A step's batch and its dropout depend on nothing but the seed and the step's number, and one Lightning epoch is the
stretch between two looks at the validation split, at whose end a checkpoint is written. So a killed training that is
resumed repeats at most one stretch and ends with the same bits.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from longshort.training.checkpoint import SafetensorsIO
from longshort.training.progress import Watcher
from longshort.training.settings import Check, Hardware, Schedule

BatchT = TypeVar("BatchT")

VALIDATION = "validation"


class Problem(Protocol[BatchT]):
    """What a task gives to the loop."""

    network: nn.Module

    def training_batch(self, rng: np.random.Generator) -> BatchT:
        """A batch drawn with nothing but `rng`."""
        ...

    def validation_batches(self) -> Sequence[BatchT]:
        """The validation split, the same at every call."""
        ...

    def loss(self, network: nn.Module, batch: BatchT) -> tuple[Tensor, int]:
        """Mean loss (scalar) and the number of values that it is the mean of."""
        ...


def train(
    problem: Problem[Any],
    schedule: Schedule,
    *,
    seed: int,
    hardware: Hardware,
    checkpoints: Path,
    watcher: Watcher,
) -> list[Check]:
    """Train `problem.network` in place and leave it with the averaged weights that validated best.

    Args:
        problem: data and loss.
        schedule: how long and how fast.
        seed: of batches and dropout; the initial weights are the caller's.
        hardware: where.
        checkpoints: folder for last.safetensors and best.safetensors; if there is a last one, training goes on from it.
        watcher: told of every step and every look at the validation split.

    Returns:
        One `Check` for every look, those before a resumption included.

    Raises:
        KeyboardInterrupt: stopped with Ctrl-C; the checkpoints are there.
        InputError: a checkpoint is damaged.
    """
    module = _Module(problem, schedule, seed, watcher)
    best = ModelCheckpoint(
        dirpath=checkpoints, filename="best", monitor=VALIDATION, save_last=True, enable_version_counter=False
    )
    best.FILE_EXTENSION = ".safetensors"
    last = checkpoints / "last.safetensors"
    with _quiet(), _interruptible():
        trainer = lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            precision=hardware.precision,  # type: ignore[arg-type]
            num_nodes=hardware.num_nodes,
            max_steps=schedule.steps,
            gradient_clip_val=schedule.clip,
            callbacks=[_Averaging(), EarlyStopping(VALIDATION, patience=schedule.patience), best],
            plugins=[SafetensorsIO()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, ckpt_path=last if last.exists() else None)
    state = SafetensorsIO().load_checkpoint(checkpoints / "best.safetensors")["state_dict"]
    problem.network.load_state_dict(
        {key.removeprefix("average.module."): v for key, v in state.items() if key.startswith("average.module.")}
    )
    problem.network.eval()
    return module.checks


class _Steps(Dataset[BatchT], Generic[BatchT]):
    """The training batches of one stretch, made when asked for."""

    def __init__(self, module: _Module, length: int) -> None:
        self.module, self.length = module, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> BatchT:
        rng = np.random.default_rng([self.module.seed, self.module.current_epoch, index])
        batch: BatchT = self.module.problem.training_batch(rng)
        return batch


class _List(Dataset[BatchT], Generic[BatchT]):
    def __init__(self, batches: Sequence[BatchT]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> BatchT:
        return self.batches[index]


class _Module(lightning.LightningModule):
    def __init__(self, problem: Problem[Any], schedule: Schedule, seed: int, watcher: Watcher) -> None:
        super().__init__()
        self.problem, self.schedule, self.seed, self.watcher = problem, schedule, seed, watcher
        self.network = problem.network
        self.average = AveragedModel(problem.network, multi_avg_fn=_ema(schedule.averaging))
        self.average.eval()
        self.checks: list[Check] = []
        self._losses: list[Tensor] = []

    def train_dataloader(self) -> DataLoader[Any]:
        length = self.schedule.check_every * self.trainer.world_size
        return DataLoader(_Steps[Any](self, length), batch_size=None)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(_List(self.problem.validation_batches()), batch_size=None)

    def configure_optimizers(self) -> Any:
        s = self.schedule
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=s.steps)
        return [optimizer], [{"scheduler": cosine, "interval": "step"}]

    def on_train_epoch_start(self) -> None:
        self._losses = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        torch.manual_seed(hash((self.seed, self.global_step, self.global_rank)) % 2**63)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, _ = self.problem.loss(self.network, batch)
        self._losses.append(loss.detach())
        self.watcher.step(self.global_step + 1)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, count = self.problem.loss(self.average.module, batch)
        self.log(VALIDATION, loss, on_epoch=True, batch_size=count, sync_dist=self.trainer.world_size > 1)

    def on_validation_epoch_end(self) -> None:
        training = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        check = Check(self.global_step, training, float(self.trainer.callback_metrics[VALIDATION]))
        self.checks.append(check)
        self.watcher.check(check)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["checks"] = [[c.step, c.training, c.validation] for c in self.checks]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.checks = [Check(*values) for values in checkpoint["checks"]]


def _ema(decay: float) -> Any:
    return get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]


class _Averaging(Callback):
    """Updates the averaged weights after every step."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        pl_module.average.update_parameters(pl_module.network)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's hints, which are meant for its own users, from ours."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Lightning's exit on Ctrl-C back into a KeyboardInterrupt, and Ctrl-C back into what it was."""
    try:
        handler = signal.getsignal(signal.SIGINT)
        yield
    except SystemExit as exit_:
        if isinstance(exit_.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise
