"""Features, normalisation, augmentation, units, warping and error rates, each against an independent truth."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshort.data.tokens import Tokenizer
from longshort.errors import InputError
from longshort.tasks.transcribe.augmentation import Augmentation, stretched, warped
from longshort.tasks.transcribe.baselines import Padded, isolated, most_frequent
from longshort.tasks.transcribe.config import TranscribeConfig, choose_stride, steps_of
from longshort.tasks.transcribe.evaluation import score
from longshort.tasks.transcribe.features import FLOOR, FeatureStream, LogMel, mel, mel_filters
from longshort.tasks.transcribe.hearing import pieces
from longshort.tasks.transcribe.normalising import Prior, Running, normalised
from longshort.tasks.transcribe.units import Units, needed, plain


def noise(count, seed=0):
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def slow_log_mel(samples, rate, mels):
    """The same features by sums over sines and cosines, and by the corners of every triangle, in float64."""
    window, hop = round(0.025 * rate), round(0.01 * rate)
    size = 256 if rate == 8000 else 512
    top = 2595 * np.log10(1 + rate / 2 / 700)
    bottom = 2595 * np.log10(1 + 50 / 700)
    corners = [700 * (10 ** ((bottom + (top - bottom) * k / (mels + 1)) / 2595) - 1) for k in range(mels + 2)]
    rows = []
    for begin in range(0, len(samples) - window + 1, hop):
        n = np.arange(window)
        frame = samples[begin : begin + window].astype(np.float64) * (0.5 - 0.5 * np.cos(2 * np.pi * n / window))
        k = np.arange(size // 2 + 1)[:, None]
        angle = 2 * np.pi * k * n / size
        energy = (frame * np.cos(angle)).sum(1) ** 2 + (frame * np.sin(angle)).sum(1) ** 2
        row = []
        for m in range(mels):
            total = 0.0
            for bin_, e in enumerate(energy):
                pitch = 2595 * np.log10(1 + bin_ * rate / size / 700)
                low, middle, high = (2595 * np.log10(1 + c / 700) for c in corners[m : m + 3])
                total += e * max(0.0, min((pitch - low) / (middle - low), (high - pitch) / (high - middle)))
            row.append(np.log(max(total, FLOOR)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("rate", "mels"), [(8000, 40), (16_000, 64)])
def test_log_mel_against_sums_of_sines(rate, mels):
    samples = 0.1 * noise(round(0.06 * rate))
    found = LogMel(rate, mels)(samples)
    wanted = slow_log_mel(samples, rate, mels)
    assert found.shape == wanted.shape == (4, mels)
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_the_mel_scale_and_its_filters():
    assert mel(np.array([1000.0]))[0] == pytest.approx(1000, abs=0.1)  # by the scale's definition
    for rate, size, mels in ((8000, 256, 40), (16_000, 512, 64)):
        filters = mel_filters(rate, size, mels)
        assert filters.shape == (mels, size // 2 + 1)
        assert (filters.sum(1) > 0).all()
        assert filters.max() <= 1
        # Between the first middle and the last, neighbours' weights add up to 1.
        inner = filters.sum(0)[np.flatnonzero(filters[0])[-1] + 1 : np.flatnonzero(filters[-1])[0]]
        np.testing.assert_allclose(inner, 1, atol=1e-9)


def test_a_tone_lies_in_its_band():
    rate, hertz = 16_000, 1500.0
    found = LogMel(rate, 64)(np.sin(2 * np.pi * hertz * np.arange(rate) / rate).astype(np.float32))
    edges = np.linspace(*mel(np.array([50.0, 8000.0])), 66)
    assert set(found.argmax(1)) == {int(np.abs(edges[1:-1] - mel(np.array([hertz]))).argmin())}


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_frames_of_chunks_are_those_of_the_whole(cuts):
    samples = noise(3000)
    log_mel = LogMel(8000, 40)
    stream = FeatureStream(log_mel)
    parts = [stream(part) for part in np.split(samples, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate(parts), log_mel(samples), atol=1e-5)


def test_too_short_for_a_frame():
    assert LogMel(16_000, 64)(noise(80)).shape == (0, 64)


def test_normalised_by_recording_and_by_speaker():
    features = [3 + 2 * noise(200).reshape(50, 4), 5 + noise(120, 1).reshape(30, 4), noise(80, 2).reshape(20, 4)]
    prior = Prior.of(features)
    np.testing.assert_allclose(prior.mean, np.concatenate(features).mean(0), rtol=1e-6)
    np.testing.assert_allclose(prior.square, (np.concatenate(features) ** 2).mean(0), rtol=1e-6)
    groups = {"recording": [[f] for f in features], "speaker": [features[:2], features[:2], features[2:]]}
    for kind, members in groups.items():
        for x, own, found in zip(features, members, normalised(kind, features, ("x", "x", "y"), prior), strict=True):
            # As if a second of sound had come before that was as the training's sounds are on average.
            count, heard = 100 + sum(map(len, own)), np.concatenate(own).astype(np.float64)
            mean = (100 * prior.mean + heard.sum(0)) / count
            square = (100 * prior.square + (heard**2).sum(0)) / count
            np.testing.assert_allclose(found, (x - mean) / np.sqrt(square - mean**2), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=5))
def test_the_running_normalisation_is_that_of_the_past(cuts):
    features = 2 + noise(240).reshape(60, 4)
    prior = Prior(np.ones(4), np.full(4, 5.0))
    running = Running(prior)
    found = np.concatenate([running(part) for part in np.split(features, sorted(cuts))])
    t = 17
    past = features[: t + 1].astype(np.float64)
    mean = (100 * prior.mean + past.sum(0)) / (100 + t + 1)
    square = (100 * prior.square + (past**2).sum(0)) / (100 + t + 1)
    np.testing.assert_allclose(found[t], (features[t] - mean) / np.sqrt(square - mean**2), rtol=1e-5)
    assert (found == Running(prior)(features)).all()


def test_stretching_and_warping():
    line = np.arange(10.0, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    np.testing.assert_allclose(stretched(line, 19)[:, 0], np.arange(19) / 2, atol=1e-6)
    assert stretched(line, 10) is line
    bands = np.arange(8.0, dtype=np.float32)[None] * np.ones((2, 1), np.float32)
    np.testing.assert_allclose(warped(bands, 0.5)[0], np.arange(8) / 2, atol=1e-6)
    np.testing.assert_allclose(warped(bands, 2.0)[0], np.minimum(2 * np.arange(8), 7), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 40), least=st.integers(1, 40), seed=st.integers(0, 99))
def test_augmentation_leaves_room_and_the_original_alone(frames, least, seed):
    features = noise(frames * 8).reshape(frames, 8)
    before = features.copy()
    found = Augmentation(0.3, 0.2, 0.1, 2, 2)(features, least, np.random.default_rng(seed))
    assert len(found) >= min(least, len(found)) >= 1
    assert len(found) >= least or len(found) >= round(0.7 * frames)
    assert np.isfinite(found).all()
    assert (features == before).all()
    masked = Augmentation(0.0, 0.0, 0.0, 1, 1)(features, 1, np.random.default_rng(seed))
    assert ((masked == features) | (masked == 0)).all()


def test_units_and_their_blank():
    units = Units(Tokenizer.train(["ab ba", "bb"], "characters"))
    assert len(units) == 4
    ids = units.encode("ab b?")
    assert 0 not in ids
    assert units.decode(ids.tolist()) == "ab b"
    assert units.knows("ab")
    assert not units.knows("a?")
    assert needed(units.encode("abba")) == 5
    words = Units(Tokenizer.train(["low high", "low"], "words"))
    assert words.decode(words.encode("high low").tolist()) == "high low"
    assert words.pieces[1:] == [" low", " high"]
    subwords = Units(Tokenizer.train(["low lower lowest"] * 3, "subwords", vocabulary_size=260))
    assert len(subwords) == len(subwords.tokenizer) + 1
    assert subwords.decode(subwords.encode("lower low").tolist()) == "lower low"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hello, World!", "hello world"),
        ("It’s  'fine' – well-known.", "it's fine well-known"),
        ("ÄRA_x 42", "ära x 42"),
        ("...", ""),
    ],
)
def test_plain_text(text, wanted):
    assert plain(text) == wanted


def test_the_stride_leaves_room():
    assert choose_stride([400] * 10, [20] * 10) == 4
    assert choose_stride([40] * 10, [20] * 10) == 1
    for stride in (1, 2, 3, 4):
        assert steps_of(np.array(0), stride) >= 1


def slow_warping(x, y):
    cost = np.full((len(x) + 1, len(y) + 1), np.inf)
    cost[0, 0] = 0
    for i in range(len(x)):
        for j in range(len(y)):
            before = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = before + np.linalg.norm(x[i].astype(np.float64) - y[j])
    return cost[-1, -1] / (len(x) + len(y))


def test_warping_against_the_recursion():
    references = [noise(3 * n, n).reshape(n, 3) for n in (4, 9, 1, 6)]
    x = noise(21, 50).reshape(7, 3)
    (group,) = Padded.groups(references)
    found = np.empty(4)
    found[group.places] = group.distances(x)
    np.testing.assert_allclose(found, [slow_warping(x, r) for r in references], rtol=1e-5)
    assert group.places[group.distances(references[1]).argmin()] == 1


def test_isolated_words_and_frequent_ones():
    assert isolated(["yes", "no"] * 4)
    assert not isolated(["yes no"] * 8)
    assert not isolated(["a", "b", "c"])
    assert most_frequent(["b", "a", "b", "a", "c"]) == "a"


def test_error_rates_by_hand():
    found = score({"LSTM": ["a b c", "x"], "Other": ["", ""]}, ["a c c d", "x"])
    ours = found.overall["LSTM"]
    assert ours["word error rate"] == pytest.approx(2 / 5)  # b for c, and d is missing
    assert ours["character error rate"] == pytest.approx(3 / 8)
    assert ours["all right"] == 0.5
    assert (found.substitutions, found.deletions, found.insertions) == (1, 1, 0)
    assert found.overall["Other"]["word error rate"] == 1
    assert found.verdict.replace("\u00a0", " ") == (
        "LSTM has a word error rate of 40.0 % over 2 held-out recordings, the best baseline, Other, of 100.0 %."
    )
    assert score({"LSTM": ["y"], "Other": ["x"]}, ["x"]).verdict.startswith("Other wins: its word error rate is 0.0")


@settings(max_examples=25, deadline=None)
@given(blocks=st.lists(st.integers(0, 5000), max_size=6), seed=st.integers(0, 9))
def test_pieces_are_the_whole_and_short(blocks, seed):
    sound = [noise(n, seed + k) for k, n in enumerate(blocks)]
    found = list(pieces(iter(sound), 1000, 1.0))
    assert all(0 < len(piece) <= 1000 for piece in found)
    assert (np.concatenate([noise(0), *found]) == np.concatenate([noise(0), *sound])).all()


def test_pieces_are_cut_at_pauses():
    sound = noise(1500)
    sound[800:900] = 0
    first = next(pieces(iter([sound]), 1000, 1.0))
    assert 800 <= len(first) <= 900


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"units": "phonemes"}, "units must be one of characters, subwords, words"),
        ({"live": True, "normalise": "recording"}, "live transcription needs normalise='running'"),
        ({"stride": 9}, "stride must be at most 5"),
        ({"max_seconds": 0}, "max_seconds must be above 0"),
    ],
)
def test_impossible_settings(changed, message):
    with pytest.raises(InputError, match=message):
        TranscribeConfig(**changed)


def test_settings_of_a_frame_go_there_and_back():
    config = TranscribeConfig(live=True, hidden_size=7)
    assert TranscribeConfig.from_dict(config.to_dict()) == config
    assert config.normalisation == "running"
    assert pl.DataFrame([config.to_dict()]).height == 1
