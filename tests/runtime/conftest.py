"""Runs of every task, trained once, and only of the tasks that are asked for."""

import warnings

import pytest
import runtime_runs

from longshort.errors import Note


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder with the runs of some of `runtime_runs.TASKS`."""
    folder, done = tmp_path_factory.mktemp("runs"), set()

    def make(*tasks):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Note)
            for task in tasks:
                if task not in done:
                    runtime_runs.TASKS[task](folder)
                    done.add(task)
        return folder

    return make


@pytest.fixture
def runs(made):
    """All of them."""
    return made(*runtime_runs.TASKS)
