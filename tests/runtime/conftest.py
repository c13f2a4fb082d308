"""Runs of every task, trained once."""

import warnings

import pytest
import runtime_runs

from longshort.errors import Note


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        runtime_runs.make(folder)
    return folder
