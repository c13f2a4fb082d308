"""The training loop that all tasks share: Lightning, with averaged weights, early stopping and exact resumption.

A step's batch and its dropout depend on nothing but the seed and the step's number, what a problem carries from step
to step lies in the checkpoint, and one Lightning epoch is the stretch between two looks at the validation split, at
whose end a checkpoint is written. So a killed training that is resumed repeats at most one stretch and ends with the
same bits.
"""

from __future__ import annotations

import logging
import math
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from longshort.errors import InputError, LongshortError
from longshort.training.checkpoint import SafetensorsIO
from longshort.training.problem import Problem, Turn
from longshort.training.processes import strategy
from longshort.training.progress import Watcher
from longshort.training.settings import Check, Hardware, Schedule

BatchT = TypeVar("BatchT")

VALIDATION = "validation"


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

    Without a validation split it ends with the averaged weights of the last step.

    Args:
        problem: data and loss.
        schedule: how long and how fast.
        seed: of batches and dropout; the initial weights are the caller's.
        hardware: where.
        checkpoints: folder for last.safetensors and best.safetensors; if there is a last one, training goes on from it.
        watcher: told of every step and every look at the validation split; of a resumed training first of the looks
            that the checkpoint knows.

    Returns:
        One `Check` for every look, those before a resumption included.

    Raises:
        KeyboardInterrupt: stopped with Ctrl-C; the checkpoints are there.
        InputError: a checkpoint is damaged, or there is no such hardware.
        LongshortError: the training diverged.
    """
    module = _Module(problem, schedule, seed, watcher, checkpoints)
    if module.last.exists():
        module.checks = _checks(SafetensorsIO().load_checkpoint(module.last))
        for check in module.checks:  # whoever was told of them may be gone, or was not reached
            watcher.check(check)
    if not module.finished:
        with _quiet(), _interruptible():
            trainer = _trainer(
                hardware,
                max_epochs=math.ceil(schedule.steps / schedule.check_every),
                reload_dataloaders_every_n_epochs=1,
                callbacks=[_Averaging()],
                plugins=[SafetensorsIO()],
            )
            trainer.fit(module, ckpt_path=module.last if module.last.exists() else None)
        module.checks = _checks(SafetensorsIO().load_checkpoint(module.last))  # other processes may have made them
    if not math.isfinite(_loss(module.checks[module.choice])):
        raise LongshortError("the training diverged, its loss is not finite: lower the learning rate")
    state = SafetensorsIO().load_checkpoint(module.best if module.validation else module.last)["state_dict"]
    problem.network.load_state_dict(
        {key.removeprefix("average.module."): v for key, v in state.items() if key.startswith("average.module.")}
    )
    problem.network.eval()
    return module.checks


def check_hardware(hardware: Hardware) -> None:
    """Refuse, with an InputError, what Lightning cannot train on here."""
    with _quiet():
        _trainer(hardware)


def _trainer(hardware: Hardware, **options: Any) -> lightning.Trainer:
    try:
        return lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            precision=hardware.precision,  # type: ignore[arg-type]
            num_nodes=hardware.num_nodes,
            strategy=strategy(hardware),
            logger=False,
            enable_checkpointing=False,  # `_Module` writes its own
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **options,
        )
    except (ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError(f"cannot train on {hardware}: {reason}; choose another one") from None


def _checks(checkpoint: dict[str, Any]) -> list[Check]:
    return [Check(*values) for values in checkpoint["checks"]]


def _loss(check: Check) -> float:
    """What the best look is chosen by: the validation loss if there is one; infinite where it is not finite."""
    loss = check.training if check.validation is None else check.validation
    return loss if math.isfinite(loss) else math.inf


class _Steps(Dataset[BatchT], Generic[BatchT]):
    """The training batches of one stretch, made when asked for."""

    def __init__(self, module: _Module, length: int) -> None:
        self.module, self.length = module, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> BatchT:
        module, parts = self.module, self.module.trainer.world_size
        rng = np.random.default_rng([module.seed, module.current_epoch, index])
        step = module.current_epoch * module.schedule.check_every + index // parts
        batch: BatchT = module.problem.training_batch(Turn(step, index % parts, parts, rng))
        return batch


class _List(Dataset[BatchT], Generic[BatchT]):
    def __init__(self, batches: Sequence[BatchT]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> BatchT:
        return self.batches[index]


class _Module(lightning.LightningModule):
    def __init__(
        self, problem: Problem[Any], schedule: Schedule, seed: int, watcher: Watcher, checkpoints: Path
    ) -> None:
        super().__init__()
        self.problem, self.schedule, self.seed, self.watcher = problem, schedule, seed, watcher
        self.last, self.best = checkpoints / "last.safetensors", checkpoints / "best.safetensors"
        self.network = problem.network
        self.average = AveragedModel(problem.network, multi_avg_fn=_ema(schedule.averaging))
        self.average.requires_grad_(False).eval()
        self.validation = problem.validation_batches()
        self.checks: list[Check] = []
        self._losses: list[Tensor] = []

    def train_dataloader(self) -> DataLoader[Any]:
        length = min(self.schedule.check_every, self.schedule.steps - self.global_step)
        return DataLoader(_Steps[Any](self, length * self.trainer.world_size), batch_size=None)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(_List(self.validation), batch_size=None)

    def configure_optimizers(self) -> Any:
        s = self.schedule
        # In one pass over the weights: with large embeddings the plain one takes longer than the gradients. Where
        # gradients are scaled, as in float16, such an optimiser undoes that itself, too late for clipping.
        fused = self.device.type in ("cpu", "cuda") and self.trainer.precision != "16-mixed"
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay, fused=fused
        )
        scheduler: Any = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=(s.cosine or s.steps) - s.warmup)
        if s.warmup:
            rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / s.warmup, total_iters=s.warmup)
            scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, scheduler], [s.warmup])
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Shorten gradients; Lightning's own way refuses a fused optimiser in mixed precision."""
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)

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

    def on_train_epoch_end(self) -> None:
        """Look at what was learnt, and write the best and the last state.

        The best comes first: killed between the two, the training goes on from the older last one and writes it again.
        """
        validation = float(self.trainer.callback_metrics[VALIDATION]) if self.validation else None
        check = Check(self.global_step, float(torch.stack(self._losses).mean()), validation)
        self.checks.append(check)
        if self.validation and self.choice == len(self.checks) - 1:
            self.trainer.save_checkpoint(self.best)
        self.trainer.save_checkpoint(self.last)
        self.trainer.should_stop = self.finished
        self.watcher.check(check)

    @property
    def choice(self) -> int:
        """The look whose weights are kept: the best one, or the last one where nothing is validated."""
        losses = [_loss(check) for check in self.checks]
        return losses.index(min(losses)) if self.validation else len(losses) - 1

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or the best look lies further back than the schedule's patience."""
        if not self.checks:
            return False
        return self.checks[-1].step >= self.schedule.steps or (
            len(self.checks) - 1 - self.choice >= self.schedule.patience
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["checks"] = [[c.step, c.training, c.validation] for c in self.checks]
        memory = self.problem.memory()
        # Each process has a memory of its own; the checkpoint has them all, (processes, …).
        alone = self.trainer.world_size == 1
        checkpoint["memory"] = {k: v.unsqueeze(0) if alone else self.all_gather(v) for k, v in memory.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.checks = _checks(checkpoint)
        memory: dict[str, Tensor] = checkpoint["memory"]
        self.problem.remember({k: v[self.global_rank % len(v)].to(self.device) for k, v in memory.items()})


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
    """Turn what Lightning makes of Ctrl-C back into a KeyboardInterrupt, and Ctrl-C back into what it was."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except BaseException as error:
        if not _is_ctrl_c(error):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def _is_ctrl_c(error: BaseException | None) -> bool:
    """Whether an error is a KeyboardInterrupt, or came up while one was handled (an exit, a failing clean-up)."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_ctrl_c(error.__context__))
