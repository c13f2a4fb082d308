"""Conversations in their several forms, what is left out, and what each fault says."""

import json

import pytest

from longshort.data.dialogues import Turn, read_dialogues, turns_of
from longshort.errors import InputError

TURNS = (Turn("user", "Hello."), Turn("system", "Good day."))


@pytest.mark.parametrize(
    "line",
    [
        {"turns": [{"speaker": "user", "text": "Hello."}, {"speaker": "system", "text": "Good  day."}]},
        {"id": 3, "messages": [{"role": "user", "content": "Hello."}, {"role": "system", "content": "Good day."}]},
        {"conversation": [["user", "Hello."], ["system", "Good day."]]},
    ],
    ids=["turns", "messages", "pairs"],
)
def test_forms(tmp_path, line):
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(line) + "\n\n")
    found = read_dialogues(path)
    assert found.dialogues == (TURNS,)
    assert found.fingerprint() == read_dialogues([TURNS]).fingerprint()
    assert found.speakers == {"user": 1, "system": 1}


def test_without_names_speakers_take_turns():
    assert turns_of(["a", "b", "c"], "x") == (Turn("A", "a"), Turn("B", "b"), Turn("A", "c"))


def test_one_turn_is_no_dialogue():
    found = read_dialogues([["a"], ["a", ""], ["a", "b"]])
    assert len(found) == 1
    assert found.notes == (
        "the list: 2 dialogues have fewer than two turns with text: left out, there is nothing to reply to",
    )
    with pytest.raises(InputError, match="no dialogue has two turns"):
        read_dialogues([["a"]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"talk": []}', 'line 1: no list of turns; write {"turns"'),
        ('{"turns": "hello"}', "line 1: turns must be a list, not a str"),
        ('{"turns": [{"speaker": "a"}, "b"]}', "line 1, turn 1: no text; write"),
        ('{"turns": [{"speaker": 1, "text": "x"}, "b"]}', "line 1, turn 1: no text"),
        ('{"turns"', "line 1, column .*: not JSON"),
        ("", "the file is empty"),
    ],
)
def test_faults(tmp_path, text, said):
    path = tmp_path / "d.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=said):
        read_dialogues(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_dialogues(tmp_path / "d.jsonl")
    (tmp_path / "d.txt").write_text("hello\n")
    with pytest.raises(InputError, match=r"dialogues are read from JSON Lines \(.jsonl\)"):
        read_dialogues(tmp_path / "d.txt")
