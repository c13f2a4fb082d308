"""The n-gram baseline against its formula in plain Python, and against the literature."""

import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshort.data.corpus import read_corpus
from longshort.data.tokens import Tokenizer
from longshort.errors import InputError
from longshort.sequence.kneser_ney import KneserNey, best_order

real = pytest.mark.skipif(
    not os.environ.get("LONGSHORT_DATA"), reason="LONGSHORT_DATA does not name a folder of real data"
)


def brute_force(text, order, size):
    """p(token, context) by Chen and Goodman's equations, with dictionaries of tuples."""
    counts = {}
    for length in range(1, order + 1):
        grams = [tuple(text[k : k + length]) for k in range(len(text) - length + 1)]
        if length == order:
            counts[length] = Counter(grams)
        else:
            before = defaultdict(set)
            for k, gram in enumerate(grams):
                before[gram].add(text[k - 1] if k else "start")
            counts[length] = Counter({gram: len(tokens) for gram, tokens in before.items()})

    def discount(length, count):
        n = [sum(c == k for c in counts[length].values()) for k in range(5)]
        if not (n[1] and n[2]):
            return 0.5
        y = n[1] / (n[1] + 2 * n[2])
        if n[3]:
            modified = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            if min(modified) > 0:
                return modified[min(count, 3) - 1]
        return y

    def probability(token, context):
        if context is None:
            return 1 / size
        length = len(context) + 1
        shorter = probability(token, context[1:] if context else None)
        after = {gram: c for gram, c in counts[length].items() if gram[:-1] == context}
        if not after:
            return shorter
        total = sum(after.values())
        count = after.get((*context, token), 0)
        own = (count - discount(length, count)) / total if count else 0
        return own + sum(discount(length, c) for c in after.values()) / total * shorter

    return lambda token, context: probability(token, tuple(context[max(0, len(context) - order + 1) :]))


# Small vocabularies, so that n-grams repeat; the last token of the vocabulary never occurs.
IDS = st.integers(1, 4).flatmap(lambda size: st.lists(st.integers(0, size - 1), min_size=1, max_size=80))


@given(train=IDS, test=st.lists(st.integers(0, 4), max_size=12), order=st.integers(1, 5))
@example(train=[0], test=[0, 1, 4], order=5)
@example(train=[0, 0], test=[], order=2)
@example(train=[0, 1], test=[0, 1, 0, 1], order=2)
@example(train=[0, 1, 2] * 20 + [0, 2, 1, 1] * 3, test=[0, 1, 2, 0, 2, 1, 1, 4, 0], order=3)
def test_the_formula(train, test, order):
    model = KneserNey(order).fit(train, 5)
    truth = brute_force(train, order, 5)
    expected = [np.log(truth(token, test[:k])) for k, token in enumerate(test)]
    found = model.log_probabilities(np.array(test, np.int32))
    assert found.shape == (len(test),)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    distribution = model.distribution(test)
    np.testing.assert_allclose(distribution, [truth(token, test) for token in range(5)], rtol=1e-10)


@given(train=IDS, context=st.lists(st.integers(0, 4), max_size=6), order=st.integers(1, 8))
def test_probabilities_sum_to_one(train, context, order):
    model = KneserNey(order).fit(train, 5)
    each = [np.exp(model.log_probabilities([token], context)[0]) for token in range(5)]
    assert abs(sum(each) - 1) < 1e-12
    assert min(each) > 0
    np.testing.assert_allclose(model.distribution(context), each, rtol=1e-12)


@given(train=IDS, text=st.lists(st.integers(0, 4), min_size=2, max_size=20), order=st.integers(1, 5))
def test_a_context_is_what_came_before(train, text, order):
    model = KneserNey(order).fit(train, 5)
    whole = model.log_probabilities(text)
    half = len(text) // 2
    np.testing.assert_array_equal(model.log_probabilities(text[half:], text[:half]), whole[half:])


def test_modified_discounts_by_hand():
    """Counts 1, 1, 1, 1, 2, 2, 3, 4 of unigrams: n = 4, 2, 1, 1, so Y = 1/2 and D = 1/2, 5/4, 1."""
    train = [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 7]
    found = np.exp(KneserNey(1).fit(train, 10).log_probabilities([0, 4, 6, 7, 8]))
    taken = 4 * 0.5 + 2 * 1.25 + 2 * 1
    expected = (np.array([1 - 0.5, 2 - 1.25, 3 - 1, 4 - 1, 0]) + taken / 10) / 15
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_word_is_as_likely_as_its_contexts_are_many():
    """Kneser and Ney's point: "Francisco" (1), frequent after "San" (0) alone, is unlikely after other words."""
    train = [0, 1] * 30 + [2, 3, 4, 3, 5, 3, 6, 3, 7, 3] * 2
    after = KneserNey(2).fit(train, 10).distribution([8])
    assert after[3] > 3 * after[1]


def test_best_order():
    draw = np.random.default_rng(0)
    dice = draw.choice(6, 4000, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    second = draw.integers(0, 2, 4000)  # the exclusive or of the two before it, mostly: needs three tokens, and no more
    for k in range(2, len(second)):
        second[k] = second[k - 1] ^ second[k - 2] ^ (draw.random() < 0.1)
    assert best_order(dice[:2000], dice[2000:], 6, largest=4) == 1
    assert best_order(second[:2000], second[2000:], 2, largest=6) == 3
    assert best_order(second[:2000], second[2000:], 2, largest=2) in (1, 2)


@pytest.mark.parametrize("order", [0, -1, 2.0, "3", True, None])
def test_bad_orders(order):
    with pytest.raises(InputError, match=r"^the order of a Kneser-Ney model is .*; give a whole number from 1 on$"):
        KneserNey(order)


def test_bad_tokens():
    fitted = KneserNey(2).fit([0, 1], 2)
    for call, said in [
        (lambda: KneserNey(2).fit([], 2), "there are no tokens to count; give a text that is not empty"),
        (lambda: KneserNey(2).fit([0], 0), "the vocabulary size is 0; give a whole number from 1 on"),
        (lambda: KneserNey(2).fit([0, 2], 2), "token 2 at place 1 is not among the 2 of the vocabulary; encode"),
        (lambda: KneserNey(2).fit([0.5], 2), "tokens are a row of whole numbers, not float64 of shape (1,); give ids"),
        (lambda: KneserNey(2).fit([[1]], 2), "tokens are a row of whole numbers, not int64 of shape (1, 1); give ids"),
        (lambda: fitted.log_probabilities([-1]), "token -1 at place 0 is not among the 2 of the vocabulary; encode"),
        (lambda: fitted.distribution([2]), "token 2 at place 0 is not among the 2 of the vocabulary; encode"),
        (lambda: KneserNey(2).log_probabilities([0]), "the Kneser-Ney model has counted nothing yet; call fit first"),
        (lambda: best_order([0], [], 2), "there are no validation tokens to compare orders on; give a text"),
    ]:
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value).startswith(said)
        assert "\n" not in str(caught.value)


@real
def test_penn_treebank():
    """The perplexity of a 5-gram model with Kneser-Ney smoothing is 141.2 (Mikolov and others, 2011)."""
    folder = Path(os.environ["LONGSHORT_DATA"]) / "text"
    texts = [read_corpus(folder / f"ptb.{part}.txt").documents[0].text for part in ("train", "test")]
    tokenizer = Tokenizer.train(texts[:1], "words")
    train, test = (tokenizer.encode(text).ids for text in texts)
    model = KneserNey(5).fit(train, len(tokenizer))
    assert np.exp(-model.log_probabilities(test).mean()) == pytest.approx(141.2, abs=0.5)
    assert abs(model.distribution(test[:4]).sum() - 1) < 1e-12


@real
def test_characters_up_to_order_eight():
    text = read_corpus(Path(os.environ["LONGSHORT_DATA"]) / "text" / "tinyshakespeare.txt").documents[0].text
    tokenizer = Tokenizer.train([text], "characters")
    ids = tokenizer.encode(text).ids
    split = len(ids) * 9 // 10
    model = KneserNey(8).fit(ids[:split], len(tokenizer))
    bits = -model.log_probabilities(ids[split:]).mean() / np.log(2)
    assert 2.1 < bits < 2.3
