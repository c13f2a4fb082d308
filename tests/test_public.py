"""The public surface: what is in it, and that it costs nothing until it is used."""

import importlib
import subprocess
import sys

import pytest

import longshort

PUBLIC = {
    "longshort": [
        *("Chatbot", "Classifier", "Composer", "Forecaster", "InputError", "LanguageModel", "LongshortError"),
        *("Summarizer", "Transcriber", "Translator", "__version__"),
        *("data", "nn", "ops"),
    ],
    "longshort.data": [
        *("Columns", "Corpus", "Dialogues", "Document", "Frequency", "Pairs", "Panel", "Sequences", "Series", "Texts"),
        *("Turn", "find_seasons", "is_large", "read_corpus", "read_dialogues", "read_future", "read_labelled"),
        *("read_pairs", "read_panel", "read_table", "stream_panel"),
    ],
    "longshort.study": [
        *("Budget", "CompareConfig", "Comparison", "Explanation", "GradientConfig", "GradientStudy"),
        *("LagComparison", "LagsConfig", "TaskConfig", "Tuning", "compare", "compare_lags"),
        *("compare_task", "explain", "explain_network", "study_gradients", "tune"),
    ],
    "longshort.tasks.classify": ["Classifier", "ClassifyConfig", "ClassifyScores"],
    "longshort.tasks.compose": ["ComposeConfig", "ComposeScores", "Composer", "Composing", "Composition"],
    "longshort.tasks.forecast": ["Backtest", "ForecastConfig", "Forecaster", "ForecastScores"],
    "longshort.tasks.seq2seq": [
        *("ChatScores", "Chatbot", "Decoding", "Seq2SeqConfig", "SummarizeScores", "Summarizer", "TranslateScores"),
        "Translator",
    ],
    "longshort.tasks.transcribe": [
        *("Decoding", "Live", "TranscribeConfig", "TranscribeScores", "Transcriber", "Transcript", "Word"),
    ],
    "longshort.training": [
        *("Check", "Hardware", "Progress", "Schedule", "TerminalProgress", "Watcher", "default_progress"),
    ],
}


@pytest.mark.parametrize("module", [*PUBLIC, "longshort.nn", "longshort.ops"])
def test_what_is_public(module):
    loaded = importlib.import_module(module)
    assert len(set(loaded.__all__)) == len(loaded.__all__)
    for name in loaded.__all__:
        assert getattr(loaded, name) is not None
    if module in PUBLIC:
        assert sorted(loaded.__all__) == sorted(PUBLIC[module])


def test_layers_of_pytorch_have_their_names():
    assert {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "replace"} <= set(longshort.nn.__all__)


def test_only_public_names_are_shown():
    assert dir(longshort) == sorted(longshort.__all__)
    with pytest.raises(AttributeError, match="module 'longshort' has no attribute 'Forcaster'"):
        longshort.Forcaster  # noqa: B018


def loaded_after(statement):
    script = f"import sys; {statement}; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {
    *("torch", "lightning", "polars", "pandas", "numpy", "statsforecast", "utilsforecast", "plotly", "typer", "rich"),
    *("onnx", "onnxscript", "optuna", "ray", "sklearn", "scipy", "sacrebleu", "rouge_score", "nltk", "tokenizers"),
    *("jiwer", "soundfile", "soxr"),
}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import longshort", set()),
        ("import longshort; longshort.InputError; longshort.__version__", set()),
        ("import longshort.training", set()),
        ("import longshort.tasks", {"numpy", "polars"}),
        ("import longshort.data", {"numpy", "polars"}),
        ("import longshort.nn", {"numpy", "torch"}),
        ("import longshort; longshort.Forecaster", {"numpy", "polars", "torch"}),
        ("import longshort; longshort.Classifier", {"numpy", "polars", "torch"}),
        ("import longshort; longshort.Translator", {"numpy", "polars", "torch"}),
        ("import longshort; longshort.Transcriber", {"numpy", "polars", "torch"}),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(statement, allowed):
    assert HEAVY & loaded_after(statement) <= allowed


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert version("longshort") == longshort.__version__


def test_layers_point_down():
    """Imports go from the ways in to the core, never up and never between tasks."""
    import ast
    from pathlib import Path

    root = Path(longshort.__file__).parent
    low = ("errors", "lazy", "wording", "scores", "settings", "space", "ops", "nn", "artifact", "data", "training")
    low += ("explainable", "exportable", "sequence", "estimator", "export")
    order = [*low, "report", "tasks", "runtime", "study", "serve", "cli", "__main__"]
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                above = name.split(".")
                if above[0] == "longshort" and len(above) > 1:
                    assert order.index(above[1]) <= order.index(parts[0]), f"{path} imports {name}"
