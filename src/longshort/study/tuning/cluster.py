"""Workers on a Ray cluster: every trial is a task of Ray's, and its looks come by way of an actor beside the search.

Ray says where there is room and when a process or a machine is gone; what is tried, and what is known, stays with the
search. The run directory and the data must lie where all machines find them under the same path; where the checkpoints
do not, a trial whose machine is lost begins again.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import Any

from longshort.errors import InputError, LongshortError
from longshort.estimator import Trial
from longshort.study.tuning.jobs import Job, Look, LostError, train
from longshort.study.tuning.processes import ERRORS, as_plain, from_trial, to_trial

# How often a search that waits wakes up, in seconds, lest it miss Ctrl-C.
AWAKE = 0.5
Seen = tuple[int, float]


class Mailbox:
    """Looks on their way to the search, and its answers on their way back: an actor, whose methods may all wait."""

    def __init__(self) -> None:
        self._looks: dict[str, asyncio.Queue[Seen]] = {}
        self._answers: dict[str, asyncio.Queue[bool]] = {}

    async def ask(self, name: str, look: Seen) -> bool:
        """What a task tells, until it is answered."""
        await self._of(self._looks, name).put(look)
        return bool(await self._of(self._answers, name).get())

    async def next(self, name: str) -> Seen:
        """The next look of a job."""
        look: Seen = await self._of(self._looks, name).get()
        return look

    async def answer(self, name: str, go_on: bool) -> None:
        """Let a job go on, or not."""
        await self._of(self._answers, name).put(go_on)

    def _of(self, queues: dict[str, Any], name: str) -> Any:
        return queues.setdefault(name, asyncio.Queue())


class RayWorker:
    """Does one job at a time, wherever the cluster has room.

    Args:
        mailbox: the actor.
        task: the remote function.
    """

    def __init__(self, mailbox: Any, task: Any) -> None:
        self.mailbox, self.task = mailbox, task
        self._running: Any = None
        self._tries = 0

    def train(self, job: Job, look: Look) -> Trial:
        """Train on the cluster.

        Raises:
            LostError: the process or the machine is gone.
        """
        import ray

        self._tries += 1
        name = f"{job.checkpoints} {self._tries}"  # a look that was on its way when a task died is not the next one's
        task = self.task.options(num_gpus=1) if job.hardware.accelerator in ("gpu", "cuda") else self.task
        running = self._running = task.remote(self.mailbox, name, as_plain(job))
        coming = self.mailbox.next.remote(name)
        while True:
            ready, _ = ray.wait([running, coming], num_returns=1, timeout=AWAKE)
            if coming in ready:
                self.mailbox.answer.remote(name, look(*ray.get(coming)))
                coming = self.mailbox.next.remote(name)
            elif running in ready:
                return self._result(running)

    def close(self) -> None:
        """End what runs."""
        import ray

        if self._running is not None and ray.is_initialized():
            ray.cancel(self._running, force=True)

    def _result(self, running: Any) -> Trial:
        import ray

        try:
            kind, content = ray.get(running)
        except ray.exceptions.RayTaskError as error:
            raise LongshortError(f"a worker failed: {str(error).strip().splitlines()[-1]}") from None
        except ray.exceptions.RayError as error:
            raise LostError(f"a worker died ({type(error).__name__})") from None
        if kind in ERRORS:
            raise ERRORS[kind](content)
        return to_trial(content)


def connect(count: int) -> Sequence[RayWorker]:
    """Workers on the cluster that RAY_ADDRESS names, or on the one of this machine, which is begun if there is none.

    Args:
        count: trials side by side, which share the CPUs of the cluster; with `--accelerator gpu` each has a GPU too.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise InputError("a search on a cluster needs Ray: pip install 'longshort[ray]'") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's are for its own users
        if not ray.is_initialized():
            try:
                ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise InputError(f"no Ray cluster can be reached ({' '.join(str(error).split())})") from None
        here = ray.get_runtime_context().get_node_id()
        near = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        mailbox = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=1000, scheduling_strategy=near).remote()
        cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        threads = max(1, cpus // count)
        task = ray.remote(num_cpus=threads, max_retries=0)(_task)
    return [RayWorker(mailbox, task) for _ in range(count)]


def _task(mailbox: Any, name: str, job: dict[str, Any]) -> tuple[str, Any]:
    """What runs on the cluster: a job, with its errors by name."""
    import ray

    def look(percent: int, loss: float) -> bool:
        return bool(ray.get(mailbox.ask.remote(name, (percent, loss))))

    try:
        return "trial", from_trial(train(Job.from_json(job), look))
    except LongshortError as error:
        kind = type(error).__name__
        return (kind if kind in ERRORS else LongshortError.__name__), str(error)
