"""Print the README's tables from benchmarks/results: python benchmarks/tables.py"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Print one Markdown table per benchmark that has been run."""
    show("M4 hourly, horizon 48", ["m4", "m4-ensemble"], ["MASE", "sMAPE", "CRPS", "coverage 80%", "seconds"])
    show("ETTh1, horizon 96, standardised", ["ett"], ["MSE", "MAE", "seconds"])
    show(
        "Daily minimum temperatures, horizon 7, 104 weeks",
        ["temperatures"],
        ["MASE", "sMAPE", "CRPS", "coverage 80%"],
    )
    show("Apple's daily close, horizon 5, 20 windows", ["stock"], ["MASE", "sMAPE", "CRPS", "coverage 80%"])
    show("What the recurrent layer adds (one network each)", ["ablation"], ["MASE", "CRPS", "MSE", "MAE", "seconds"])
    judged = ["accuracy", "macro F1", "log-loss", "calibration error"]
    show("SST-2, 872 sentences", ["sst2"], judged, "classification")
    show("JapaneseVowels, 370 sequences", ["japanese-vowels"], judged, "classification")
    told = ["perplexity", "bits per character", "weights", "seconds"]
    show("Penn Treebank, words", ["ptb-words"], told, "language")
    show("Penn Treebank, characters", ["ptb-characters"], told, "language")
    show("Tiny Shakespeare, characters", ["shakespeare"], ["nats", *told], "language")
    show("One text, word by word", ["generation"], ["tokens/s", "ratio"], "language")
    show("Multi30k, German to English, test 2016", ["multi30k"], ["BLEU", "chrF", *told], "seq2seq")
    rouge = ["ROUGE-1", "ROUGE-2", "ROUGE-L"]
    show("AESLC, e-mails to subjects", ["aeslc"], rouge, "seq2seq")
    contexts = ("the whole context", "the last turn alone", "the context of another dialogue")
    told_what = [f"perplexity with {what}" for what in contexts]
    show("SGD, dialogues", ["sgd"], ["perplexity", *told_what, "BLEU", "distinct-1", "distinct-2"], "seq2seq")
    show("Translations, beam of 5, 32 at once", ["decoding"], ["sentences/s", "ratio"], "seq2seq")
    heard = ["word error rate", "character error rate", "weights", "seconds"]
    show("Spoken digits", ["fsdd"], heard, "speech")
    show("Spoken digits, a speaker left out", ["fsdd-speakers"], heard, "speech")
    show("Strings of spoken digits", ["digit-strings"], heard, "speech")
    show("AN4, speakers never heard", ["an4"], heard, "speech")
    show("JSB Chorales, piano rolls", ["jsb"], ["nats", "weights", "seconds"], "music")
    show("Nottingham, piano rolls", ["nottingham-rolls"], ["nats", "weights", "seconds"], "music")
    show("Nottingham, tunes", ["nottingham-tunes"], ["nats", "weights", "seconds"], "music")
    show("Start-up", ["start-up"], ["seconds, median of 5", "slowest"])


def show(title: str, parts: Sequence[str], metrics: Sequence[str], family: str = "forecasting") -> None:
    """One table: a row per model, mean ± standard deviation over the seeds."""
    rows: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        path = RESULTS / f"{family}-{part}.json"
        if path.exists():
            table = json.loads(path.read_text())["table"]
            ensemble = " (six members, refit)" if part == "m4-ensemble" else ""
            rows.update({k + ensemble * (k == "LSTM"): v for k, v in table.items() if isinstance(v, dict)})
    peer = RESULTS / "peer-neuralforecast.jsonl"
    if "m4" in parts and peer.exists():
        rows.update(averaged([json.loads(line) for line in peer.read_text().splitlines()]))
    rows = {name: row for name, row in rows.items() if any(row.get(m) is not None for m in metrics)}
    if not rows:
        return
    shown = [m for m in metrics if any(row.get(m) is not None for row in rows.values())]
    print(f"\n| {title} | " + " | ".join(shown) + " |")
    print("|---|" + "---:|" * len(shown))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(cell(row, m) for m in shown) + " |")


def averaged(runs: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, float]]:
    """One row, under the model's name, from a run for each seed; of the seconds, the median."""
    row: dict[str, float] = {"seconds": statistics.median(run["wall_s"] for run in runs)}
    for metric in ("MASE", "sMAPE"):
        values = [run[metric] for run in runs]
        row[metric] = statistics.mean(values)
        if len(values) > 1:
            row[f"{metric} ±"] = statistics.stdev(values)
    return {runs[0]["model"]: row}


def cell(row: Mapping[str, Any], metric: str) -> str:
    """A figure, with its spread where there are several seeds."""
    value = row.get(metric)
    if value is None or value != value:
        return ""
    if metric in ("weights", "tokens/s") and value > 10:
        return f"{value:,.0f}"
    if metric.startswith("coverage"):
        return f"{100 * value:.0f} %"
    if metric.endswith("error rate"):
        spread = row.get(f"{metric} ±")
        return f"{100 * value:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "") + " %"
    digits = 0 if metric.startswith("seconds") and value > 10 else 1 if metric == "sMAPE" else 2 if value > 10 else 3
    spread = row.get(f"{metric} ±")
    return f"{value:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None and "sec" not in metric else "")


if __name__ == "__main__":
    main()
