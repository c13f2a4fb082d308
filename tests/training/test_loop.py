"""The loop on a problem with a known answer: it learns, keeps the best weights, stops, and resumes bit for bit."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from toy import SCHEDULE, TRUE, LeastSquares, Watcher, run, state

from longshort.errors import InputError, LongshortError
from longshort.training import Check, Hardware
from longshort.training.checkpoint import SafetensorsIO
from longshort.training.problem import Turn


class Killed(BaseException):
    """Ends a training at once, as a kill does."""


def killed():
    raise Killed


@pytest.fixture(scope="module", params=[True, False], ids=["validated", "unvalidated"])
def whole(request, tmp_path_factory):
    """A training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    problem, checks, watcher = run(folder, problem=LeastSquares(dropout=0.2, validated=request.param))
    return problem, checks, watcher


def interrupt(folder, at, action=killed, *, validated=True, expected=Killed, **options):
    with pytest.raises(expected):
        run(folder, problem=LeastSquares(dropout=0.2, validated=validated), watcher=Watcher(at, action), **options)


# -- learning ----------------------------------------------------------------------------------------------------------


def test_it_finds_the_answer(tmp_path):
    problem, checks, _ = run(
        tmp_path, problem=LeastSquares(noise=0.0), schedule=replace(SCHEDULE, steps=400, check_every=50, weight_decay=0)
    )
    np.testing.assert_allclose(problem.network[1].weight.numpy(force=True), TRUE, atol=1e-3)
    assert checks[-1].validation < 1e-5
    assert not problem.network.training


@pytest.mark.parametrize(("steps", "every"), [(24, 4), (10, 4), (3, 5), (1, 1)])
@pytest.mark.parametrize("validated", [True, False])
def test_a_look_after_every_stretch_and_one_at_the_end(tmp_path, steps, every, validated):
    problem = LeastSquares(validated=validated)
    _, checks, watcher = run(tmp_path, problem=problem, schedule=replace(SCHEDULE, steps=steps, check_every=every))
    assert watcher.steps == list(range(1, steps + 1))
    assert watcher.checks == checks
    assert [c.step for c in checks] == [*range(every, steps, every), steps]
    assert all((c.validation is not None) == validated for c in checks)


def rate(step, schedule):
    """A straight rise, then a cosine down to 0 (Loshchilov & Hutter 2017, equation 5)."""
    if step < schedule.warmup:
        return (1 + step * (1 - 1 / schedule.warmup)) / schedule.warmup
    return (1 + np.cos(np.pi * (step - schedule.warmup) / (schedule.steps - schedule.warmup))) / 2


def averaged(problem, schedule, seed, precision):
    """The loop once more in ten lines of plain PyTorch: AdamW, cosine, clipping, moving average; losses too."""
    network, losses = problem.network, []
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    average = None
    network.train()
    for step in range(schedule.steps):
        rng = np.random.default_rng([seed, step // schedule.check_every, step % schedule.check_every])
        optimizer.param_groups[0]["lr"] = schedule.learning_rate * rate(step, schedule)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss, _ = problem.loss(network, problem.training_batch(Turn(step, 0, 1, rng)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
        optimizer.step()
        losses.append(loss.item())
        now = [p.detach().clone() for p in network.parameters()]
        d = schedule.averaging
        average = now if average is None else [d * a + (1 - d) * b for a, b in zip(average, now, strict=True)]
        yield average, losses


@pytest.mark.parametrize("warmup", [0, 1, 5])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_is_adamw_with_cosine_clipping_and_a_moving_average(tmp_path, warmup, precision):
    schedule = replace(SCHEDULE, steps=12, weight_decay=0.1, warmup=warmup, clip=0.5)
    given = {"schedule": schedule, "seed": 7, "precision": precision}
    problem, checks, _ = run(tmp_path, problem=LeastSquares(validated=False), **given)
    *_, (average, losses) = averaged(LeastSquares(validated=False), **given)
    for ours, theirs in zip(problem.network.parameters(), average, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    assert [c.training for c in checks] == pytest.approx([np.mean(losses[k : k + 4]) for k in (0, 4, 8)], rel=1e-5)


def test_the_validation_loss_is_the_mean_over_the_values_of_all_batches(tmp_path):
    problem, checks, _ = run(tmp_path, problem=LeastSquares(), schedule=replace(SCHEDULE, steps=4))
    x, y = (torch.cat(parts) for parts in zip(*problem.validation_batches(), strict=True))
    assert checks[-1].validation == pytest.approx(((problem.network(x) - y) ** 2).mean().item(), rel=1e-5)


# -- the best weights, and when to stop --------------------------------------------------------------------------------


class Detour(LeastSquares):
    """Validates against another answer than it learns, so that it comes near and goes past."""

    def validation_batches(self):
        x = torch.eye(3)
        return [(x, x @ torch.tensor(0.5 * TRUE, dtype=torch.float32).T)]


def own_loss(problem):
    return problem.loss(problem.network, problem.validation_batches()[0])[0].item()


def test_the_best_weights_are_restored(tmp_path):
    schedule = replace(SCHEDULE, steps=60, check_every=2, patience=100, averaging=0.1)
    problem, checks, _ = run(tmp_path, problem=Detour(noise=0.0), schedule=schedule)
    losses = [c.validation for c in checks]
    best = losses.index(min(losses))
    assert 2 < best < len(losses) - 3  # neither end would tell the best from the last or the first
    assert own_loss(problem) == pytest.approx(losses[best], rel=1e-6)
    assert losses[-1] > 1.5 * losses[best]


def test_it_stops_when_looks_bring_nothing(tmp_path):
    schedule = replace(SCHEDULE, steps=400, check_every=2, patience=3, averaging=0.1)
    problem, checks, watcher = run(tmp_path, problem=Detour(noise=0.0), schedule=schedule)
    losses = [c.validation for c in checks]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3
    assert watcher.steps[-1] == checks[-1].step < 400
    assert own_loss(problem) == pytest.approx(min(losses), rel=1e-6)
    # Killed after the last look, but before anybody took notice: it is over all the same.
    again, same_checks, silent = run(tmp_path, problem=Detour(noise=0.0), schedule=schedule)
    assert (same_checks, silent.steps, state(again)) == (checks, [], state(problem))


def test_a_finished_training_is_not_trained_on(tmp_path, whole):
    problem, checks, _ = whole
    validated = checks[0].validation is not None
    run(tmp_path, problem=LeastSquares(dropout=0.2, validated=validated))
    again, same_checks, silent = run(tmp_path, problem=LeastSquares(dropout=0.2, validated=validated))
    assert (same_checks, silent.steps, state(again)) == (checks, [], state(problem))


class Diverging(LeastSquares):
    def loss(self, network, batch):
        loss, count = super().loss(network, batch)
        return loss * float("nan"), count


@pytest.mark.parametrize("validated", [True, False])
def test_a_training_that_diverges_says_so(tmp_path, validated):
    with pytest.raises(LongshortError, match=r"training diverged.*lower the learning rate"):
        run(tmp_path, problem=Diverging(validated=validated))


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(tmp_path, whole):
    problem, checks, _ = whole
    validated = checks[0].validation is not None
    torch.manual_seed(123)  # what others draw does not matter
    again, again_checks, _ = run(tmp_path / "a", problem=LeastSquares(dropout=0.2, validated=validated))
    assert (state(again), again_checks) == (state(problem), checks)
    other, _, _ = run(tmp_path / "b", problem=LeastSquares(dropout=0.2, validated=validated), seed=2)
    assert state(other) != state(problem)


# -- interruption ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 4, 5, 8, 14, 23, 24])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, whole, at):
    problem, checks, _ = whole
    validated = checks[0].validation is not None
    interrupt(tmp_path, at, validated=validated)
    resumed, resumed_checks, watcher = run(tmp_path, problem=LeastSquares(dropout=0.2, validated=validated))
    assert (state(resumed), resumed_checks) == (state(problem), checks)
    done = (at - 1) // 4 * 4  # what the checkpoint before the kill holds is not done again
    assert watcher.steps == list(range(done + 1, 25))


class Carrying(LeastSquares):
    """Carries a number from step to step, and learns from it."""

    carried = torch.zeros(())

    def loss(self, network, batch):
        x, y = batch
        if network.training:
            self.carried = 0.9 * self.carried + x.mean()
            return ((network(x) - y - self.carried) ** 2).mean(), len(x)
        return super().loss(network, batch)

    def memory(self):
        return {"carried": self.carried}

    def remember(self, memory):
        self.carried = memory["carried"]


@pytest.mark.parametrize("at", [3, 4, 14])
def test_what_is_carried_from_step_to_step_is_resumed(tmp_path, at):
    problem, checks, _ = run(tmp_path / "whole", problem=Carrying())
    with pytest.raises(Killed):
        run(tmp_path / "cut", problem=Carrying(), watcher=Watcher(at, killed))
    resumed, resumed_checks, _ = run(tmp_path / "cut", problem=Carrying())
    assert (state(resumed), resumed_checks) == (state(problem), checks)
    assert state(resumed) != state(run(tmp_path / "forgetful")[0])


def test_every_step_has_its_turn(tmp_path):
    turns = []

    class Watched(LeastSquares):
        def training_batch(self, turn):
            turns.append((turn.step, turn.part, turn.parts))
            return super().training_batch(turn)

    run(tmp_path, problem=Watched())
    assert turns == [(step, 0, 1) for step in range(24)]


def test_interrupted_again_and_again(tmp_path, whole):
    problem, checks, _ = whole
    validated = checks[0].validation is not None
    for at in (3, 6, 7, 13, 22):
        interrupt(tmp_path, at, validated=validated)
    resumed, resumed_checks, _ = run(tmp_path, problem=LeastSquares(dropout=0.2, validated=validated))
    assert (state(resumed), resumed_checks) == (state(problem), checks)


def test_a_run_that_was_moved_goes_on(tmp_path):
    """The best look came before the interruption; its score and its weights must be found in the new place."""
    schedule = replace(SCHEDULE, steps=60, check_every=2, patience=100, averaging=0.1)
    whole, checks, _ = run(tmp_path / "whole", problem=Detour(noise=0.0), schedule=schedule)
    with pytest.raises(Killed):
        run(tmp_path / "old", problem=Detour(noise=0.0), schedule=schedule, watcher=Watcher(59, killed))
    shutil.move(tmp_path / "old", tmp_path / "new")
    moved, moved_checks, _ = run(tmp_path / "new", problem=Detour(noise=0.0), schedule=schedule)
    assert (state(moved), moved_checks) == (state(whole), checks)


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_killed_while_a_checkpoint_is_written(tmp_path, monkeypatch, name):
    """The best and the last weights may be one stretch apart; the end is the same. Killed at the look that is best."""
    schedule = replace(SCHEDULE, steps=60, check_every=2, patience=100, averaging=0.1)
    whole, checks, _ = run(tmp_path / "whole", problem=Detour(noise=0.0), schedule=schedule)
    losses = [c.validation for c in checks]
    best = losses.index(min(losses))
    improved = sum(losses[k] < min(losses[:k], default=np.inf) for k in range(best + 1))
    fatal = {"best.safetensors": improved, "last.safetensors": best + 1}[name]
    save, written = SafetensorsIO.save_checkpoint, []

    def killed_at_the_best(self, checkpoint, path, storage_options=None):
        written.append(Path(path).name)
        if written.count(name) == fatal:
            raise Killed
        save(self, checkpoint, path)

    monkeypatch.setattr(SafetensorsIO, "save_checkpoint", killed_at_the_best)
    with pytest.raises(Killed):
        run(tmp_path / "cut", problem=Detour(noise=0.0), schedule=schedule)
    monkeypatch.setattr(SafetensorsIO, "save_checkpoint", save)
    resumed, resumed_checks, _ = run(tmp_path / "cut", problem=Detour(noise=0.0), schedule=schedule)
    assert (state(resumed), resumed_checks) == (state(whole), checks)


def test_ctrl_c_is_raised_and_can_be_resumed(tmp_path, whole):
    problem, checks, _ = whole
    validated = checks[0].validation is not None
    handler = signal.getsignal(signal.SIGINT)
    interrupt(
        tmp_path, 10, lambda: os.kill(os.getpid(), signal.SIGINT), validated=validated, expected=KeyboardInterrupt
    )
    assert signal.getsignal(signal.SIGINT) is handler
    resumed, resumed_checks, _ = run(tmp_path, problem=LeastSquares(dropout=0.2, validated=validated))
    assert (state(resumed), resumed_checks) == (state(problem), checks)


@pytest.mark.parametrize("moment", ["training_batch", "loss", "validation_step", "clean-up"])
def test_ctrl_c_at_any_moment(tmp_path, monkeypatch, moment):
    """Also where Lightning, cleaning up, fails on its own half-built state."""
    import lightning.pytorch as lightning

    def stop(*args):
        raise KeyboardInterrupt

    def fail(*args):
        raise RuntimeError("Please call `iter(combined_loader)` first.")

    problem = LeastSquares()
    if moment == "validation_step":
        monkeypatch.setattr("longshort.training.loop._Module.validation_step", stop)
    else:
        setattr(problem, "loss" if moment == "clean-up" else moment, stop)
    if moment == "clean-up":
        monkeypatch.setattr(lightning.Trainer, "_teardown", fail)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, problem=problem)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_fault_of_the_problem_comes_through(tmp_path):
    class FaultyError(Exception):
        pass

    def fail():
        raise FaultyError

    interrupt(tmp_path, 6, fail, expected=FaultyError)


def test_a_damaged_checkpoint(tmp_path):
    interrupt(tmp_path, 10)
    last = tmp_path / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"last\.safetensors is damaged: start again with --overwrite"):
        run(tmp_path)


def test_killed_for_good_and_resumed(tmp_path, whole):
    """The real thing: another process, SIGKILL in the middle of a stretch."""
    problem, checks, _ = whole
    kind = "unvalidated" if checks[0].validation is None else "validated"
    command = [sys.executable, toy.__file__, str(tmp_path), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 10:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "last.safetensors").exists()
    resumed, resumed_checks, watcher = run(tmp_path, problem=LeastSquares(dropout=0.2, validated=kind == "validated"))
    assert (state(resumed), resumed_checks) == (state(problem), checks)
    assert watcher.steps[0] > 4
    assert watcher.checks == checks  # of those before the resumption too


def test_checkpoints_are_safetensors(tmp_path):
    run(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"best.safetensors", "last.safetensors"}
    for path in tmp_path.iterdir():
        saved = SafetensorsIO().load_checkpoint(path)
        assert all(isinstance(Check(*values).step, int) for values in saved["checks"])
        assert path.read_bytes()[8:9] == b"{"  # the header's JSON, neither a pickle nor a zip file


# -- hardware ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hardware",
    [
        Hardware(accelerator="nope"),
        Hardware(devices="abc"),
        Hardware(devices=0),
        Hardware(devices=-1),
        Hardware(precision="99"),
        Hardware(num_nodes=0),
        pytest.param(
            Hardware(accelerator="gpu"), marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
        ),
    ],
    ids=str,
)
def test_hardware_that_is_not_there(hardware):
    from longshort.training.loop import check_hardware

    with pytest.raises(InputError, match="cannot train on") as caught:
        check_hardware(hardware)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hardware", [Hardware(), Hardware(accelerator="auto", devices="auto")], ids=str)
def test_hardware_that_is_there(hardware):
    from longshort.training.loop import check_hardware

    check_hardware(hardware)
