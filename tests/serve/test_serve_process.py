"""The real process: its log, its end by SIGTERM while it is busy, its errors as lines."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

WORK = {"texts": ["the film was great and dull and great " * 40]}


class Service:
    """`longshort serve` in a process of its own, on a free port of the loopback."""

    def __init__(self, paths, log, *options):
        self._log = log
        command = [sys.executable, "-m", "longshort", "serve", *map(str, paths), "--port", "0", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors, env=environment)
        self.address = self._wait()

    def lines(self):
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def _wait(self):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            found = [line for line in self.lines() if line["event"] == "ready"]
            if found:
                return found[0]["address"]
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError("it did not become ready")


@pytest.fixture
def start(paths, tmp_path):
    started = []

    def make(*names, options=()):
        chosen = [path for path in paths if path.name in names]
        started.append(Service(chosen, tmp_path / f"log-{len(started)}", *options))
        return started[-1]

    yield make
    for service in started:
        service.process.kill()
        service.process.wait(20)


def test_what_was_begun_is_finished(start):
    service = start("classify", "language", options=["--set", "wait_ms=50"])

    async def load():
        answered, failed = [], []

        async def ask(client):
            while True:
                try:
                    answer = await client.post("/runs/classify/predict", json=WORK)
                except httpx2.ConnectError:  # it listens no more
                    return
                except httpx2.HTTPError as error:
                    failed.append(repr(error))
                    return
                answered.append(answer.status_code)

        async def write(client):
            async with client.stream("POST", "/runs/language/generate", json={"length": 1000}) as answer:
                return "".join([text async for text in answer.aiter_text()])

        limits = httpx2.Limits(max_keepalive_connections=0)  # a connection for each: none is closed while it idles
        async with httpx2.AsyncClient(base_url=service.address, limits=limits, timeout=60) as client:
            url = service.address.replace("http", "ws") + "/runs/language/session"
            async with connect(url) as idle, connect(url) as busy:
                await idle.send('{"text": "a"}')
                assert "next" in json.loads(await idle.recv())
                tasks = [asyncio.create_task(ask(client)) for _ in range(8)]
                writing = asyncio.create_task(write(client))
                await asyncio.sleep(1)
                await busy.send('{"text": "the cat"}')
                await asyncio.sleep(0.01)  # it is waiting for others now
                service.process.send_signal(signal.SIGTERM)
                last = json.loads(await busy.recv())
                with pytest.raises(ConnectionClosed):
                    await busy.recv()
                with pytest.raises(ConnectionClosed):
                    await idle.recv()
                await asyncio.gather(*tasks)
                return answered, failed, await writing, last, idle.close_code

    answered, failed, written, last, code = asyncio.run(load())
    assert service.process.wait(20) == 0
    events = service.lines()
    assert [line["event"] for line in events if line["event"] in ("stopping", "stopped")] == ["stopping", "stopped"]
    # Every request that the service took, by its own log, has come back whole; what failed it had never taken.
    taken = [line for line in events if line.get("path") == "/runs/classify/predict"]
    assert len(failed) <= 8
    assert answered == [200] * len(taken)
    assert len(taken) > 8
    assert written.endswith("event: end\ndata: {}\n\n")
    assert len(last["tokens"]) == 7
    assert code == 1012
    assert all({"time", "level", "event"} <= line.keys() for line in events)
    assert all(line["request_id"] for line in taken)


def test_killed_and_started_again(start):
    first = start("language")
    first.process.kill()
    first.process.wait(20)
    again = start("language", options=["--port", first.address.rpartition(":")[2]])
    assert again.address == first.address
    answer = httpx2.post(f"{again.address}/runs/language/next", json={"prompt": "a"})
    assert answer.status_code == 200


def test_the_command_says_what_is_wrong(command, tmp_path, paths):
    assert command("serve", tmp_path / "nothing", "--port", "0")[0] == 2
    code, _, said = command("serve", paths[0], "--host", "0.0.0.0")
    assert (code, said) == (2, "error: whoever reaches 0.0.0.0 could ask: give an --api-key, or leave out --host\n")
    code, _, said = command("serve", paths[0], "--set", "sessoins=3")
    assert code == 2
    assert said.startswith("error: unknown setting 'sessoins'")
