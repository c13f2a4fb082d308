"""Workers on this machine: processes that are told their jobs, and tell their looks, in lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from longshort.errors import InputError, LongshortError
from longshort.estimator import Trial
from longshort.study.tuning.jobs import Job, Look, LostError, StoppedError
from longshort.training import Check

# What a job may end with, by name.
ERRORS: dict[str, type[LongshortError]] = {e.__name__: e for e in (LongshortError, InputError, StoppedError)}


class Process:
    """Does its jobs in a process of its own, which begins with the first one.

    Args:
        threads: that it computes with.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._child: subprocess.Popen[str] | None = None
        self._closed = False
        self._busy = threading.Lock()

    def train(self, job: Job, look: Look) -> Trial:
        """Train in the process.

        Raises:
            LostError: it died.
            CancelledError: it was closed.
        """
        with self._busy:
            child = self._running()
            self._tell(child, as_plain(job))
            assert child.stdout is not None
            for line in child.stdout:
                kind, content = json.loads(line)
                if kind == "look":
                    self._tell(child, look(*content))
                elif kind == "trial":
                    return to_trial(content)
                else:
                    raise ERRORS[kind](content)
            code = self._end()
        if self._closed:
            raise CancelledError
        raise LostError(f"a worker died with exit code {code}")

    def close(self) -> None:
        """End the process, whatever it does."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
        with self._busy:
            self._end()

    def _end(self) -> int | None:
        child, self._child = self._child, None
        if child is None:
            return None
        with child:  # waits, and closes the pipes
            pass
        return child.returncode

    def _running(self) -> subprocess.Popen[str]:
        if self._closed:
            raise CancelledError
        if self._child is None:
            threads = str(self.threads)
            environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
            self._child = subprocess.Popen(
                [sys.executable, "-m", "longshort.study.tuning.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=environment,
            )
        return self._child

    def _tell(self, child: subprocess.Popen[str], what: Any) -> None:
        assert child.stdin is not None
        line = json.dumps(what) + "\n"
        with contextlib.suppress(BrokenPipeError):  # it is gone, which the end of its output says
            child.stdin.write(line)
            child.stdin.flush()


def from_trial(trial: Trial) -> dict[str, Any]:
    """A trial as JSON."""
    checks = [[[c.step, c.training, c.validation] for c in looks] for looks in trial.checks]
    return {**vars(trial), "checks": checks}


def to_trial(values: Mapping[str, Any]) -> Trial:
    """The inverse of `from_trial`."""
    return Trial(**{**values, "checks": [[Check(*look) for look in looks] for looks in values["checks"]]})


def as_plain(job: Job) -> dict[str, Any]:
    """A job as JSON.

    Raises:
        InputError: its data are not in a file.
    """
    plain: dict[str, Any] = json.loads(json.dumps(job.to_json(), default=_path))
    return plain


def _path(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise InputError("several workers need data in a file: give its path, or search with one worker")
