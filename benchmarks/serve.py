"""The service under load, on the loopback of this machine, bounded in count and time. Each part prints a table.

    python benchmarks/serve.py batching     32 clients: requests a second with and without batches, and the same answers
    python benchmarks/serve.py sessions     500 sessions at 4 steps a second: latency, memory, each one's own numbers
    python benchmarks/serve.py overload     far more clients than there is room for: 429 at once, nothing lost, recovery
    python benchmarks/serve.py stop         SIGTERM under load, SIGKILL and restart
    python benchmarks/serve.py schema       schemathesis against the service's own description, many examples

Without --run a classifier and a language model of usual size are made in seconds (their weights hardly trained, which
costs the same time in use). Server and load share the machine: the figures are for both together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from longshort import Classifier, LanguageModel
from longshort.artifact import versions
from longshort.tasks import load
from record import RESULTS, say

WORDS = 2_000


class Service:
    """`longshort serve` in a process of its own."""

    def __init__(self, runs: Sequence[Path], folder: Path, *options: str, port: int = 0) -> None:
        self._log, began = folder / f"log-{time.time_ns()}", time.perf_counter()
        command = [sys.executable, "-m", "longshort", "serve", *map(str, runs), "--port", str(port), *options]
        with self._log.open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors)
        while not (ready := [line for line in self.lines() if line["event"] == "ready"]):
            if self.process.poll() is not None:
                raise SystemExit(self._log.read_text())
            time.sleep(0.02)
        self.seconds = time.perf_counter() - began
        self.port = int(ready[0]["address"].rpartition(":")[2])

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.endswith("}")]

    @property
    def megabytes(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def service(runs: Sequence[Path], *options: str) -> Iterator[Service]:
    """One that is ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        one = Service(runs, Path(folder), *options)
        try:
            yield one
        finally:
            if one.process.poll() is None:
                one.end()


class Client:
    """One connection that is kept: as little work as possible beside the service's."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and content."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        self._writer.write(f"{head}\r\n\r\n".encode() + body)
        headers = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(headers.partition("content-length: ")[2].split("\r\n")[0])
        content = await self._reader.readexactly(size)
        if "connection: close" in headers:
            self.close()
        return int(headers.split()[1]), content

    def close(self) -> None:
        """Give the connection up."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class Load:
    """What came of many clients that each ask, wait for the answer and ask again."""

    def __init__(self, port: int, path: str, bodies: Sequence[bytes]) -> None:
        self._port, self._path, self._bodies = port, path, bodies
        self.seconds: dict[int, list[float]] = {}
        self.answers: dict[int, bytes] = {}
        self.lost: Counter[str] = Counter()

    async def run(self, clients: int, seconds: float) -> float:
        """Ask for so long; gives the answers (200) a second."""
        before, began = len(self.seconds.get(200, [])), time.perf_counter()
        await asyncio.gather(*(self._client(k, clients, began + seconds) for k in range(clients)))
        return (len(self.seconds.get(200, [])) - before) / (time.perf_counter() - began)

    async def _client(self, place: int, step: int, until: float) -> None:
        client = Client(self._port)
        while time.perf_counter() < until:
            k, begun = place % len(self._bodies), time.perf_counter()
            place += step
            try:
                status, content = await client.post(self._path, self._bodies[k])
            except (OSError, asyncio.IncompleteReadError) as error:
                self.lost[type(error).__name__] += 1
                client.close()
                if isinstance(error, ConnectionRefusedError):
                    break
                continue
            self.seconds.setdefault(status, []).append(time.perf_counter() - begun)
            if status == 200:
                self.answers[k] = content
            elif status == 429:
                await asyncio.sleep(0.05)
        client.close()

    def row(self) -> dict[str, float]:
        """Counts, and percentiles in milliseconds."""
        row: dict[str, float] = {}
        for status, times in sorted(self.seconds.items()):
            row[f"{status}"] = len(times)
            for share in (50, 99):
                row[f"{status} p{share} ms"] = 1000 * float(np.percentile(times, share))
        row["lost"] = sum(self.lost.values())
        return row


def batching(runs: Sequence[Path], seconds: float, clients: int) -> dict[str, Any]:
    """The same load with batches and without."""
    run = _first(runs, "classify")
    bodies = [json.dumps({"texts": [text]}).encode() for text in _texts(256)]
    rows, answers = dict[str, Any](), list[dict[int, bytes]]()
    for name, options in {"batches": (), "one by one": ("--set", "batch=1", "--set", "wait_ms=0")}.items():
        with service([run], *options) as one:
            load = Load(one.port, f"/runs/{run.name}/predict", bodies)
            asyncio.run(load.run(clients, seconds / 5))  # to warm up
            load.seconds.clear()
            rows[name] = {"requests a second": asyncio.run(load.run(clients, seconds)), **load.row()}
            answers.append(load.answers)
    apart = [_apart(answers[0][k], answers[1][k]) for k in answers[0].keys() & answers[1].keys()]
    ratio = rows["batches"]["requests a second"] / rows["one by one"]["requests a second"]
    rows["comparison"] = {"ratio": ratio, "largest difference": max(apart), "texts compared": len(apart)}
    return rows


def sessions(runs: Sequence[Path], seconds: float, count: int) -> dict[str, Any]:
    """Many sessions that type a text each, by characters, and what each was told beside its own offline run."""
    run = _first(runs, "language")
    model = load(run)
    steps = int(4 * seconds)
    texts = [text * (1 + steps // len(text)) for text in _texts(count, seed=1)]
    told: list[list[float]] = [[] for _ in texts]
    times, memory, errors = list[float](), list[float](), Counter[str]()

    async def one(k: int, port: int, began: float) -> None:
        from websockets.asyncio.client import connect

        try:
            async with connect(f"ws://127.0.0.1:{port}/runs/{run.name}/session", compression=None) as socket:
                await asyncio.sleep(max(0.0, began + 0.25 * k / count - time.perf_counter()))
                for place in range(steps):
                    begun = time.perf_counter()
                    await socket.send(json.dumps({"text": texts[k][place], "k": 1}))
                    told[k] += json.loads(await socket.recv())["log_probabilities"]
                    times.append(time.perf_counter() - begun)
                    await asyncio.sleep(max(0.0, began + 0.25 * (place + 1 + k / count) - time.perf_counter()))
        except Exception as error:  # counted, so that the others go on
            errors[type(error).__name__] += 1
            print(f"session {k}: {error!r}", file=sys.stderr)

    async def all_of_them(one_service: Service) -> None:
        async def watch() -> None:
            while True:
                memory.append(one_service.megabytes)
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(one(k, one_service.port, time.perf_counter() + 3) for k in range(count)))
        watching.cancel()

    with service([run]) as one_service:
        asyncio.run(all_of_them(one_service))
    apart = 0.0
    for text, logs in zip(texts, told, strict=True):
        if logs:
            alone = model.score(text[: len(logs)])["log_probability"].to_numpy()
            apart = max(apart, float(np.abs(alone - logs).max()))
    settled = memory[len(memory) // 4 :] or memory
    return {
        "sessions": {
            "sessions": count,
            "steps": len(times),
            "errors": sum(errors.values()),
            **{f"p{share} ms": 1000 * float(np.percentile(times, share)) for share in (50, 99)},
            "largest difference": apart,
            "MB after a quarter": settled[0],
            "MB at the end": settled[-1],
        }
    }


def overload(runs: Sequence[Path], seconds: float, clients: int) -> dict[str, Any]:
    """Few clients, far too many, and few again."""
    run = _first(runs, "classify")
    bodies = [json.dumps({"texts": [text] * 8}).encode() for text in _texts(64)]
    rows = {}
    with service([run], "--set", f"queue={2 * clients}") as one:
        for name, many in {"before": clients, "overload": 20 * clients, "after": clients}.items():
            load = Load(one.port, f"/runs/{run.name}/predict", bodies)
            rows[name] = {"clients": many, "answers a second": asyncio.run(load.run(many, seconds)), **load.row()}
    return rows


def stop(runs: Sequence[Path], seconds: float, clients: int) -> dict[str, Any]:
    """SIGTERM in the middle of a load: was all answered that the log says was taken? Then SIGKILL and a restart."""
    run = _first(runs, "classify")
    bodies = [json.dumps({"texts": [text]}).encode() for text in _texts(64)]
    path = f"/runs/{run.name}/predict"
    with service([run]) as one:
        load = Load(one.port, path, bodies)

        async def interrupted() -> None:
            asyncio.get_running_loop().call_later(seconds / 2, one.process.send_signal, signal.SIGTERM)
            await load.run(clients, seconds)

        asyncio.run(interrupted())
        code = one.process.wait(60)
        taken = sum(line.get("path") == path for line in one.lines())
    row = {"taken, by its log": taken, "answered": sum(map(len, load.seconds.values())), "exit code": code}
    with tempfile.TemporaryDirectory() as folder:
        first = Service([run], Path(folder))
        first.end(signal.SIGKILL)
        again = [Service([run], Path(folder), port=first.port)]
        again[0].end(signal.SIGKILL)
        again += [Service([run], Path(folder), port=first.port)]
        again[1].end()
    return {"SIGTERM": row, "SIGKILL": {"seconds until it serves again": statistics.mean(s.seconds for s in again)}}


def schema(runs: Sequence[Path], seconds: float, clients: int) -> dict[str, Any]:
    """Every operation with many bodies that schemathesis makes up, right ones and wrong ones."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    from longshort.serve import create_app
    from longshort.serve.runs import load_runs

    described = schemathesis.openapi.from_asgi("/openapi.json", create_app(load_runs(runs), local=False))
    rows = {}
    found: Any
    for found in described.get_all_operations():
        operation, statuses = found.ok(), Counter[int]()

        @settings(max_examples=clients, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
        @given(case=operation.as_strategy())
        def keeps_to_it(case: Any, statuses: Counter[int] = statuses) -> None:
            answer = case.call()
            statuses[answer.status_code] += 1
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

        keeps_to_it()
        rows[operation.label] = {str(status): count for status, count in sorted(statuses.items())}
    return rows


def _texts(count: int, seed: int = 0) -> list[str]:
    """Sentences of 3 to 60 words."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{k}" for k in rng.integers(0, WORDS, rng.integers(3, 61))) for _ in range(count)]


def _made(folder: Path) -> list[Path]:
    """A classifier and a language model, made in seconds."""
    if not (folder / "reviews").exists():
        texts = _texts(4_000)
        table = pl.DataFrame({"text": texts, "label": [("good", "bad")[k % 2] for k in range(len(texts))]})
        sizes = {"hidden_size": 256, "embedding_size": 200}
        Classifier(steps=5, members=1, **sizes).fit(table).save(folder / "reviews")
    if not (folder / "novel").exists():
        with tempfile.TemporaryDirectory() as written:
            path = Path(written) / "novel.txt"
            path.write_text("\n".join(_texts(1_000)))
            LanguageModel(hidden_size=256, steps=5).fit(path).save(folder / "novel")
    return [folder / "reviews", folder / "novel"]


def _first(runs: Sequence[Path], task: str) -> Path:
    for run in runs:
        if json.loads((run / "config.json").read_text())["task"] == task:
            return run
    raise SystemExit(f"this part needs a run of the task {task!r}: give one with --run")


def _apart(one: bytes, other: bytes) -> float:
    """The largest difference between the probabilities of two answers."""
    told = [json.loads(content)["answers"][0]["probabilities"] for content in (one, other)]
    return float(max(abs(told[0][label] - told[1][label]) for label in told[0]))


# Name -> what it does, seconds, and how many clients, sessions or examples.
PARTS: dict[str, tuple[Callable[[Sequence[Path], float, int], dict[str, Any]], float, int]] = {
    "batching": (batching, 20, 32),
    "sessions": (sessions, 120, 500),
    "overload": (overload, 10, 32),
    "stop": (stop, 6, 32),
    "schema": (schema, 0, 300),
}


def main() -> None:
    """One part, printed and written to results/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--run", type=Path, action="append", help="a run directory; one for each task that is needed")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks/serve"), help="where runs are made")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--count", type=int, help="clients, sessions or examples")
    parser.add_argument("--dry", action="store_true", help="print only")
    arguments = parser.parse_args()
    measure, seconds, count = PARTS[arguments.part]
    runs = arguments.run or _made(arguments.runs)
    chosen = (arguments.seconds or seconds, arguments.count or count)
    table = measure(runs, *chosen)
    for name, row in table.items():
        say(name, row)
    if not arguments.dry:
        told = {"seconds": chosen[0], "count": chosen[1], "cores": os.cpu_count(), "versions": versions()}
        path = RESULTS / f"serve-{arguments.part}.json"
        path.write_text(json.dumps({**told, "table": table}, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
