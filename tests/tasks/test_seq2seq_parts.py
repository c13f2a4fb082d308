"""Vocabulary, batches, metrics and baselines, each against what is known of it."""

import itertools

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2seq_models import network, sequences

from longshort.data.cleaning import clean
from longshort.tasks.seq2seq import metrics
from longshort.tasks.seq2seq.baselines import Retrieval, central_sentence, first_words
from longshort.tasks.seq2seq.evaluation import by_length, verdict
from longshort.tasks.seq2seq.examples import Examples
from longshort.tasks.seq2seq.problem import Encoded, Seq2SeqProblem
from longshort.tasks.seq2seq.vocabulary import Vocabulary, mark, named
from longshort.training.problem import Turn

WORDS = Vocabulary.train(["the cat sat on the mat", "a red bird"] * 3, 300, marks=("user", "system"))


@given(st.lists(st.text().map(clean), max_size=4))
@settings(max_examples=60)
def test_texts_come_back(texts):
    assert [WORDS.decode(ids) for ids in WORDS.encode(texts)] == texts


def test_a_word_is_the_same_wherever_it_stands():
    whole, start = WORDS.encode(["the cat", "cat"])
    assert whole.tolist()[-len(start) :] == start.tolist()


def test_marks_are_tokens_of_their_own():
    text = f"{mark(0)} the cat {mark(1)}"
    (ids,) = WORDS.encode([text])
    assert ids[0] == WORDS.end + 1
    assert ids[-1] == WORDS.end + 2
    assert ids[1:-1].tolist() == WORDS.encode(["the cat"])[0].tolist()
    assert WORDS.labels(ids)[:2] == ["⟨user⟩", "the"]
    assert WORDS.labels([WORDS.begin, WORDS.end]) == ["⟨begin⟩", "⟨end⟩"]
    assert WORDS.decode(ids) == "the cat"
    assert named(text, WORDS.marks) == "user: the cat \nsystem:"
    assert len(WORDS) == len(WORDS.tokenizer) + 4


def test_a_vocabulary_comes_back_from_json():
    again = Vocabulary.from_json(WORDS.to_json())
    assert again.marks == WORDS.marks
    assert [row.tolist() for row in again.encode(["a cat"])] == [row.tolist() for row in WORDS.encode(["a cat"])]


def problem(count=23, budget=20):
    pairs = Encoded(sequences(count), sequences(count, seed=1), 7, 8)
    return Seq2SeqProblem(
        network(), pairs, pairs, budget=budget, label_smoothing=0.1, coverage_weight=1.0, seed=3
    ), pairs


def turn(step, part=0, parts=1):
    return Turn(step, part, parts, np.random.default_rng(0))


def test_every_pair_once_an_epoch():
    task, pairs = problem()
    seen, step, epochs = [], 0, []
    while len(epochs) < 3:
        batch = task.training_batch(turn(step))
        step += 1
        for column, length in enumerate(batch.source_lengths.tolist()):
            seen.append(tuple(batch.sources[:length, column].tolist()))
        if len(seen) == len(pairs):
            epochs.append(sorted(seen))
            seen = []
    assert epochs[0] == sorted(tuple(row.tolist()) for row in pairs.sources) == epochs[1] == epochs[2]


def test_a_batch_depends_on_its_turn_alone():
    one, other = problem()[0], problem()[0]
    for step in range(12):
        one.training_batch(turn(step))
    for step in (11, 3):
        for a, b in zip(one.training_batch(turn(step)), other.training_batch(turn(step)), strict=True):
            assert torch.equal(a, b)
    both = [other.training_batch(turn(2, part, 2)) for part in (0, 1)]
    alone = [one.training_batch(turn(step)) for step in (4, 5)]
    assert all(torch.equal(a.sources, b.sources) for a, b in zip(both, alone, strict=True))


def test_the_targets_are_the_inputs_one_step_on():
    batch = problem()[0].training_batch(turn(0))
    for b, length in enumerate(batch.target_lengths.tolist()):
        assert batch.inputs[0, b] == 7
        assert batch.targets[length - 1, b] == 8
        assert torch.equal(batch.inputs[1:length, b], batch.targets[: length - 1, b])
    assert batch.written.sum() == batch.target_lengths.sum()


def test_validation_is_not_smoothed():
    task, pairs = problem()
    task.network.eval()
    total = [task.loss(task.network, batch) for batch in task.validation_batches()]
    mean = sum(float(loss.detach()) * count for loss, count in total) / sum(count for _, count in total)
    everything = pairs.batch(np.arange(len(pairs)))
    assert mean == pytest.approx(float(task.network.loss(everything).likelihood.detach()), rel=1e-5)


def test_metrics_of_known_answers():
    references = [("The cat sat on the mat .", "A cat sat ."), ("Dogs bark loudly at night .",)]
    same = [several[0] for several in references]
    assert metrics.bleu(same, references)[0] == pytest.approx(100)
    assert metrics.chrf(same, references)[0] == pytest.approx(100)
    score, signature = metrics.bleu(["The cat sat on a mat .", "Dogs bark loudly at night ."], references)
    # By hand: 12 of 13 words, 9 of 11 pairs, 6 of 9 triples, 4 of 7 fours; as long as the references.
    assert score == pytest.approx(100 * (12 / 13 * 9 / 11 * 6 / 9 * 4 / 7) ** 0.25)
    assert signature.startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_rouge_by_hand():
    (row,), how = metrics.rouge(["a dog"], [("a b c", "a x dog")])
    assert row["ROUGE-1"] == pytest.approx(80)  # precision 1, recall 2/3
    assert row["ROUGE-2"] == 0
    assert row["ROUGE-L"] == pytest.approx(80)
    assert "several references" in how


def test_distinct():
    assert metrics.distinct(["a b a", "A b"], 1) == 2 / 5
    assert metrics.distinct(["a b a", "a b"], 2) == 2 / 3
    assert metrics.distinct([""], 2) == 0


def test_retrieval_finds_what_it_knows():
    retrieval = Retrieval(["a red bird sings", "the old cat sleeps", "rain falls"], ["x", "y", "z"])
    assert retrieval(["the old cat", "rain", "a bird"]) == ["y", "z", "x"]
    assert retrieval([]) == []


def test_first_words():
    assert first_words(["a b c d", "e"], 2) == ["a b", "e"]


def test_a_central_sentence_is_that_of_pagerank():
    sentences = [
        "Cats eat fish every day.",
        "Cats and dogs eat fish.",
        "The weather was fine.",
        "Dogs eat bones and fish every day.",
        "Nobody knows why.",
    ]
    sets = [set(s.lower().strip(".").split()) for s in sentences]
    graph = networkx.Graph()
    graph.add_nodes_from(range(5))
    for i in range(5):
        for j in range(i):
            weight = len(sets[i] & sets[j]) / (np.log(len(sets[i])) + np.log(len(sets[j])))
            if weight:
                graph.add_edge(i, j, weight=weight)
    ranks = networkx.pagerank(graph, alpha=0.85)
    best = max(ranks, key=ranks.get)
    assert central_sentence(" ".join(sentences), 50) == sentences[best]
    assert central_sentence("One sentence alone", 2) == "One sentence"
    assert central_sentence("", 5) == ""


def test_bins_of_lengths():
    sources = ["w " * n for n in (1, 1, 2, 5, 9, 9, 12, 20, 30, 40)]
    rows = by_length(sources, {"m": [str(k) for k in range(10)]}, lambda answers, places: float(len(places)))
    assert sum(row["examples"] for row in rows) == 10
    assert all(row["m"] == row["examples"] for row in rows)
    assert rows[0]["least"] == 1
    assert rows[-1]["most"] == 40
    assert all(one["most"] < other["least"] for one, other in itertools.pairwise(rows))
    assert len(by_length(["a b"] * 3, {"m": [""] * 3}, lambda answers, places: 0.0)) == 1


def test_verdicts():
    def said(ours, rival):
        return verdict({"LSTM": {"BLEU": ours}, "Copy": {"BLEU": rival}}, "BLEU", "on 3 sentences")

    assert said(30.0, 20.0) == "LSTM writes better than every baseline: BLEU 30.0, next Copy 20.0 (on 3 sentences)."
    assert said(10.0, 20.0) == "Copy wins: BLEU 20.0, LSTM 10.0 (on 3 sentences)."
    assert said(20.0, 20.0) == "LSTM and Copy are equal: BLEU 20.0 (on 3 sentences)."


def test_groups_stay_together():
    examples = Examples(tuple(map(str, range(30))), (("t",),) * 30, tuple(k // 3 for k in range(30)))
    parts = examples.split((0.6, 0.2, 0.2), seed=1)
    assert [len(part) for part in parts] == [18, 6, 6]
    assert not set(parts[0].groups) & set(parts[1].groups) | set(parts[1].groups) & set(parts[2].groups)
    assert sorted(int(s) for part in parts for s in part.sources) == list(range(30))
