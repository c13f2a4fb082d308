"""The lesson's figures: each is drawn by the script, shows what its text says, and stands on a page."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

LEARN = Path(__file__).parent.parent / "docs" / "learn"
SCRIPT = runpy.run_path(str(LEARN / "figures.py"))


def test_pages_show_exactly_what_is_drawn():
    shown = {name for page in LEARN.glob("*.md") for name in re.findall(r"\(images/(\w+)\.svg\)", page.read_text())}
    assert shown == set(SCRIPT["FIGURES"]) == {path.stem for path in (LEARN / "images").iterdir()}


def test_links_lead_somewhere():
    for page in LEARN.glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("weight", [0.5, 1.1])
def test_the_pulse_in_a_plain_unit(weight):
    h = [np.tanh(1.0)]
    for _ in range(29):
        h.append(np.tanh(weight * h[-1]))
    pulse = torch.eye(30)[:1].reshape(30, 1, 1)
    np.testing.assert_allclose(SCRIPT["_plain_memory"](pulse, weight), h, rtol=1e-5)


def test_the_pulse_in_a_cell_state():
    pulse = torch.eye(30)[:1].reshape(30, 1, 1)
    wanted = np.tanh(1.0) * 0.9 ** np.arange(30)
    np.testing.assert_allclose(SCRIPT["_cell_memory"](pulse, 0.9), wanted, rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), [("cell", {}), ("fading", {}), ("gates", {"steps": 2})])
def test_figures_are_drawn(name, options, tmp_path):
    pytest.importorskip("matplotlib")
    assert SCRIPT["draw"](name, tmp_path, **options).read_text().startswith("<?xml")


def test_letters_ask_for_the_one_that_counts():
    letters, answers = SCRIPT["draw_letters"](10, 200, torch.Generator().manual_seed(0))
    assert letters.shape == (11, 200)
    assert (letters[-1] == 8).all()
    among = letters[:-1] < 4
    assert (among.sum(0) == 1).all()
    assert (letters[:-1].T[among.T] == answers).all()
    assert not among[5:].any()
