"""Pairs of texts: aligned files and tables of every kind, what is left out, and what each fault says."""

import gzip
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshort.data.cleaning import clean
from longshort.data.pairs import Pairs, parting, read_pairs
from longshort.data.sources import read_sources
from longshort.errors import InputError

GERMAN = ["Ein Hund läuft.", "Zwei Katzen schlafen.", "Ein Mann liest."]
ENGLISH = ["A dog runs.", "Two cats sleep.", "A man reads."]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.de").write_text("\n".join(GERMAN) + "\n")
    with gzip.open(tmp_path / "a.en.gz", "wt") as file:
        file.write("\r\n".join(ENGLISH))
    return tmp_path / "a.de", tmp_path / "a.en.gz"


def test_aligned_files(files):
    pairs = read_pairs(files)
    assert pairs.sources == tuple(GERMAN)
    assert pairs.references == tuple((text,) for text in ENGLISH)
    assert pairs.notes == ()
    assert read_pairs(list(files)).fingerprint() == pairs.fingerprint()
    assert read_pairs(list(zip(GERMAN, ENGLISH, strict=True))).fingerprint() == pairs.fingerprint()
    assert read_pairs(pairs) is pairs


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "source,target\n" + "\n".join(f"{a},{b}" for a, b in zip(GERMAN, ENGLISH, strict=True))),
        ("p.tsv", "\n".join(f"{a}\t{b}" for a, b in zip(GERMAN, ENGLISH, strict=True))),
        ("p.tsv", "de\ten\n" + "\n".join(f"{a}\t{b}" for a, b in zip(GERMAN, ENGLISH, strict=True))),
        (
            "p.jsonl",
            "\n".join(
                json.dumps({"id": str(k), "tgt": b, "src": a})
                for k, (a, b) in enumerate(zip(GERMAN, ENGLISH, strict=True))
            ),
        ),
    ],
    ids=["csv", "no header", "other names", "jsonl"],
)
def test_tables(tmp_path, name, text):
    (tmp_path / name).write_text(text + "\n")
    assert (
        read_pairs(tmp_path / name).fingerprint() == read_pairs(list(zip(GERMAN, ENGLISH, strict=True))).fingerprint()
    )


def test_several_references(tmp_path):
    row = {"document": "Long text.", "summary": "A", "references": ["A", "B", " "]}
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n")
    assert read_pairs(tmp_path / "d.jsonl").references == (("A", "B"),)
    frame = pl.DataFrame({"document": ["Long text."], "references": [["B", "A"]]})
    assert read_pairs(frame).references == (("B", "A"),)
    wrong = pl.DataFrame({"document": ["Long text."], "references": ["[1]"]})
    with pytest.raises(InputError, match="row 1: 'references' must be a list of texts"):
        read_pairs(wrong)


def test_named_columns():
    frame = pl.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]})
    assert read_pairs(frame, columns=("c", "a")).sources == ("z",)
    assert read_pairs(frame, columns=("c", "a")).references == (("x",),)
    with pytest.raises(InputError, match="there is no column 'd'; the columns are 'a', 'b', 'c'"):
        read_pairs(frame, columns=("d", None))
    with pytest.raises(InputError, match="cannot tell the targets among the columns 'a', 'b', 'c'"):
        read_pairs(frame, columns=("a", None))


def test_what_is_left_out_is_counted():
    given_ = [("a b", "c d"), ("", "alone"), ("alone", " "), (" ", ""), ("word " * 50, "w"), ("x\x07y", "z")]
    pairs = read_pairs(given_, longest_ratio=30)
    assert pairs.sources == ("a b", "xy")
    assert pairs.notes == (
        "the list: 1 pair empty on both sides: left out",
        "the list: 2 pairs empty on one side: left out",
        "the list: 1 pair with one side more than 30 times as long as the other: left out",
        "the list: control characters in 1 pair: left out of the text",
    )
    with pytest.raises(InputError, match="no pair with something on both sides"):
        read_pairs([("", "a")])


def test_files_of_different_numbers_of_lines(tmp_path):
    lines = [f"{'word ' * (1 + 7 * k % 13)}." for k in range(60)]
    (tmp_path / "a").write_text("\n".join(lines) + "\n")
    (tmp_path / "b").write_text("\n".join(line.upper() for k, line in enumerate(lines) if k not in (20, 21)) + "\n")
    with pytest.raises(InputError) as said:
        read_pairs([tmp_path / "a", tmp_path / "b"])
    assert str(said.value) == (
        f"{tmp_path}/a has 60 lines, {tmp_path}/b has 58: line for line they must belong together; add or remove lines "
        "(they seem to part at line 21)"
    )


def test_where_files_part_is_not_guessed():
    assert parting(["ab"] * 100, ["cd"] * 99) is None
    assert parting([f"{'w ' * k}" for k in range(9)], [f"{'w ' * k}" for k in range(8)]) is None
    assert parting(["ab"], []) is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (["one", "two", "three"], "3 files are given; give two aligned ones, or one table"),
        ("lines.de", "one file of lines has no targets"),
        (["nowhere.de", "nowhere.en"], "nowhere.de: there is no such file"),
        ([("a",), ("b",)], "the list does not hold pairs of texts only"),
        (pl.DataFrame({"n": [1], "m": [2]}), "cannot tell the sources among the columns 'n', 'm'"),
    ],
)
def test_faults(source, said):
    with pytest.raises(InputError, match=said):
        read_pairs(source)


def test_an_empty_file(tmp_path):
    (tmp_path / "a").write_text("\n\n")
    with pytest.raises(InputError, match="the file is empty"):
        read_pairs([tmp_path / "a", tmp_path / "a"])


def test_sources_alone(tmp_path, files):
    assert read_sources(["a", "", " b\n"]) == (("a", "", "b"), "the list")
    assert read_sources(files[0])[0] == tuple(GERMAN)
    assert read_sources(pl.DataFrame({"text": ["t"], "n": [1]}))[0] == ("t",)
    assert read_sources(pl.DataFrame({"q": ["t"], "r": ["a long text"]}), column="q")[0] == ("t",)
    with pytest.raises(InputError, match="there is no text"):
        read_sources([])


@given(st.text())
def test_clean_texts_stay_as_they_are(text):
    once = clean(text)
    assert clean(once) == once
    assert "\n" not in once
    assert not set(once) & {"\ue000", "\x1e", "\0"}
    once.encode("utf-8")


def test_clean():
    assert clean("a\u00a0b\x1ec\ud800d\ue000 \n e") == "a b cd e"


def test_pairs_know_their_texts():
    one, other = Pairs(("a", "b"), (("c",), ("d",)), "x"), Pairs(("a", "bc"), (("",), ("d",)), "x")
    assert one.fingerprint() != other.fingerprint()
    assert len(one) == 2
