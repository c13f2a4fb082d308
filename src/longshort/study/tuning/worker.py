"""The process behind `Process`: `python -m longshort.study.tuning.worker`. It ends with the process that began it."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from longshort.errors import LongshortError
from longshort.study.tuning.jobs import Job, train
from longshort.study.tuning.processes import ERRORS, from_trial
from longshort.training import Progress, Watcher


def main() -> None:
    """Do jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that began us
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    for line in sys.stdin:
        _do(Job.from_json(json.loads(line)), answers)


def _do(job: Job, answers: TextIO) -> None:
    try:
        done = train(job, lambda *look: _asked(answers, look), _Orphans())
    except LongshortError as error:
        name = type(error).__name__
        _say(answers, name if name in ERRORS else LongshortError.__name__, str(error))
    else:
        _say(answers, "trial", from_trial(done))


def _asked(answers: TextIO, look: tuple[int, float]) -> bool:
    _say(answers, "look", look)
    answer = sys.stdin.readline()
    if not answer:
        sys.exit(1)
    return bool(json.loads(answer))


def _say(answers: TextIO, kind: str, content: Any) -> None:
    try:
        answers.write(json.dumps([kind, content]) + "\n")
        answers.flush()
    except BrokenPipeError:
        os._exit(1)


class _Orphans(Progress):
    """Ends the training at the next step when nobody waits for it any more."""

    @contextmanager
    def training(self, title: str, steps: int) -> Iterator[Watcher]:
        yield _Orphan()


class _Orphan:
    def step(self, number: int) -> None:
        # Between two looks nothing comes in but the end of the pipe.
        if select.select([sys.stdin], [], [], 0)[0]:
            os._exit(1)

    def check(self, check: Any) -> None: ...


if __name__ == "__main__":
    main()
