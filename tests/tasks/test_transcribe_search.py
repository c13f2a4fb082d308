"""The searches against all paths of short recordings, and guides against what they stand for."""

import itertools
import math

import numpy as np
import pytest
import torch
import writers

from longshort.errors import InputError
from longshort.tasks.transcribe.guides import Both, LanguageGuide, WordGuide
from longshort.tasks.transcribe.search import Greedy, PrefixBeam, align


def logs(steps, units, seed=0):
    x = np.random.default_rng(seed).standard_normal((steps, units)) * 2
    return (x - np.log(np.exp(x).sum(1, keepdims=True))).astype(np.float32)


def collapsed(path):
    return tuple(unit for unit, _ in itertools.groupby(path) if unit)


def all_texts(rows):
    """Probability of every text, by all paths."""
    found = {}
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        text = collapsed(path)
        found[text] = found.get(text, 0.0) + math.exp(sum(float(rows[t, u]) for t, u in enumerate(path)))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_likeliest_text(seed):
    rows = logs(6, 3, seed)
    texts = all_texts(rows)
    beam = PrefixBeam(1000)
    for part in np.split(rows, [1, 4]):
        beam.push(part)
    assert beam.best() == max(texts, key=texts.get)
    totals = {node.units(): np.logaddexp(*both) for node, both in beam._beam.items()}
    for text, p in texts.items():
        assert totals[text] == pytest.approx(math.log(p), abs=1e-5)
        targets, rows_ = torch.tensor([text], dtype=torch.long), torch.from_numpy(rows)[:, None]
        loss = torch.nn.functional.ctc_loss(rows_, targets, [6], [len(text)], reduction="sum")
        assert totals[text] == pytest.approx(-float(loss), abs=1e-4)


def test_the_likeliest_path():
    path = [0, 1, 1, 0, 1, 2, 2, 0, 0, 3]
    rows = np.full((10, 4), -9.0, np.float32)
    rows[np.arange(10), path] = -0.1
    for cuts in ([], [2], [1, 2, 3, 6]):
        search = Greedy()
        for part in np.split(rows, cuts):
            search.push(part)
        assert search.best() == (1, 1, 2, 3)
        first, last = search.spans(rows, search.best())
        assert (first.tolist(), last.tolist()) == ([1, 4, 5, 9], [2, 4, 6, 9])
        assert [x.tolist() for x in align(rows, search.best())] == [first.tolist(), last.tolist()]


@pytest.mark.parametrize("seed", range(8))
def test_alignment_is_the_likeliest_of_all(seed):
    rng = np.random.default_rng(seed)
    units = tuple(rng.integers(1, 3, rng.integers(1, 4)).tolist())
    rows = logs(7, 3, seed)
    paths = [p for p in itertools.product(range(3), repeat=7) if collapsed(p) == units]
    best = max(paths, key=lambda p: sum(float(rows[t, u]) for t, u in enumerate(p)))
    runs, step = [], 0
    for unit, group in itertools.groupby(best):
        long = len(list(group))
        if unit:
            runs.append((step, step + long - 1))
        step += long
    first, last = align(rows, units)
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == runs


PIECES = ["", " ", "a", "b", "c"]


def text_of(units):
    return "".join(PIECES[u] for u in units)


@pytest.mark.parametrize("seed", range(5))
def test_only_words_of_the_list(seed):
    rows, words = logs(6, 5, seed), ("ab", "a", "cab")
    beam = PrefixBeam(2000, WordGuide(PIECES, words))
    beam.push(rows)
    allowed = {t: p for t, p in all_texts(rows).items() if all(w in words for w in text_of(t).split())}
    assert beam.best(final=True) == max(allowed, key=allowed.get)


def test_an_empty_list_is_refused():
    with pytest.raises(InputError, match="list of words is empty"):
        WordGuide(PIECES, [])


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_the_language_model_counts_as_its_score_says(kind):
    model = writers.model(kind=kind)
    pieces = ["", " ", *"abcdeghinmorst"]
    text = "the cat sat"
    guide = LanguageGuide(pieces, model, weight=0.7, bonus=0.3)
    state, total = guide.start(), 0.0
    for sign in " " + text:  # a space in front says nothing
        state, gained = guide.extend(state, pieces.index(sign))
        total += gained
    total += guide.finish(state)
    told = model.score(text + "\n")["log_probability"].sum()
    assert total == pytest.approx(0.7 * told + 0.3 * 3, abs=1e-4)


def test_two_guides_are_both_heard():
    model = writers.model()
    pieces = ["", " ", *"acht"]
    one, other = WordGuide(pieces, ["cat"]), LanguageGuide(pieces, model, 1.0, 0.0)
    both = Both(one, other)
    assert both.extend(both.start(), pieces.index("h")) is None
    state, gained = both.extend(both.start(), pieces.index("c"))
    assert gained == other.extend(other.start(), pieces.index("c"))[1]
    assert both.finish(state) is None


def test_another_model_is_refused():
    with pytest.raises(InputError, match="a language model over characters or words"):
        LanguageGuide(PIECES, object(), 0.5, 0.0)


def test_a_commit_goes_on_where_it_was():
    rows = logs(10, 4, 3)
    rows[5:7] = np.log([0.997, 0.001, 0.001, 0.001])
    whole, parts = PrefixBeam(50), PrefixBeam(50)
    whole.push(rows)
    parts.push(rows[:7])
    first = parts.best()
    parts.commit()
    assert parts.best() == ()
    parts.push(rows[7:])
    assert first + parts.best() == whole.best()
