"""Small runs of every task, trained once, and services of them."""

import asyncio
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

import httpx2
import numpy as np

from longshort import Composer, LanguageModel, Transcriber
from longshort.serve import Limits, create_app
from longshort.serve.runs import load_runs

sys.path.insert(0, str(Path(__file__).parent.parent / "tasks"))
from test_contract import CASES, estimator, story
from test_transcribe_estimator import QUICK, corpus

HERE = "http://localhost"


@pytest.fixture(scope="session")
def paths(tmp_path_factory):
    """A run directory for every task, named after it; language models of words and of subwords; "live", a transcriber
    that hears sound as it arrives, and "rolls", a composer of piano rolls."""
    folder = tmp_path_factory.mktemp("served")
    for case in CASES:
        quick = {"forecast": {"test_windows": 0}, "compose": {"test": 0.0}}.get(case.task, {})
        estimator(case, **quick).fit(case.write(folder)).save(folder / "runs" / case.task)
    small = {"hidden_size": 8, "steps": 5, "batch_size": 4, "window": 16, "test": 0.2}
    for kind in ("words", "subwords"):
        LanguageModel(tokens=kind, **small).fit(story(folder)).save(folder / "runs" / kind)
    (folder / "bells").mkdir()
    heard = corpus(folder / "bells", 80)
    Transcriber(live=True, **{**QUICK, "steps": 200, "test": 0.0}).fit(heard).save(folder / "runs" / "live")
    rng = np.random.default_rng(0)
    rolls = {f"train{k}": (rng.random((rng.integers(12, 30), 88)) < 0.06).astype(np.uint8) for k in range(8)}
    np.savez(folder / "rolls.npz", **rolls)
    small = {"hidden_size": 8, "num_layers": 1, "steps": 5, "batch_size": 4, "frame": 0.25, "test": 0.0}
    Composer(**small).fit(folder / "rolls.npz").save(folder / "runs" / "rolls")
    return sorted((folder / "runs").iterdir())


@pytest.fixture(scope="session")
def runs(paths):
    return {run.name: run for run in load_runs(paths)}


@pytest.fixture
def app(runs):
    return create_app(list(runs.values()))


@pytest.fixture
def service(runs):
    """A service with bounds of one's own."""

    def make(*, only=None, key=None, local=True, origins=(), **limits):
        chosen = [runs[name] for name in only] if only else list(runs.values())
        return create_app(chosen, Limits(**limits), key=key, local=local, origins=origins)

    return make


@pytest.fixture
def ask():
    """Asks a service several things at the same time: (method, path, what httpx takes) each."""

    def together(app, *requests, **headers):
        async def all_of_them():
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url=HERE, headers=headers) as client:
                return await asyncio.gather(*(client.request(*request[:2], **request[2]) for request in requests))

        return asyncio.run(all_of_them())

    return together
