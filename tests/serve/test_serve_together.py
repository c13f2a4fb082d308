"""Requests that arrive together are computed together, and answered as if each had come alone."""

import asyncio
import re

import numpy as np
import pytest
from sounds import RATE, file_of
from test_transcribe_estimator import TONES, spoken

from longshort.errors import InputError
from longshort.serve import Limits
from longshort.serve.engine import BusyError, Engine, LateError, Together
from longshort.serve.metrics import Metrics

WORDS = ["the", "film", "was", "great", "dull", "a", "cat", "sat", "on"]


def texts(count, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 40))) for _ in range(count)]


def batches(app, run, kind):
    """How many batches there were, and how many requests in them."""
    told = app.state.house.metrics.exposition().decode()
    labels = f'{{kind="{kind}",run="{run}"}}'
    return [
        float(re.search(rf"longshort_batch_size_{what}{re.escape(labels)} (\S+)", told)[1]) for what in ("count", "sum")
    ]


def values(text):
    return {"series": [{"id": text[:9], "y": [float(len(word)) for word in text.split()]}]}


def sung(text):
    """A recording, as long as a text."""
    names = list(TONES)
    sound = spoken([names[len(word) % 3] for word in text.split()[:12]], np.random.default_rng(len(text)))
    return {"content": file_of(sound, rate=RATE), "headers": {"content-type": "audio/wav"}}


def sure(answer):
    return [number for word in answer["words"] for number in (word["start"], word["end"], word["confidence"])]


# What is asked about a text, and the numbers of the answer.
CASES = {
    "/runs/classify/predict": (
        lambda t: {"json": {"texts": [t]}},
        lambda a: list(a["answers"][0]["probabilities"].values()),
    ),
    "/runs/language/score": (
        lambda t: {"json": {"text": t}},
        lambda a: [one["log_probability"] for one in a["tokens"]],
    ),
    "/runs/language/next": (
        lambda t: {"json": {"prompt": t, "k": 17}},
        lambda a: sorted(one["probability"] for one in a["next"]),
    ),
    "/runs/translate/predict": (lambda t: {"json": {"texts": [t]}}, lambda a: [a["answers"][0]["score"]]),
    "/runs/forecast/predict": (lambda t: {"json": values(t)}, lambda a: a["answers"][0]["median"]),
    "/runs/live/predict": (sung, sure),
    "/runs/transcribe/predict": (sung, sure),
}


@pytest.mark.parametrize("path", CASES)
def test_together_as_alone(service, ask, path):
    body, read = CASES[path]
    wanted = [("POST", path, body(text)) for text in texts(24)]
    crowd, single = service(), service(batch=1, wait_ms=0)
    together = [read(answer.json()) for answer in ask(crowd, *wanted)]
    run, kind = path.split("/")[2], {"score": "read", "next": "read"}.get(path.split("/")[3], "predict")
    count, total = batches(crowd, run, kind)
    assert total == 24
    assert count < 6
    alone = [read(answer.json()) for answer in ask(single, *wanted)]
    assert batches(single, run, kind) == [24, 24]
    for one, other in zip(together, alone, strict=True):
        assert one
        np.testing.assert_allclose(one, other, atol=1e-5)


def queue(compute, **limits):
    return Together(("run", "kind"), compute, Engine(), Limits(**limits), Metrics())


def test_who_is_at_fault_fails_alone():
    def halves(asks):
        if any(ask % 2 for ask in asks):
            raise InputError(f"odd: {asks}")
        return [ask // 2 for ask in asks]

    async def run():
        together = queue(halves)
        return await asyncio.gather(*map(together, [2, 3, 4]), return_exceptions=True)

    two, three, four = asyncio.run(run())
    assert (two, four) == (1, 2)
    assert str(three) == "odd: [3]"


def test_a_full_queue_refuses_at_once():
    async def run():
        together = queue(lambda asks: asks, queue=4, wait_ms=20)
        return await asyncio.gather(*map(together, range(7)), return_exceptions=True)

    found = asyncio.run(run())
    assert found[:4] == [0, 1, 2, 3]
    assert all(isinstance(one, BusyError) for one in found[4:])


def test_a_session_waits_where_others_are_refused():
    async def run():
        together = queue(lambda asks: asks, queue=2, batch=1, wait_ms=20)
        answers = asyncio.gather(*(together.patiently(k) for k in range(5)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await together(9)
        assert await answers == list(range(5))

    asyncio.run(run())


def test_what_takes_too_long_is_given_up():
    import threading

    free = threading.Event()

    async def run():
        together = queue(lambda asks: free.wait(10) and asks, request_seconds=0.05)
        with pytest.raises(LateError):
            await together(1)
        free.set()
        assert await together(2) == 2

    asyncio.run(run())


def test_large_asks_are_not_put_together():
    sizes = []

    def compute(asks):
        sizes.append([len(ask) for ask in asks])
        return asks

    async def run():
        together = Together(("r", "k"), compute, Engine(), Limits(), Metrics(), size=len, capacity=10)
        await asyncio.gather(*(together("x" * size) for size in (4, 4, 4, 30, 1)))

    asyncio.run(run())
    assert sizes == [[4, 4], [4], [30], [1]]


def test_too_many_are_answered_429(service, ask):
    app = service(only=["classify"], queue=3, wait_ms=50)
    wanted = [("POST", "/runs/classify/predict", {"json": {"texts": ["a film"]}})] * 8
    answers = ask(app, *wanted)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 3 + [429] * 5
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    (again,) = ask(app, wanted[0])
    assert again.status_code == 200
