"""The report of a language model: its numbers are the model's, and no text can become markup."""

import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from writers import model, plain, story

from longshort import LanguageModel
from longshort.data.corpus import Corpus
from longshort.report import visible
from longshort.tasks.language.report import render
from longshort.tasks.language.report.passage import Passage
from longshort.training import Check, Progress

SECTIONS = ["What it writes", "What surprises it", "Cells that follow something", "Inside the recurrent layer"]
ALWAYS = [*SECTIONS, "How it learnt", "Settings"]


def shown(**given):
    """A model by hand, with the looks at a validation that a report draws."""
    made = model(**given)
    checks = [[Check(10, 2.5, 2.4), Check(20, 2.2, 2.3)]]
    made._fitted = type(made.fitted)(**{**vars(made.fitted), "checks": checks})
    return made


def figures(html):
    found = re.findall(r'<script type="application/json" class="figure">(.*?)</script>', html)
    return [json.loads(text) for text in found]


def headings(html):
    return [unescape(text) for text in re.findall(r"<h2.*?>(.*?)</h2>", html)]


def pieces(html, label):
    """Text, shade and hint of every piece of a marked text."""
    body = re.search(rf'aria-label="{label}">(.*?)</div>', html, re.DOTALL)[1]
    found = re.findall(r'<span class="(up|down)" style="--w:([\d.]+)" title="(.*?)">(.*?)</span>', body, re.DOTALL)
    return [(unescape(t), float(w) * (1 if way == "up" else -1), unescape(hint)) for way, w, hint, t in found]


@pytest.fixture(scope="module")
def written():
    return shown()


@pytest.fixture(scope="module")
def html(written):
    return render(written)


@pytest.fixture(scope="module")
def tested():
    return LanguageModel(hidden_size=6, steps=3, window=16, batch_size=4).fit(Corpus.of([story()]), progress=Progress())


def test_all_sections_are_there(html, tested):
    assert headings(html) == ALWAYS
    assert headings(render(tested)) == ["Against the baselines", *ALWAYS]


def test_it_asks_nothing_of_the_network(html):
    assert not re.search(r"""(src|href)=["']?\w+:""", html)
    assert not re.search(r"https?://", html)
    assert len(html) < 3_000_000


def test_the_scores_are_those_of_the_model(tested):
    html, scores = render(tested), tested.evaluate()
    assert unescape(re.search(r"<h1>(.*?)</h1>", html)[1]) == scores.verdict
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    for name, row in scores.overall.items():
        (line,) = [text for text in rows if f"</span>{name}</th>" in text]
        cells = [re.sub("<.*?>|★|best:", "", cell).strip() for cell in re.findall(r"<td.*?</td>", line)]
        wanted = [row["perplexity"], row["nats"], row["bits per character"]]
        decimals = (2, 3, 3)
        assert cells == ["–" if v is None else f"{v:,.{d}f}" for v, d in zip(wanted, decimals, strict=True)]


def test_the_surprises_are_those_of_a_plain_reading(written, html):
    fitted = written.fitted
    text = torch.from_numpy(np.concatenate([fitted.training[-512:], fitted.test]).astype(np.int64))
    logs = plain(fitted.network, text[:-1, None])[:, 0].gather(-1, text[1:, None])[:, 0]
    bits = (-logs / np.log(2)).detach().numpy()[-len(fitted.test) :]
    found = pieces(html, "Held-out text, coloured by surprise")
    assert "".join(token for token, _, _ in found) == fitted.tokenizer.decode(fitted.test).replace("\n", "↵\n")
    np.testing.assert_allclose([shade for _, shade, _ in found], np.clip(bits / 12, 0, 1), atol=0.0051)
    assert [hint.split(" bits")[0] for _, _, hint in found] == [f"{bit:.1f}" for bit in bits]
    assert f"on average {bits.mean():.1f} bits" in html
    rank = re.search(r"The greatest surprises</summary>.*?</table>", html, re.DOTALL)[0]
    places = [int(p.replace(",", "")) for p in re.findall(r'<th scope="row">([\d,]+)</th>', rank)]
    assert places == np.argsort(-bits)[:12].tolist()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_states_are_those_of_the_whole_reading(cell):
    written = shown(cell=cell, layers=2)
    fitted = written.fitted
    found = Passage.of(written)
    text = np.concatenate([fitted.training[-512:], fitted.test]).astype(np.int64)
    _, output, _ = fitted.network(torch.from_numpy(text[:, None]))
    wanted = output[-len(fitted.test) :, 0].detach().numpy()
    np.testing.assert_allclose(found.states["h"], wanted, atol=1e-5)


def test_the_picture_has_the_surprises_and_the_gates(written, html, gates):
    found = Passage.of(written)
    meta, (drawn,) = gates(html)
    assert meta["curves"][0]["y"] == pytest.approx(found.bits[:200], rel=1e-3)
    assert meta["labels"] == found.labels[:200]
    assert drawn["f"] == pytest.approx(found.states["f"][:200].T, abs=0.5 / 255 + 1e-6)


def test_the_samples_are_what_the_model_writes(written, html):
    samples = [unescape(text) for text in re.findall(r'<pre class="sample".*?>(.*?)</pre>', html, re.DOTALL)]
    assert samples == [written.generate(temperature=t, length=400, seed=0) for t in (0.5, 0.8, 1.0)]


def test_it_says_how_to_do_it_again():
    made = LanguageModel(tokens="words", hidden_size=6, steps=3, window=16, batch_size=4, test=0.1, cell="gru")
    html = render(made.fit(Corpus.of([story()]), progress=Progress()))
    code, command = (unescape(text) for text in re.findall(r"<pre.*?><code>(.*?)</code></pre>", html, re.DOTALL))
    assert "LanguageModel(" in code
    assert "cell='gru'" in code
    words = shlex.split(command)
    assert words[:4] == ["longshort", "fit", "language", "data.txt"]
    pairs = set(zip(words[4::2], words[5::2], strict=True))
    assert {("--tokens", "words"), ("--cell", "gru"), ("--steps", "3"), ("--set", "window=16")} <= pairs


def test_files_of_their_own_are_said_again(tmp_path):
    made = LanguageModel(hidden_size=6, steps=3, window=16, batch_size=4)
    made.fit(Corpus.of([story()]), test=Corpus.of([story()]), progress=Progress()).save(tmp_path / "run")
    for one in (made, LanguageModel.load(tmp_path / "run")):
        html = unescape(render(one))
        assert 'model.fit("data.txt", test="test.txt", run="runs/again")' in html
        assert "longshort fit language data.txt --test test.txt -o runs/again" in html


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "subwords"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_it_stands_every_kind(kind, cell):
    html = render(shown(kind=kind, cell=cell, layers=2, vocabulary_size=280 if kind == "subwords" else None))
    assert headings(html) == ALWAYS
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))


def test_unknown_tokens_are_counted():
    text = "".join(np.random.default_rng(0).choice(list("abc d"), 3000))
    made = LanguageModel(hidden_size=6, steps=3, window=16, batch_size=4, test=0.1)
    html = render(made.fit(Corpus.of([text[:-50] + "xyz" * 10]), progress=Progress()))
    assert "30 of them not in the vocabulary" in html
    assert "bits per character" not in re.search(r"<table>.*?</table>", html, re.DOTALL)[0]


# -- hostile text ------------------------------------------------------------------------------------------------------

HOSTILE = {
    "script": "<script>alert(1)</script> ",
    "closing": "</script></pre></div></body> ",
    "comment": "<!-- <![CDATA[ ]]> --> ",
    "attributes": '" onmouseover=\'x\' style="--w:9" ',
    "entities": "&lt;b&gt; &#x27; &amp ",
    "controls": "\x01\x08\x1b[31m\x7f\x85 bell\x07 ",
    "overrides": "\u202eevil\u202c \u2066x\u2069 \u200f\u061c\ufeff ",
    "separators": "a\u2028b\u2029c ",
    "right to left": "שלום עולם مرحبا ",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 é̂ ",
}


class Tags(HTMLParser):
    """Counts tags, and attributes' names."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def handle_starttag(self, tag, attributes):
        self.found.setdefault(tag, set()).update(name for name, _ in attributes)


def tags(html):
    parser = Tags()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("kind", ["characters", "words"])
@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE)
def test_no_text_becomes_markup(kind, evil, html):
    text = (evil + "ab\n") * 60
    page = render(shown(text=text, kind=kind))
    assert headings(page) == ALWAYS
    body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    found, usual = tags(body), tags(re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))
    assert set(found) <= set(usual)
    assert all(names <= usual[tag] for tag, names in found.items())
    assert "<script>alert" not in page
    marked = "".join(token for token, _, _ in pieces(page, "Held-out text, coloured by surprise"))
    fitted = Passage.of(shown(text=text, kind=kind))
    assert marked == "".join(visible(token) for token in fitted.tokens[:1000]).replace("\n", "↵\n")
    for sign in "\x01\x08\x1b\x7f\x85\u202e\u202c\u2066\u2028\u200f\ufeff":
        assert sign not in body


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\u202eb\x00\x1b\t\nc\u2028") == "a\\u202eb\\u0000\\u001b\t\nc\\u2028"
    for harmless in ("שלום", "👩‍👩‍👧‍👦", "naïve é", "x\u00a0y", "\u0915\u094d\u200d\u0937"):
        assert visible(harmless) == harmless
