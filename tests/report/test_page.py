"""The page that reports share: whole, self-contained, and closed to whatever stands in the data."""

import base64
import gzip
import json
import re
from html import unescape

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from longshort.report import (
    Above,
    Html,
    Layer,
    Section,
    comparison,
    el,
    escape,
    explorer,
    figure,
    memory,
    page,
    plain,
    table,
    times,
    training_section,
    values,
)
from longshort.scores import HIGHEST, Metric, Scores
from longshort.training import Check

EVIL = "<script>alert('x')</script>&\"%{x}"


def document(*body, title="T"):
    return page(title=title, kind="k", headline="h", lead=["l"], sections=[Section("One", "see", body)])


def figures(html):
    return [
        json.loads(text) for text in re.findall(r'<script type="application/json" class="figure">(.*?)</script>', html)
    ]


def packed(html):
    return re.findall(r'<script type="application/octet-stream" id="plotly">(.*?)</script>', html)


def test_a_page_without_pictures_carries_no_library():
    html = document(el("p", "text"))
    assert not packed(html)
    assert len(html) < 30_000


def test_plotly_is_embedded_once_and_whole():
    picture = figure({"data": [{"y": [1, 2]}], "layout": {}}, alt="a", caption="c")
    html = document(picture, picture)
    [library] = packed(html)
    assert gzip.decompress(base64.b64decode(library)).decode() == get_plotlyjs()


def test_nothing_is_loaded_from_elsewhere():
    html = document(figure({"data": [], "layout": {}}, alt="a", caption="c"))
    assert "default-src 'none'" in unescape(html)
    assert not re.search(r"https?://|<link|<img|<iframe|@import|url\(|\ssrc=", html)
    assert set(re.findall(r'href="(.*?)"', html)) == {"#one"}


def test_the_page_can_be_read_aloud():
    html = document(figure({"data": [], "layout": {}}, alt="what is seen", caption="c"), title="Title")
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "<title>Title</title>" in html
    assert html.count("<h1>") == 1
    assert 'aria-label="what is seen"' in html
    assert 'aria-labelledby="one-heading"' in html
    assert 'id="one-heading"' in html


def test_text_is_escaped_wherever_it_stands():
    parts = [
        el("p", EVIL, title=EVIL),
        table([EVIL, EVIL], [[EVIL, EVIL]], caption=EVIL),
        figure(
            {EVIL: {"data": [{"name": EVIL}], "layout": {}}, "b": {"data": [], "layout": {}}}, alt=EVIL, caption=EVIL
        ),
    ]
    html = page(title=EVIL, kind=EVIL, headline=EVIL, lead=[EVIL], sections=[Section(EVIL, EVIL, parts)])
    assert "<script>alert" not in html
    assert figures(html)[0][0]["data"][0]["name"] == EVIL
    # packed library, the page's own script, and one figure
    assert html.count("<script") == html.count("</script>") == 3


def test_html_is_not_escaped_twice():
    assert escape(Html("<b>")) == "<b>"
    assert el("p", el("b", "<")) == "<p><b>&lt;</b></p>"
    assert el("details", open=True, hidden=None, class_="x", aria_label="y") == (
        '<details open class="x" aria-label="y"></details>'
    )


def test_plotly_reads_no_markup_in_texts_from_data():
    assert plain("<a href='x'>%{y}</a>") == "&lt;a href='x'&gt;%&#123;y}&lt;/a&gt;"


def test_a_choice_of_pictures():
    html = figure({"a": {"data": [], "layout": {}}, "b": {"data": [{"y": [1]}], "layout": {}}}, alt="", caption="")
    assert re.findall(r'<option value="(\d)">(\w)</option>', html) == [("0", "a"), ("1", "b")]
    assert figures(html)[0][1]["data"] == [{"y": [1]}]


def test_tables_name_their_rows_and_columns_and_mark_the_best():
    html = table(["m", "a", "b"], [["x", 1, 2], ["y", 3, 4]], caption="c", best=[{2}, {1}])
    assert html.count('scope="col"') == 3
    assert html.count('scope="row"') == 2
    assert re.findall(r"<strong>(\d)</strong>", html) == ["2", "3"]


def test_values_and_times_of_figures():
    assert values(np.array([1.23456789, np.nan, np.inf])) == [1.234568, None, None]
    assert times(np.array([3, 4])) == [3, 4]
    assert times(np.array(["2020-01-01"], "datetime64[D]")) == ["2020-01-01"]
    assert times(np.array(["2020-01-01T05"], "datetime64[us]")) == ["2020-01-01T05:00:00"]


class Judged(Scores):
    metrics = {  # noqa: RUF012
        "loss": Metric("low"),
        "accuracy": Metric("high", HIGHEST),
        "coverage": Metric("near", 0.8),
        "other": Metric("none has it"),
    }


def test_the_comparison_marks_the_winners_and_leaves_out_empty_columns():
    overall = {
        "ours": {"loss": 2.0, "accuracy": 0.9, "coverage": 0.95},
        "one": {"loss": 1.0, "accuracy": 0.7, "coverage": 0.7},
        "two": {"loss": None, "accuracy": 0.9, "coverage": 0.9},
    }
    lines = {model: {"color": "red"} for model in overall}
    html = comparison(Judged(overall, "verdict"), lines, "caption")
    row = dict(re.findall(r'<tr><th scope="row">.*?</span>(\w+)</th>(.*?)</tr>', html))
    marked = {m: ["wins" in cell for cell in re.findall(r"<td.*?</td>", cells)] for m, cells in row.items()}
    assert marked == {"ours": [False, True, False], "one": [True, False, True], "two": [False, True, True]}
    assert "other" not in html


def test_loss_curves_and_their_lowest_point():
    checks = [[Check(10, 1.0, 0.9), Check(20, 0.5, 0.4), Check(30, 0.4, 0.6)]]
    section = training_section(checks, "the loss", "those weights are kept")
    assert "lowest after 20 steps" in str(section.see)
    [[spec]] = figures("".join(section.body))
    assert [(t["name"], t["x"], t["y"]) for t in spec["data"]] == [
        ("training", [10, 20, 30], [1.0, 0.5, 0.4]),
        ("validation", [10, 20, 30], [0.9, 0.4, 0.6]),
        ("lowest", [20], [0.4]),
    ]


def test_loss_curves_without_validation():
    section = training_section([[Check(10, 1.0, None)], []], "the loss", "kept")
    assert "nothing was held out" in str(section.see)


def test_gates_are_kept_in_a_byte_each(gates):
    states = {key: np.zeros((2, 3)) for key in "ifgoch"}
    states["f"] = np.array([[0.9, 0.1, 0.5], [0.8, 0.0, 1.0]])
    states["c"] = np.array([[-30.0, 0.01, 0.0], [30.0, -0.005, 0.0]])
    html = explorer([Layer("layer", "lstm", states)], Above(["a", "b"]), caption="c")
    meta, (drawn,) = gates(html)
    assert set(drawn) == set("ifgoch")
    assert drawn["f"] == pytest.approx(states["f"].T, abs=0.5 / 255 + 1e-9)
    assert drawn["c"] == pytest.approx(states["c"].T, rel=0.01)  # each unit on its own scale
    assert (meta["layers"][0]["units"], meta["layers"][0]["steps"]) == (3, 2)
    assert "is added to it" in html


def test_memory_is_the_half_life_of_the_forget_gate():
    states = {"f": np.full((4, 3), 0.5)}
    assert "every 12 steps of the data" in memory("lstm", states, width=12)
    assert "every 1 tokens" in memory("lstm", states, step="token").replace("1.0", "1")
    assert "no gate" in memory("rnn", {"h": np.zeros((1, 1))})
