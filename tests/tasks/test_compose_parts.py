"""Networks, losses, chains and sound of a composer against formulas, PyTorch and float64."""

import io
import itertools
import math
import wave

import numpy as np
import pytest
import torch

from longshort.data.midi import score_of
from longshort.data.music_tokens import MusicTokens
from longshort.errors import InputError
from longshort.sequence.network import Dropout
from longshort.tasks.compose import Composing, Composition
from longshort.tasks.compose.authors import author
from longshort.tasks.compose.config import ComposeConfig, make_plan
from longshort.tasks.compose.keys import Key, find_key
from longshort.tasks.compose.markov import Chain, KeyChain, TokenChain, pasts
from longshort.tasks.compose.network import FrameNetwork
from longshort.tasks.compose.pieces import RollEncoding, TokenEncoding
from longshort.tasks.compose.problem import TuneProblem, collate
from longshort.tasks.compose.scoring import nats, step_nats
from longshort.tasks.compose.sound import RATE, render
from longshort.tasks.compose.training import make_network
from longshort.tasks.compose.writing import compose
from longshort.training.problem import Turn

pytest.importorskip("miditok")

ROLLS = RollEncoding(0.5)
NONE = np.zeros((1, 88), np.uint8)


def rolls(count, seed=0, share=0.05):
    rng = np.random.default_rng(seed)
    made = [(rng.random((20 + 7 * k, 88)) < share).astype(np.uint8) for k in range(count)]
    for roll in made:
        roll[:, :12] = roll[:, -12:] = 0
        roll[0, 40] = 1
    return made


@pytest.fixture(scope="module")
def tokens():
    return TokenEncoding(MusicTokens(programs=False))


@pytest.fixture(scope="module")
def tunes(tokens):
    rng = np.random.default_rng(0)
    made = []
    for k in range(6):
        pitches = 60 + np.cumsum(rng.integers(-2, 3, 20 + 5 * k))
        notes = [(0.5 * n, 0.5, pitch, 0) for n, pitch in enumerate(pitches)]
        made.append(tokens.tokens.encode(score_of(np.array(notes, dtype=np.float64), 120.0)))
    return made


def network(encoding, tunes, **settings):
    config = ComposeConfig(hidden_size=7, num_layers=2, embedding_size=5, **settings)
    plan = make_plan(config, encoding.kind, encoding.size, (len(tunes), 1, 1), sum(map(len, tunes)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_network(config, plan).eval(), plan


def test_the_likelihood_of_frames_is_that_of_torch():
    """torch.nn.LSTM and Bernoulli in float64, over a roll longer than a window of the scoring."""
    roll = rolls(90)[-1]
    assert len(roll) > 512
    ours, _ = network(ROLLS, [roll])
    x = torch.from_numpy(roll).double()
    for layer in ours.recurrent:
        plain = torch.nn.LSTM(layer.input_size, 7).double()
        plain.load_state_dict({name: value.double() for name, value in layer.state_dict().items()})
        x = plain(x.unsqueeze(1) if x.dim() == 2 else x)[0]
    p = torch.sigmoid(x[:-1, 0] @ ours.output.weight.double().T + ours.output.bias.double())
    expected = -torch.distributions.Bernoulli(probs=p).log_prob(torch.from_numpy(roll[1:]).double()).sum(-1).detach()
    np.testing.assert_allclose(step_nats(ours, ROLLS, roll), expected, rtol=1e-4)
    assert nats(ours, ROLLS, [roll]) == pytest.approx(float(expected.mean()), rel=1e-5)


@pytest.mark.parametrize("kind", ["rolls", "tokens"])
def test_the_loss_of_a_padded_batch_is_the_mean_over_its_steps(kind, tokens, tunes):
    encoding, pieces = (ROLLS, rolls(4)) if kind == "rolls" else (tokens, tunes)
    ours, plan = network(encoding, pieces)
    problem = TuneProblem(ours, encoding, pieces, pieces, plan, 0)
    found = np.concatenate([step_nats(ours, encoding, piece) for piece in pieces])
    with torch.no_grad():
        losses = [problem.loss(ours, batch) for batch in problem.validation_batches()]
    assert sum(count for _, count in losses) == len(found)
    assert sum(float(loss) * count for loss, count in losses) / len(found) == pytest.approx(found.mean(), rel=1e-5)
    unit = sum(encoding.units(piece) for piece in pieces)
    assert nats(ours, encoding, pieces) == pytest.approx(found.sum() / unit, rel=1e-6)


def test_batches_hold_every_tune_once_transposed_and_cut(tokens, tunes):
    ours, plan = network(tokens, tunes, batch_size=2, transpose=3, window=16)
    problem = TuneProblem(ours, tokens, tunes, tunes[:1], plan, 0)
    turns = [Turn(step, 0, 1, np.random.default_rng(0)) for step in range(40)]
    windows = {tuple(tokens.whole(t)[k : k + 17]) for t in tunes for k in range(len(t))}
    seen = set()
    for turn in turns:
        batch, again = problem.training_batch(turn), problem.training_batch(turn)
        assert torch.equal(batch.inputs, again.inputs)
        assert batch.lengths.tolist() == [16] * len(batch.lengths)
        assert torch.equal(batch.inputs[1:], batch.targets[:-1])
        for column in torch.cat([batch.inputs[:1], batch.targets]).T.numpy():
            shifts = [s for s in range(-3, 4) if tuple(tokens.transposed(column, -s)) in windows]
            assert shifts
            seen.update(shifts if len(shifts) == 1 else [])
    assert seen == set(range(-3, 4))
    still, plan = network(tokens, tunes, batch_size=2, transpose=0, window=512)
    problem = TuneProblem(still, tokens, tunes, tunes[:1], plan, 0)
    epoch = [problem.training_batch(Turn(step, 0, 1, np.random.default_rng(0))) for step in range(3)]
    whole = [
        tuple(np.r_[i[0], t[:n]]) for b in epoch for i, t, n in zip(b.inputs.T, b.targets.T, b.lengths, strict=True)
    ]
    assert sorted(whole) == sorted(tuple(tokens.whole(t)) for t in tunes)


def test_a_chain_of_keys_counts():
    """Every key by itself, from counts, by the formula in its docstring written out for one past."""
    pieces = rolls(3, share=0.4)
    chain = KeyChain(ROLLS, pieces, 2)
    for key, past in ((30, 1), (40, 2), (5, 0)):
        bits = [(past >> 0) & 1, (past >> 1) & 1]  # one frame ago, two frames ago

        def counted(keys, length, bits=bits):
            on = seen = 0.0
            for roll in pieces:
                for t in range(1, len(roll)):
                    for k in keys:
                        before = [roll[t - b, k] if t >= b else 0 for b in range(1, length + 1)]
                        if before == bits[:length]:
                            seen, on = seen + 1, on + roll[t, k]
            return on, seen

        p = 0.5
        for length in range(3):
            for keys in (range(88), [key]):
                on, seen = counted(keys, length)
                p = (on + 2 * p) / (seen + 2)
        assert chain._tables[2][past, key] == pytest.approx(p, rel=1e-12)
    roll = pieces[0]
    p = chain.probabilities(roll)[:-1]
    expected = -np.log(np.where(roll[1:] > 0, p, 1 - p)).sum() / (len(roll) - 1)
    assert chain.nats([roll]) == pytest.approx(expected, rel=1e-12)
    assert pasts(np.array([[1], [0], [1], [1]]), 2).ravel().tolist() == [0, 1, 2, 1]


def test_a_chain_of_tokens_adds_up(tokens, tunes):
    chain = TokenChain(tokens, tunes[1:], 3)
    whole = tokens.whole(tunes[0])
    steps = [chain.log_probabilities(whole[:k].tolist())[whole[k]] for k in range(1, len(whole))]
    assert chain.nats(tunes[:1]) == pytest.approx(-sum(steps) / tokens.units(tunes[0]), rel=1e-9)
    assert np.exp(chain.log_probabilities(whole[:9].tolist())).sum() == pytest.approx(1)


@pytest.mark.parametrize("bars", [1, 3])
def test_tunes_have_their_bars_their_key_and_notes_in_time(bars, tokens, tunes):
    """An untrained network, which would write anything."""
    ours, _ = network(tokens, tunes)
    for key in ("free", "D minor"):
        written = compose(author(ours), tokens, Composing(bars=bars, key=key, seed=1), NONE, tunes=3)
        assert len({tuple(tune) for tune in written}) == 3
        for tune in written:
            kinds = [tokens.tokens.types[i] for i in tune]
            assert kinds.count("Bar") == bars
            for kind, after in itertools.pairwise(kinds):
                assert after in tokens.tokens.followers(kind)
            place, long = -1, 0
            for i, kind in zip(tune, kinds, strict=True):
                if kind == "TimeSig":
                    place, long = -1, tokens.tokens.bar_length(i)
                elif kind == "Position":
                    assert place < tokens.tokens.positions[i] < long
                    place = tokens.tokens.positions[i]
            pitches = tokens.notes(tune)[:, 2].astype(int)
            assert Key(2, "minor").holds[pitches % 12].all() == (key != "free" or not len(pitches))
    again = compose(author(ours), tokens, Composing(bars=bars, key=key, seed=1), NONE, tunes=3)
    assert all(np.array_equal(a, b) for a, b in zip(again, written, strict=True))


def test_a_tune_goes_on_in_its_key(tokens, tunes):
    ours, _ = network(tokens, tunes)
    before = tokens.transposed(tunes[0], 1)
    (tune,) = compose(author(ours), tokens, Composing(bars=3, key="kept", seed=2), NONE, before)
    inside = find_key(tokens.notes(before)).holds
    assert inside[tokens.notes(tune)[:, 2].astype(int) % 12].all()
    whole = Composition.of(tokens, Composing(instruments=(40,)), tune, before, tempo=90.0)
    known = len(tokens.notes(before))
    np.testing.assert_array_equal(whole.notes[:known, :3], tokens.notes(before)[:, :3])
    assert set(whole.notes[:, 3]) == {40}
    assert whole.tempo == 90
    assert whole.new == whole.notes[known, 0]


@pytest.mark.parametrize("chain", [False, True])
def test_rolls_are_written_frame_by_frame(chain):
    pieces = rolls(5)
    model = KeyChain(ROLLS, pieces, 3) if chain else network(ROLLS, pieces)[0]
    openings = np.stack([piece[0] for piece in pieces])
    made = compose(author(model), ROLLS, Composing(bars=2, seed=0), openings, tunes=4)
    assert [tune.shape for tune in made] == [(16, 88)] * 4  # two bars of four quarters, half a quarter a frame
    assert all((openings == tune[0]).all(1).any() for tune in made)
    for key in ("F# major", "kept"):
        (kept,) = compose(author(model), ROLLS, Composing(bars=4, key=key, seed=0), openings)
        assert kept.shape == (32, 88)
    more = compose(author(model), ROLLS, Composing(bars=1, seed=0), openings, pieces[0])
    assert more[0].shape == (8, 88)
    with pytest.raises(InputError, match="top_k and top_p are for tokens"):
        compose(author(model), ROLLS, Composing(top_k=3), openings)


def test_the_draws_of_a_roll_follow_the_network():
    """The first frame after a known one, drawn very often, has the probabilities of the network."""
    pieces = rolls(2)
    model, _ = network(ROLLS, pieces)
    made = compose(author(model), RollEncoding(4.0), Composing(bars=1, seed=0), NONE, pieces[0], tunes=4000)
    with torch.no_grad():
        p = torch.sigmoid(model(torch.from_numpy(pieces[0]).float()[:, None])[0][-1, 0]).numpy()
    share = np.mean([tune[0] for tune in made], 0)
    assert np.abs(share - p).max() < 5 * math.sqrt(0.25 / 4000)


@pytest.mark.parametrize("pitch", [57, 69, 84])
def test_a_note_sounds_at_its_pitch(pitch):
    sound = render(np.array([[0.5, 2, pitch, 0]]), 120.0)
    assert np.abs(sound).max() == pytest.approx(0.9)
    assert not sound[: int(0.25 * RATE)].any()  # half a quarter note at 120 a minute
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()] == pytest.approx(
        440 * 2 ** ((pitch - 69) / 12), abs=1
    )


def test_the_files_of_a_composition(tmp_path):
    tune = Composition(np.array([[0, 1, 60, 0], [1, 1, 64, 40], [1, 1, 38, -1]]), 100.0)
    for name in ("a.mid", "a.wav", "a.svg"):
        tune.write(tmp_path / name)
    from longshort.data.midi import first_tune, notes_of, tempo_of

    score = first_tune(tmp_path / "a.mid").score
    np.testing.assert_allclose(notes_of(score), tune.notes)
    assert tempo_of(score) == pytest.approx(100)
    with wave.open(io.BytesIO((tmp_path / "a.wav").read_bytes())) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(tune.seconds + 0.08, abs=0.01)
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn.count("<rect") == 3  # the ground, and two notes with a pitch
    for path, said in ((tmp_path / "a.mp3", "a tune is written as"), (tmp_path / "no" / "a.mid", "there is no folder")):
        with pytest.raises(InputError, match=said):
            tune.write(path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bars": 0}, "bars must be a whole number from 1"),
        ({"tempo": 0}, "tempo must be above 0"),
        ({"tempo": 5000}, "tempo must be from 4 to 1000"),
        ({"instruments": (128,)}, "instruments must be programs from 0 to 127"),
        ({"key": "H"}, "'H' is no key"),
        ({"temperature": -1}, "temperature must be a number from 0"),
        ({"speed": 1}, "unknown setting 'speed'"),
    ],
)
def test_what_cannot_be_asked(wrong, said):
    with pytest.raises(InputError, match=said):
        Composing.from_dict(wrong)


def test_zeros_stand_behind_shorter_tunes():
    batch = collate([np.array([1, 5, 6]), np.array([1, 7])])
    assert batch.inputs.tolist() == [[1, 1], [5, 7]]
    assert batch.targets.tolist() == [[5, 7], [6, 0]]
    assert batch.held.tolist() == [[True, True], [True, False]]


def test_a_frame_network_keeps_its_state():
    net = FrameNetwork(88, 6, 2, "gru", Dropout()).eval()
    x = torch.from_numpy(np.stack(rolls(1))[0]).float()[:, None]
    with torch.no_grad():
        whole, _ = net(x)
        first, state = net(x[:7])
        rest, _ = net(x[7:], state)
    torch.testing.assert_close(torch.cat([first, rest]), whole)


def test_windows_of_the_scoring_carry_the_state_on(tokens, tunes, monkeypatch):
    ours, _ = network(tokens, tunes)
    whole = step_nats(ours, tokens, tunes[0])
    monkeypatch.setattr("longshort.tasks.compose.scoring.WINDOW", 7)
    np.testing.assert_allclose(step_nats(ours, tokens, tunes[0]), whole, rtol=1e-5)


def test_a_new_tune_keeps_the_key_of_its_first_two_bars(tokens, tunes):
    ours, _ = network(tokens, tunes)
    for tune in compose(author(ours), tokens, Composing(bars=5, key="kept", seed=3), NONE, tunes=3):
        bars = np.flatnonzero(np.array([tokens.tokens.types[i] == "Bar" for i in tune]))
        first, rest = tune[: bars[2]], tune[bars[2] :]
        pitches = tokens.tokens.pitches[rest]
        assert find_key(tokens.notes(first)).holds[pitches[pitches >= 0] % 12].all()
        free = tokens.tokens.pitches[first]
        assert len({int(pitch) % 12 for pitch in free[free >= 0]}) > 9  # it was not kept before it was known
    pieces = rolls(5)
    model, _ = network(ROLLS, pieces)
    for roll in compose(author(model), ROLLS, Composing(bars=5, key="kept", seed=3), pieces[0][:1], tunes=3):
        notes = ROLLS.notes(roll[16:])[:, 2].astype(int)  # behind eight quarter notes
        assert find_key(ROLLS.notes(roll[:16])).holds[notes % 12].all()


def test_the_best_chain_has_the_order_that_validates_best(tokens, tunes):
    training, validation = tunes[2:], tunes[:2]
    orders = {order: TokenChain(tokens, training, order).nats(validation) for order in (*range(1, 9), 10, 12)}
    best = Chain.best(tokens, training, validation)
    assert best.order == min(orders, key=lambda order: orders[order])
    assert best.nats(validation) == pytest.approx(min(orders.values()), rel=1e-12)
