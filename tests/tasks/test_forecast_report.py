"""The report of a forecaster: the numbers it shows are those of the forecaster, and it stands every kind of data."""

import datetime
import json
import re
import shlex
from dataclasses import replace
from html import unescape

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from longshort import Forecaster
from longshort.tasks.forecast import estimator
from longshort.tasks.forecast.evaluation import METRICS, ForecastScores
from longshort.tasks.forecast.report import render
from longshort.tasks.forecast.report.answer import mean_parts
from longshort.tasks.forecast.report.choice import choose_series

RNG = np.random.default_rng(0)
DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(k) for k in range(150)]
Y = 20 + 3 * np.sin(np.arange(150) * 2 * np.pi / 7) + RNG.normal(size=150)
FRAME = pl.DataFrame({"ds": DAYS, "y": Y})
EVIL = "<script>alert(1)</script>"
SMALL = {"steps": 5, "members": 1, "hidden_size": 8}
TESTED = {"Against the baselines", "The error by step", "Are the intervals honest?"}
ALWAYS = {"The forecast", "How it learnt", "Inside the recurrent layer", "How the answer is made up", "Settings"}


def fitted(data=FRAME, horizon=7, **settings):
    columns = settings.pop("columns", {})
    return Forecaster(**{"horizon": horizon, **SMALL, **settings}).fit(data, **columns)


def figures(html):
    return [
        json.loads(text) for text in re.findall(r'<script type="application/json" class="figure">(.*?)</script>', html)
    ]


def headings(html):
    return set(re.findall(r"<h2.*?>(.*?)</h2>", html))


def traces(spec):
    return {trace.get("name"): trace for trace in spec["data"]}


def close(drawn, wanted):
    assert [v for v in drawn if v is not None] == pytest.approx(list(wanted), rel=1e-6)


@pytest.fixture(scope="module")
def forecaster():
    return fitted()


@pytest.fixture(scope="module")
def html(forecaster):
    return render(forecaster)


def test_all_sections_are_there(html):
    assert headings(html) == TESTED | ALWAYS


def test_it_asks_nothing_of_the_network(html):
    assert not re.search(r"""(src|href)=["']?\w+:""", html)
    assert not re.search(r"https?://", html)
    assert len(html) < 3_000_000


def test_the_verdict_is_the_headline(forecaster, html):
    headline = re.search(r"<h1>(.*?)</h1>", html)[1]
    assert forecaster.evaluate().verdict.startswith(headline.rstrip("."))
    assert all(note.replace("'", "&#x27;") in html for note in forecaster.fitted.panel.notes)


def test_the_picture_holds_the_very_forecasts(forecaster, html):
    drawn = traces(figures(html)[0][0])
    held_out, future = forecaster.held_out_forecasts(), forecaster.predict(levels=(50, 80, 90))
    close(drawn["LSTM"]["y"], [*held_out["LSTM"], *future["forecast"]])
    for rival in ("Naive", "SeasonalNaive", "AutoETS"):
        close(drawn[rival]["y"], held_out[rival])
    times = [str(t) for t in [*held_out["ds"], *future["ds"]]]
    assert [t for t in drawn["LSTM"]["x"] if t is not None] == times
    band = drawn["80\u00a0%"]["y"]
    h = 7
    close(band[:h], held_out["LSTM-q0.9"][:h])
    close(band[h : 2 * h], reversed(held_out["LSTM-q0.1"][:h].to_list()))
    last = [v for v in band if v is not None][-2 * (h + 1) :]  # the future opens from the last value
    close(last, [Y[-1], *future["hi-80"], *reversed(future["lo-80"].to_list()), Y[-1]])
    close(drawn["what happened"]["y"], Y[-len(drawn["what happened"]["y"]) :])


def test_the_figures_are_plotly_figures(html):
    for variants in figures(html):
        for spec in variants:
            text = re.sub(r"var\(--[\w-]+\)", "#123456", json.dumps(spec))
            go.Figure(json.loads(text))


def test_the_error_by_step(forecaster, html):
    forecasts = forecaster.fitted.forecasts
    scale = forecaster.fitted.model.naive_error["y"]
    first = forecasts.filter(pl.col("step") == 0)
    wanted = float((first["LSTM"] - first["y"]).abs().mean()) / scale
    assert traces(figures(html)[1][0])["LSTM"]["y"][0] == pytest.approx(wanted, rel=1e-4)


def test_the_calibration(forecaster, html):
    forecasts = forecaster.fitted.forecasts
    drawn = traces(figures(html)[2][0])["LSTM"]
    assert drawn["x"] == list(forecaster.config.quantiles)
    wanted = [float((forecasts["y"] <= forecasts[f"LSTM-q{q:g}"]).mean()) for q in forecaster.config.quantiles]
    close(drawn["y"], [float(f"{v:.4g}") for v in wanted])


def test_the_parts_add_up_to_the_median(forecaster, html):
    fit = forecaster.fitted
    store = fit.model.store(fit.panel)
    origin = int(fit.forecasts["cutoff"].max())
    batch, _ = store.cut(np.array([0]), np.array([origin]))
    network = fit.model.networks[0]
    weights, added = mean_parts([network], batch)
    median = network(batch)[0, :, forecaster.config.quantiles.index(0.5)].detach().double().numpy()
    assert added.sum(0) == pytest.approx(median, abs=1e-5)
    assert weights.sum(1) == pytest.approx(np.ones(7), abs=1e-6)
    shown = traces(figures(html)[4][0])["+ LSTM = the median"]["y"]
    last = forecaster.fitted.forecasts.filter(pl.col("cutoff") == origin)
    assert shown == pytest.approx(last["LSTM"].to_list(), rel=1e-5)


def test_the_gates_are_those_of_the_layer(forecaster, html, gates):
    fit = forecaster.fitted
    batch, _ = fit.model.store(fit.panel).cut(np.array([0]), np.array([int(fit.forecasts["cutoff"].max())]))
    network = fit.model.networks[0]
    forget = network.recurrent.trace(network.patches(batch)).f[-1, 0, 0].detach().numpy()
    meta, (drawn,) = gates(html)
    assert drawn["f"] == pytest.approx(forget.T, abs=0.5 / 255 + 1e-6)
    assert len(meta["labels"]) == meta["stride"] * len(forget)


def test_without_held_out_windows():
    html = render(fitted(test_windows=0))
    assert headings(html) == ALWAYS
    assert "nothing was held out" in html
    assert set(traces(figures(html)[0][0])) == {"90\u00a0%", "80\u00a0%", "50\u00a0%", "LSTM", "what happened"}


def test_a_loaded_forecaster_has_the_same_report(forecaster, html, tmp_path):
    forecaster.save(tmp_path / "run")
    Forecaster.load(tmp_path / "run").save(tmp_path / "again")
    assert (tmp_path / "run" / "report.html").read_text() == html
    assert (tmp_path / "again" / "report.html").read_text() == html


@pytest.mark.parametrize(
    "data",
    [FRAME, FRAME.with_columns(ds=pl.int_range(150) + 3), FRAME.filter(pl.col("ds").dt.weekday() < 6)],
    ids=["days", "integers", "business days"],
)
def test_held_out_forecasts_are_kept_when_the_history_is_cut(data, tmp_path, monkeypatch):
    monkeypatch.setattr(estimator, "KEPT", 1)
    model = fitted(data, horizon=5, test_windows=4, lookback=14, seasons=(7,))
    model.save(tmp_path / "run")
    other = Forecaster.load(tmp_path / "run")
    assert len(other.fitted.panel.series[0]) < len(data)
    assert other.held_out_forecasts().equals(model.held_out_forecasts())
    assert pl.read_parquet(tmp_path / "run" / "forecasts.parquet").equals(model.held_out_forecasts())
    assert headings(render(other)) == TESTED | ALWAYS


def test_a_report_is_written_when_nothing_was_held_out(tmp_path):
    fitted(test_windows=0).save(tmp_path / "run")
    assert headings((tmp_path / "run" / "report.html").read_text()) == ALWAYS
    assert not (tmp_path / "run" / "forecasts.parquet").exists()
    assert Forecaster.load(tmp_path / "run").fitted.forecasts is None


def test_it_says_how_to_do_it_again():
    settings = {"cell": "gru", "seed": 3, "test_windows": 1, "seasons": (7,), "dropout": 0.0, "refit": True}
    html = render(fitted(FRAME.with_columns(**{"x y": pl.col("y")}), columns={"past": ["x y"]}, **settings))
    code, command = (unescape(text) for text in re.findall(r"<pre.*?><code>(.*?)</code></pre>", html, re.DOTALL))
    assert "cell='gru'" in code
    assert "target='y', past='x y'" in code
    words = shlex.split(command)
    assert words[:4] == ["longshort", "fit", "forecast", "data.csv"]
    pairs = list(zip(words[4::2], words[5::2], strict=True))
    assert pairs == [
        ("-o", "runs/again"),
        ("--target", "y"),
        ("--past", "x y"),
        ("--horizon", "7"),
        ("--cell", "gru"),
        ("--set", "hidden_size=8"),
        ("--set", "dropout=0.0"),
        ("--members", "1"),
        ("--set", "seasons=[7]"),
        ("--set", "steps=5"),
        ("--set", "refit=true"),
        ("--test-windows", "1"),
        ("--seed", "3"),
    ]


@pytest.mark.parametrize(
    ("cell", "maps"), [("gru", ["reset gate", "update gate", "candidate", "hidden state"]), ("rnn", ["hidden state"])]
)
def test_other_cells(cell, maps, gates):
    meta, _ = gates(render(fitted(cell=cell)))
    assert [key["name"] for key in meta["layers"][0]["keys"]] == maps


def test_no_recurrent_layer():
    html = render(fitted(cell="none"))
    assert "no recurrent layer" in html
    assert 'class="explorer"' not in html


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        (FRAME, {"horizon": 1}),
        (FRAME, {"test_windows": 1}),
        (FRAME, {"test_windows": 4, "step_size": 2}),
        (FRAME, {"quantiles": (0.5,)}),
        (FRAME.with_columns(y=pl.lit(5.0)), {}),
        (FRAME.with_columns(ds=pl.int_range(150)), {}),
        (FRAME.with_columns(y=pl.when(pl.int_range(150) % 3 > 0).then("y")), {}),
        (FRAME.filter(pl.col("ds").dt.weekday() < 6, pl.int_range(150) % 17 > 0), {"horizon": 5}),
    ],
    ids=["horizon 1", "one window", "overlapping", "median only", "constant", "integers", "missing", "business days"],
)
def test_it_stands_every_kind_of_data(data, settings):
    html = render(fitted(data, **settings))
    assert headings(html) == TESTED | ALWAYS
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))


def test_known_columns_that_end_with_the_data_leave_no_future():
    html = render(fitted(FRAME.with_columns(x=pl.col("y") * 2), columns={"known": ["x"]}))
    assert "There is no forecast of the future here" in html


@pytest.fixture(scope="module")
def many():
    part = [FRAME.with_columns(unique_id=pl.lit(f"{EVIL}{k}"), y=pl.col("y") * (k + 1)) for k in range(14)]
    return fitted(pl.concat(part))


def test_names_from_the_data_are_escaped(many):
    html = render(many)
    assert EVIL not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;3" in html


def test_a_dozen_series_are_shown(many):
    chosen, rule = choose_series(many)
    assert len(chosen) == len({s.id for s in chosen.values()}) == 12
    assert [next(w for w in ("typical", "best", "worst") if w in label) for label in list(chosen)[:3]] == [
        "typical",
        "best",
        "worst",
    ]
    assert "12 of 14" in rule
    assert len(figures(render(many))[0]) == 12
    mase = many.evaluate().per_series.filter(pl.col("metric") == "MASE").sort("LSTM")["unique_id"]
    assert [list(chosen.values())[k].id for k in (1, 2)] == [mase[0], mase[-1]]


def test_scores_without_a_value(forecaster):
    scores = forecaster.evaluate()
    empty = {model: dict.fromkeys(METRICS) for model in scores.overall}
    without = replace(
        forecaster.fitted, scores=ForecastScores(empty, scores.verdict, scores.per_series, scores.windows)
    )
    other = Forecaster(forecaster.config)
    other._fitted = without
    assert "best in none" in render(other)
