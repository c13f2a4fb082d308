"""What a language model makes of a kind and a number of tokens."""

import pytest

from longshort.errors import InputError
from longshort.tasks.language.config import CHECKS, LanguageConfig, Plan, make_plan


def plan(kind="characters", training=100_000, vocabulary_size=60, **settings):
    return make_plan(LanguageConfig(**settings), kind, vocabulary_size, training, 5_000, 5_000)


@pytest.mark.parametrize(
    ("kind", "tied"), [("characters", False), ("bytes", False), ("words", True), ("subwords", True)]
)
def test_large_vocabularies_share_their_weights(kind, tied):
    assert plan(kind).tied == tied
    for asked in (True, False):
        assert plan(kind, tied=asked).tied == asked
    with pytest.raises(InputError, match="tied must be true or false, not 1"):
        LanguageConfig(tied=1)


@pytest.mark.parametrize("steps", [1, 5, CHECKS, CHECKS + 1, 2_841])
def test_the_last_stretch_is_not_a_mere_rest(steps):
    every = plan(steps=steps).check_every
    assert -(-steps // every) <= CHECKS
    assert every * (-(-steps // every) - 1) < steps


def test_windows_and_streams_fit_a_short_text():
    short = plan(training=100)
    assert short.batch_size * short.window < 100
    assert plan(training=10_000_000, kind="words", vocabulary_size=50_000).cutoffs
    assert not plan(training=10_000_000, kind="subwords", vocabulary_size=50_000).cutoffs
    assert Plan.from_dict({**short.to_dict(), "cutoffs": []}) == short
