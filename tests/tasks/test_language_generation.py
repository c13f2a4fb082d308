"""Texts token by token: against reading everything again at every step; stop texts; pieces of characters."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from writers import model, network, plain

from longshort.data.tokens import Tokenizer
from longshort.sequence.writer import Writer
from longshort.tasks.language import Sampling
from longshort.tasks.language.generation import Text


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("penalty", [1.0, 30.0])
def test_greedy_is_the_argmax_of_reading_all_again(cell, layers, penalty):
    net = network(cell=cell, layers=layers, scale=20.0)
    prompt = [3, 1, 4]
    text = list(prompt)
    for _ in range(30):
        logs = plain(net, torch.tensor(text)[:, None])[-1, 0]
        logs[list(set(text))] *= penalty
        text.append(int(logs.argmax()))
    settings = Sampling(length=30, temperature=0, samples=2, repetition_penalty=penalty)
    assert list(Writer(net).generate(prompt, settings, None)) == [[token, token] for token in text[3:]]
    assert penalty == 1 or len(set(text[3:])) > 5


def test_frequencies_of_whole_texts():
    """Two tokens drawn one after the other: their joint distribution is the product of the conditional ones."""
    net = network(vocabulary=3, scale=30.0)
    count = 20_000
    first, second = Writer(net).generate([2], Sampling(length=2, samples=count, seed=0), None)
    found = np.bincount(3 * np.array(first) + np.array(second), minlength=9) / count
    one = plain(net, torch.tensor([[2]]))[-1, 0].exp()
    two = torch.stack([plain(net, torch.tensor([[2], [k]]))[-1, 0].exp() for k in range(3)])
    wanted = (one[:, None] * two).flatten().detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=4 * np.sqrt(0.25 / count))
    assert np.abs(wanted - np.outer(one.detach(), one.detach()).flatten()).max() > 0.02  # the second depends on it


def test_the_unknown_token_is_never_written():
    net = network(scale=1.0)
    with torch.no_grad():
        net.bias[0] = 10.0
    drawn = np.array(list(Writer(net).generate([3], Sampling(length=50, samples=4, seed=0), 0)))
    assert drawn.shape == (50, 4)
    assert (drawn != 0).all()


def test_generate_gives_as_many_tokens_and_samples_as_asked():
    written = model()
    assert isinstance(written.generate(length=7, seed=0), str)
    assert len(written.generate(length=7, seed=0)) == 7
    texts = written.generate("the", length=9, samples=3, seed=0)
    assert [len(text) for text in texts] == [9, 9, 9]
    assert len(set(texts)) == 3
    assert written.generate("the", length=9, samples=3, seed=0) == texts
    assert not texts[0].startswith("the")


def test_pieces_joined_are_the_whole():
    for kind in ("characters", "bytes", "words", "subwords"):
        written = model(kind=kind, vocabulary_size=300 if kind == "subwords" else None)
        sampling = Sampling(length=40, samples=2, seed=1, stop=("zzz", "at", "on t"))
        joined = ["".join(pieces) for pieces in zip(*written.stream("the cat", sampling), strict=True)]
        assert joined == written.generate("the cat", length=40, samples=2, seed=1, stop=["zzz", "at", "on t"])


def fed(text, kind="characters", stop=(), prompt=""):
    """The pieces that a text gives when its tokens come one by one."""
    tokenizer = Tokenizer.train([f"{text} {prompt}"], kind)
    grown = Text(tokenizer, tokenizer.encode(prompt).ids.tolist(), stop)
    pieces = [grown.add(token) for token in tokenizer.encode(text).ids.tolist()]
    return [*pieces, grown.end()], grown


def stopped(text, stop):
    """Where a text ends: at the first stop text to be complete, and of those the one that begins first."""
    for end in range(len(text) + 1):
        found = [text[:end].find(s) for s in stop if s in text[:end]]
        if found:
            return text[: min(found)]
    return text


@given(st.text("ab\n", max_size=12), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3))
def test_stop_texts_are_left_out_wherever_the_borders_are(text, stop):
    if text:
        pieces, grown = fed(text, stop=tuple(stop))
        assert "".join(pieces) == stopped(text, stop)
        assert grown.ended
        assert grown.add(0) == grown.end() == ""


@pytest.mark.parametrize(
    ("text", "kind", "stop", "wanted"),
    [
        ("the cat sat on", "words", "t s", "the ca"),
        ("the cat sat on", "words", "sat on", "the cat "),
        ("one\ntwo\n\nthree", "words", "\n\n", "one\ntwo"),
        ("naïve €uro", "bytes", "€", "naïve "),
        ("naïve €uro", "bytes", "ve €", "naï"),
    ],
)
def test_stop_texts_across_tokens(text, kind, stop, wanted):
    assert "".join(fed(text, kind, (stop,))[0]) == wanted


def test_a_begun_stop_text_is_held_back_and_given_in_the_end():
    pieces, _ = fed("abxab", stop=("aby",))
    assert pieces == ["", "", "abx", "", "", "ab"]


def test_a_stop_text_that_only_the_end_completes():
    tokenizer = Tokenizer.train(["x"], "bytes")
    text = Text(tokenizer, [], ("\ufffd",))
    assert [text.add(ord("a")), text.add(0xE2), text.end()] == ["a", "", ""]
    assert text.ended


@given(st.lists(st.integers(0, 255), min_size=1, max_size=30))
def test_bytes_never_give_half_characters(ids):
    tokenizer = Tokenizer.train(["x"], "bytes")
    text = Text(tokenizer, [], ())
    pieces = [text.add(token) for token in ids]
    assert "".join([*pieces, text.end()]) == bytes(ids).decode("utf-8", errors="replace")
    whole = "héllo €😀"
    growing = Text(tokenizer, [], ())
    given_ = [growing.add(token) for token in whole.encode()]
    assert [piece for piece in given_ if piece] == list(whole)
    assert growing.end() == ""


def test_the_first_word_has_the_space_that_the_prompt_lacks():
    assert "".join(fed("sat on", "words", prompt="the cat")[0]) == " sat on"
    assert "".join(fed("sat on", "words", prompt="the cat\n")[0]) == "sat on"
