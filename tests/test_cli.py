"""The command: help, exit codes, every bad input as one line, and output that other programs can read."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import longshort
from longshort import cli

TINY = [
    *("--members=1", "--set=hidden_size=8", "--set=steps=10", "--set=batch_size=16"),
    *("--test-windows=2", "--horizon=3"),
]


@pytest.fixture
def refused(command):
    """The one line that a refusal with exit code 2 says."""

    def run(*arguments):
        code, out, err = command(*arguments)
        assert code == 2, err
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "fault of longshort" not in err
        return err.removeprefix("error: ").rstrip("\n")

    return run


def process(*arguments, **environment):
    """The command as another process."""
    return subprocess.run(
        [sys.executable, "-m", "longshort", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def rows(count=120, seed=0):
    days = np.datetime64("2024-01-01") + np.arange(count)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(count) / 7) + np.random.default_rng(seed).normal(size=count)
    return [f"{day},{value:.3f}" for day, value in zip(days, y, strict=True)]


def csv(path, lines, header="ds,y"):
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture(scope="session")
def sales(tmp_path_factory):
    return csv(tmp_path_factory.mktemp("sales") / "sales.csv", rows())


@pytest.fixture(scope="session")
def run(sales, tmp_path_factory):
    """A finished run, made by the command as a process of its own."""
    path = tmp_path_factory.mktemp("runs") / "sales"
    done = process("fit", "forecast", sales, "-o", path, *TINY)
    assert done.returncode == 0, done.stderr
    return path


# -- help and start-up -------------------------------------------------------------------------------------------------


def test_version(command):
    assert command("--version") == (0, f"longshort {longshort.__version__}\n", "")


@pytest.mark.parametrize(
    "verb", [[], ["fit"], ["fit", "forecast"], ["fit", "classify"], ["predict"], ["evaluate"], ["demo"]], ids=" ".join
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(command, verb, flag):
    code, out, err = command(*verb, flag)
    assert (code, err) == (0, "")
    assert "Usage: " in out


def test_help_loads_nothing_heavy():
    """It answers at once because it imports neither PyTorch nor tables."""
    script = """
import sys
sys.argv = ["longshort", "--help"]
from longshort import cli
try:
    cli.main()
finally:
    heavy = {"torch", "lightning", "polars", "pandas", "numpy", "narwhals", "plotly", "statsforecast", "pyarrow"}
    print("HEAVY", sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "HEAVY []"
    assert "fit" in done.stdout


TRAINING = ("lightning", "pandas", "plotly", "statsforecast", "numba")


def test_predicting_does_not_load_what_training_needs(run):
    script = f"""
import sys
sys.argv = ["longshort", "predict", {str(run)!r}]
from longshort import cli
try:
    cli.main()
finally:
    print("HEAVY", sorted({set(TRAINING)} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "HEAVY []"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["fit", "weather", "a.csv"],
        ["fit", "forecast"],
        ["fit", "forecast", "a.csv", "--horizon", "3"],
        ["fit", "forecast", "a.csv", "-o", "run"],
        ["fit", "forecast", "a.csv", "-o", "run", "--horizon", "many"],
        ["fit", "forecast", "a.csv", "-o", "run", "--horizon", "3", "--colour", "red"],
        ["predict"],
        ["predict", "run", "--level", "wide"],
    ],
    ids=" ".join,
)
def test_wrong_use(command, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Error" in err or "Usage" in err
    assert list(tmp_path.iterdir()) == []


# -- bad data ----------------------------------------------------------------------------------------------------------

DAYS = [str(day) for day in np.datetime64("2024-01-01") + np.arange(60)]


def with_value(value, line=10):
    """Rows whose value in one line of the file is another."""
    lines = rows(60)
    lines[line - 2] = f"{DAYS[line - 2]},{value}"
    return lines


BAD = {
    "header only": (("ds,y", []), ["{path}", "line 1"]),
    "one row": (("ds,y", rows(1)), ["{name}", "1 step"]),
    "fewer rows than the horizon needs": (("ds,y", rows(9)), ["{name}", "9 steps", "horizon of 3", "needs at least"]),
    "no numeric column": (("ds,colour", [f"{day},red" for day in DAYS]), ["{path}", "'colour'", "--target"]),
    "several times": (("ordered,shipped,y", [f"{d},{d},{k}" for k, d in enumerate(DAYS)]), ["{path}", "'ordered'"]),
    "text among numbers": (("ds,y", with_value("closed")), ["{path}", "line 10", "'y'", "'closed'"]),
    "infinity": (("ds,y", with_value("inf")), ["{path}", "line 10", "'y'", "infinite"]),
    "minus infinity": (("ds,y", with_value("-inf")), ["{path}", "line 10", "'y'", "infinite"]),
    "too large": (("ds,y", with_value("1e300")), ["{path}", "line 10", "'y'", "1e+300"]),
    "all missing": (("ds,y", [f"{day}," for day in DAYS]), ["{path}", "'y'", "missing"]),
    "duplicate timestamps": (("ds,y", [*rows(60), rows(60)[4]]), ["{path}", "line 6", "line 62", "2024-01-05"]),
    "irregular spacing": (
        ("ds,y", [f"2024-01-01 {c},{k}" for k, c in enumerate(["00:00", "02:00", "04:00", "05:00", "07:00"] * 1)]),
        ["{path}", "line 5", "'ds'", "irregular"],
    ),
    "mixed time zones": (
        ("ds,y", [f"{day}T00:00+0{1 + (k > 20)}:00,{k}" for k, day in enumerate(DAYS)]),
        ["{path}", "line 23", "'ds'", "time zone"],
    ),
    "ragged row": (("ds,y", [*rows(9), "2024-01-10"]), ["{path}", "line 11", "1 field"]),
    "no time where it is said": (("ds,y", rows(60)), ["{path}", "no column 'when'", "--time"], ["--time=when"]),
    "no such target": (("ds,y", rows(60)), ["{path}", "no column 'z'", "--target"], ["--target=z"]),
    "no such frequency": (("ds,y", rows(60)), ["fortnightly"], ["--freq=fortnightly"]),
    "a frequency that does not fit": (("ds,y", rows(60)), ["{path}", "line 3"], ["--freq=1w"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data(refused, tmp_path, case):
    (header, lines), says, *more = BAD[case]
    path, output = csv(tmp_path / "data.csv", lines, header), tmp_path / "out"
    message = refused("fit", "forecast", path, "-o", output, "--horizon=3", *(more[0] if more else []))
    for part in says:
        assert part.format(path=path, name="series 'y'") in message
    assert [p.name for p in tmp_path.iterdir()] == ["data.csv"]


def latin(path):
    path.write_bytes("ds,y\n2024-01-01,1\n2024-01-02,é\n".encode("latin-1"))


def truncated(path):
    pl.DataFrame({"ds": DAYS, "y": range(60)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("no.csv", lambda path: None, "there is no such file"),
        ("folder", lambda path: path.mkdir(), "is a directory"),
        ("empty.csv", lambda path: path.touch(), "the file is empty"),
        ("latin.csv", latin, "(line 3) is not UTF-8"),
        ("cut.parquet", truncated, "not a whole Parquet file"),
        ("sales.xlsx", lambda path: path.write_bytes(b"PK"), "cannot be read; save the table as"),
    ],
)
def test_bad_files(refused, tmp_path, name, make, says):
    make(tmp_path / name)
    message = refused("fit", "forecast", tmp_path / name, "-o", tmp_path / "out", "--horizon=3")
    assert str(tmp_path / name) in message
    assert says in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--horizon=0", "horizon must be a whole number from 1, not 0"),
        ("--horizon=-5", "horizon must be a whole number from 1, not -5"),
        ("--cell=foo", "cell must be one of lstm, gru, rnn, none, not 'foo'"),
        ("--members=0", "members must be a whole number from 1, not 0"),
        ("--test-windows=-1", "test_windows must be a whole number from 0, not -1"),
        ("--test-windows=100", "needs at least"),
        ("--seed=-1", "seed must be a whole number from 0, not -1"),
        ("--set=nonsense", "--set needs NAME=VALUE, not 'nonsense'"),
        ("--set=nonsense=1", "unknown setting 'nonsense': known are horizon"),
        ("--set=hidden_size=abc", "hidden_size must be a whole number from 1, not 'abc'"),
        ("--set=hidden_size=", "hidden_size must be a whole number from 1, not ''"),
        ("--set=seasons=7", "seasons must be a list of numbers, not 7"),
        ("--set=dropout=null", "dropout must be a number from 0, not None"),
        ("--set=learning-rate=NaN", "learning_rate must be a number from 0, not nan"),
        ("--accelerator=nope", "cannot train on"),
        ("--devices=abc", "cannot train on"),
        ("--devices=0", "cannot train on"),
        ("--precision=99", "cannot train on"),
        ("--num-nodes=0", "cannot train on"),
    ],
)
def test_bad_options(refused, sales, tmp_path, option, says):
    assert says in refused("fit", "forecast", sales, "-o", tmp_path / "out", *TINY, option)
    assert list(tmp_path.iterdir()) == []


def test_bad_options_do_not_remove_the_run_that_is_there(refused, sales, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    refused("fit", "forecast", sales, "-o", tmp_path / "run", *TINY, "--overwrite", "--accelerator=nope")
    assert {p.name for p in (tmp_path / "run").iterdir()} == {p.name for p in run.iterdir()}


# -- bad folders and bad runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/proc/longshort", "{sales}/run", "{sales}"])
def test_unwritable_output(refused, sales, place):
    place = place.format(sales=sales)
    message = refused("fit", "forecast", sales, "-o", place, *TINY)
    assert place in message
    assert message.endswith(("choose another folder", "choose a folder"))


def test_output_that_holds_something(refused, sales, run, tmp_path):
    assert "holds a finished run: choose another folder, or pass --overwrite" in refused(
        "fit", "forecast", sales, "-o", run, *TINY
    )
    (tmp_path / "thesis.tex").touch()
    assert "holds other files (thesis.tex, …)" in refused("fit", "forecast", sales, "-o", tmp_path, *TINY)


RUN_FILES = ("config.json", "model.json", "model.safetensors", "metrics.json", "history.safetensors", "report.html")


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize("name", [*RUN_FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "tampered"])
def test_damaged_runs(refused, run, tmp_path, verb, name, damage):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if damage == "truncated" else content[:40] + b"!" + content[41:])
    message = refused(verb, tmp_path / "run")
    assert str(tmp_path / "run") in message
    assert name in message or (name, damage) == ("manifest.json", "missing")


def test_other_things_than_runs(refused, run, sales, tmp_path):
    assert f"{tmp_path} is not a run directory" in refused("predict", tmp_path)
    assert f"{tmp_path}/no does not exist: fit a run first" in refused("predict", tmp_path / "no")
    assert f"{sales} is a file" in refused("evaluate", sales)
    shutil.copytree(run, tmp_path / "new")
    manifest = json.loads((run / "manifest.json").read_bytes())
    (tmp_path / "new" / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    assert "has run format 99, this longshort reads up to 1: upgrade longshort" in refused("predict", tmp_path / "new")


# -- fit ---------------------------------------------------------------------------------------------------------------


def test_fit_says_what_it_found_and_where_everything_is(command, sales, tmp_path):
    code, out, err = command("fit", "forecast", sales, "-o", tmp_path / "run", *TINY)
    assert code == 0, err
    assert "daily" in err
    assert "120 steps" in err
    for name in ("MASE", "LSTM", "Naive", "SeasonalNaive", "AutoETS", f"Report:   {tmp_path / 'run' / 'report.html'}"):
        assert name in out
    assert f"Forecast: longshort predict {tmp_path / 'run'}" in out


def test_fit_as_json(command, sales, tmp_path):
    code, out, _ = command("fit", "forecast", sales, "-o", tmp_path / "run", *TINY, "--json")
    assert code == 0
    assert set(json.loads(out)["overall"]) == {"LSTM", "Naive", "SeasonalNaive", "AutoETS"}


def test_fit_as_json_without_a_test(command, sales, tmp_path):
    code, out, _ = command("fit", "forecast", sales, "-o", tmp_path / "run", *TINY, "--test-windows=0", "--json")
    assert code == 0
    assert json.loads(out) is None


@pytest.mark.parametrize("name", ["price [usd]", "[bold]", "a [/b] c", "Preis in €", "a\\b"])
def test_names_that_look_like_markup(command, tmp_path, name):
    path = csv(tmp_path / "data.csv", rows(), header=f"ds,{name}")
    code, _, err = command("fit", "forecast", path, "-o", tmp_path / "run", *TINY)
    assert code == 0, err
    assert repr(name) in err
    assert name in command("predict", tmp_path / "run")[1]


def test_unsorted_rows_give_the_same_run(command, sales, run, tmp_path):
    lines = rows()
    np.random.default_rng(1).shuffle(lines)
    path = csv(tmp_path / "data.csv", lines)
    assert command("fit", "forecast", path, "-o", tmp_path / "run", *TINY)[0] == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_missing_values_and_a_constant_series_are_said(command, tmp_path):
    lines = [f"{line},5" for line in rows()]
    lines[50] = lines[50].rpartition(",")[0].partition(",")[0] + ",NaN,5"
    path = csv(tmp_path / "data.csv", lines, header="ds,sales,flat")
    code, _, err = command("fit", "forecast", path, "-o", tmp_path / "run", *TINY)
    assert code == 0, err
    assert "constant, so there is nothing to learn in: 'flat'" in " ".join(err.split())
    assert "masked, not filled in" in " ".join(err.split())


def test_a_newcomers_table(command, tmp_path):
    """From a German spreadsheet: mark of UTF-8, semicolons, spaces, dates the day first, empty lines at the end."""
    days = [line.split(",") for line in rows()]
    lines = [f"{day[8:]}.{day[5:7]}.{day[:4]} ; {value}" for day, value in days]
    path = tmp_path / "Umsatz Filiale 3.csv"
    path.write_bytes(("\ufeff Datum ; Umsatz \r\n" + "\r\n".join(lines) + "\r\n\r\n\r\n").encode())
    code, _, err = command("fit", "forecast", path, "-o", tmp_path / "run", *TINY)
    assert code == 0, err
    table = pl.read_csv(io.StringIO(command("predict", tmp_path / "run")[1]), try_parse_dates=True)
    assert table["unique_id"].unique().to_list() == ["Umsatz"]
    assert str(table["ds"][0]) == "2024-04-30"


def test_a_decimal_comma_is_told(refused, tmp_path):
    lines = [line.replace(",", ";").replace(".", ",") for line in rows()]
    path = csv(tmp_path / "data.csv", lines, header="ds;y")
    message = refused("fit", "forecast", path, "-o", tmp_path / "run", "--target=y", *TINY)
    assert f"{path}, line 2, column 'y'" in message
    assert "decimal point" in message


# -- predict -----------------------------------------------------------------------------------------------------------


def table_of(out):
    return pl.read_csv(io.StringIO(out), try_parse_dates=True)


def test_the_forecast_as_csv(command, run):
    from longshort.tasks import load

    code, out, err = command("predict", run, "--level=50", "--level=90", "--quantile=0.8")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "unique_id,ds,forecast,lo-50,hi-50,lo-90,hi-90,q0.8"
    expected = load(run).predict(levels=(50, 90), quantiles=(0.8,))
    read = table_of(out)
    assert read["ds"].to_list() == expected["ds"].to_list()
    for column in expected.columns[2:]:
        assert read[column].to_list() == expected[column].to_list()  # every digit


def test_the_forecast_as_json(command, run):
    code, out, err = command("predict", run, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert [sorted(row) for row in answer] == [["ds", "forecast", "hi-80", "lo-80", "unique_id"]] * 3
    assert [row["ds"] for row in answer] == ["2024-04-30", "2024-05-01", "2024-05-02"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_the_forecast_in_a_file(command, run, tmp_path, name):
    path = tmp_path / name
    assert command("predict", run, "-o", path) == (0, "", "")
    read = pl.read_parquet(path) if name.endswith("parquet") else pl.read_csv(path, try_parse_dates=True)
    assert read.equals(table_of(command("predict", run)[1]).cast({"ds": pl.Date}))
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "says"),
    [("out.xlsx", "unknown ending; write to a .csv or .parquet file"), ("no/out.csv", "cannot be written")],
)
def test_the_forecast_in_a_file_that_cannot_be(refused, run, tmp_path, name, says):
    message = refused("predict", run, "-o", tmp_path / name)
    assert str(tmp_path / name) in message
    assert says in message
    assert list(tmp_path.iterdir()) == []


def test_newer_rows(command, run, tmp_path):
    newer = csv(tmp_path / "newer.csv", rows(130)[120:])
    code, out, _ = command("predict", run, newer)
    assert code == 0
    assert str(table_of(out)["ds"][0]) == "2024-05-10"
    code, out, _ = command("evaluate", run, newer, "--json")
    assert code == 0
    assert json.loads(out)["windows"] == 3


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--level=99", "quantile 0.005 lies outside of the learnt ones, 0.05 to 0.95: fit with further quantiles"),
        ("--level=-1", "a level must lie between 0 and 100 percent"),
        ("--quantile=2", "quantile 2 lies outside"),
    ],
)
def test_levels_that_were_not_learnt(refused, run, option, says):
    assert says in refused("predict", run, option)


def test_bad_newer_rows(refused, run, tmp_path):
    path = csv(tmp_path / "newer.csv", ["2024-05-01,oops"])
    for verb in ("predict", "evaluate"):
        assert str(path) in refused(verb, run, path)
    path = csv(tmp_path / "later.csv", rows(122)[120:])
    assert "evaluation needs at least 3 steps after the training data" in refused("evaluate", run, path)


def test_known_columns_missing(command, refused, tmp_path):
    lines = [f"{line},{k % 2}" for k, line in enumerate(rows(123))]
    lines[-3:] = [f"{line.split(',')[0]},,{k}" for k, line in enumerate(lines[-3:])]
    path = csv(tmp_path / "data.csv", lines, header="ds,y,promo")
    assert command("fit", "forecast", path, "-o", tmp_path / "run", "--known=promo", *TINY)[0] == 0
    assert command("predict", tmp_path / "run")[0] == 0
    without = csv(tmp_path / "without.csv", rows(125))
    assert refused("predict", tmp_path / "run", without) == (
        f"{without}: column 'promo' is missing, which is known in advance: add it"
    )
    short = csv(tmp_path / "short.csv", [f"{line},0" for line in rows(125)], header="ds,y,promo")
    assert "columns known in advance (promo) reach 0 steps" in refused("predict", tmp_path / "run", short)


# -- evaluate ----------------------------------------------------------------------------------------------------------


def test_evaluate(command, run):
    code, out, err = command("evaluate", run)
    assert (code, err) == (0, "")
    verdict = json.loads((run / "metrics.json").read_bytes())["test"]["verdict"]
    assert verdict in out
    code, out, _ = command("evaluate", run, "--json")
    assert json.loads(out) == json.loads((run / "metrics.json").read_bytes())["test"]


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_one_line_and_exit_code_1(command, run, monkeypatch):
    from longshort.tasks.forecast import Forecaster

    def fail(*args, **options):
        raise ZeroDivisionError("division by\nzero")

    monkeypatch.setattr(Forecaster, "predict", fail)
    monkeypatch.delenv("LONGSHORT_DEBUG", raising=False)
    code, out, err = command("predict", run)
    assert (code, out) == (1, "")
    assert err == (
        "error: ZeroDivisionError: division by zero (this is a fault of longshort; LONGSHORT_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("LONGSHORT_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["longshort", "predict", str(run)])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_demo_without_its_data(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "vega_datasets", None)
    assert refused("demo", "-o", tmp_path / "demo") == "the demo's data is missing: pip install 'longshort[demo]'"


def test_a_reader_that_goes_away(run):
    """`longshort predict … | head -1` is no failure worth a line."""
    shell = f"{sys.executable} -m longshort predict {run} | head -c 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("u", "")


def test_as_a_process(run, tmp_path):
    """Exit codes and streams as a shell sees them."""
    assert process("--version").stdout == f"longshort {longshort.__version__}\n"
    missing = process("predict", tmp_path / "no")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == f"error: {tmp_path / 'no'} does not exist: fit a run first, or check the path\n"
    good = process("predict", run)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("unique_id,ds,forecast")
