"""The run directory: what is written, and every refusal."""

import ast
import json
import os
from pathlib import Path

import numpy as np
import pytest

import longshort
from longshort import artifact
from longshort.artifact import FORMAT_VERSION, RunDirectory, to_json, versions, write_atomically
from longshort.errors import InputError

CONFIG = {"task": "none", "settings": {"width": 8, "levels": (0.1, 0.9)}, "data": "abc", "versions": {"torch": "2"}}
TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2])}


def create(path, *, resume=False, overwrite=False, **changes):
    return RunDirectory.create(path, config={**CONFIG, **changes}, resume=resume, overwrite=overwrite)


def finish(run):
    run.write_tensors("model.safetensors", TENSORS)
    run.write_json("metrics.json", {"MASE": 0.5, "series": "Zürich"})
    run.finish()
    return run


@pytest.fixture
def finished(tmp_path):
    return finish(create(tmp_path / "run")).path


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refusal(action, *args, **options):
    with pytest.raises(InputError) as caught:
        action(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- the life of a run -------------------------------------------------------------------------------------------------


def test_a_finished_run_is_read_as_it_was_written(finished):
    run = RunDirectory.open(finished)
    assert run.read_json("config.json") == json.loads(json.dumps(CONFIG))
    assert run.read_json("metrics.json") == {"MASE": 0.5, "series": "Zürich"}
    read = run.read_tensors("model.safetensors")
    assert {name: value.tolist() for name, value in read.items()} == {n: v.tolist() for n, v in TENSORS.items()}
    assert read["b"].dtype == TENSORS["b"].dtype


def test_the_manifest_lists_every_file_of_the_run_with_its_checksum(finished):
    import hashlib

    manifest = json.loads((finished / "manifest.json").read_bytes())
    assert (manifest["format"], manifest["format_version"]) == ("longshort-run", FORMAT_VERSION)
    assert manifest["files"] == {
        name: "sha256:" + hashlib.sha256((finished / name).read_bytes()).hexdigest()
        for name in ("config.json", "metrics.json", "model.safetensors")
    }


def test_checkpoints_are_gone_when_the_run_is_finished(tmp_path):
    run = create(tmp_path / "run")
    run.checkpoints.mkdir()
    (run.checkpoints / "last.safetensors").write_bytes(b"x")
    finish(run)
    assert not run.checkpoints.exists()


def test_transposed_arrays_keep_their_values(tmp_path):
    run = create(tmp_path / "run")
    run.write_tensors("model.safetensors", {"a": TENSORS["a"].T})
    np.testing.assert_array_equal(run.read_tensors("model.safetensors")["a"], TENSORS["a"].T)


@pytest.mark.parametrize("kind", ["bool", "uint8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_tensors_are_as_the_library_of_the_format_reads_them(tmp_path, kind):
    import safetensors.numpy

    run = RunDirectory.create(tmp_path / "run", config={"task": "x"}, resume=False, overwrite=False)
    rng = np.random.default_rng(0)
    tensors = {
        "ä": rng.integers(0, 2, (3, 5)).astype(kind),
        "byte": rng.integers(0, 9, 3).astype(np.uint8),
        "wide": rng.normal(size=(2, 3, 4)).astype(np.float64),
        "scalar": np.array(7).astype(kind),
        "empty": np.zeros((0, 4), kind),
        "every second": np.arange(10).astype(kind)[::2],
    }
    run.write_tensors("all.safetensors", tensors)
    read = safetensors.numpy.load_file(run.path / "all.safetensors")
    assert read.keys() == tensors.keys()
    for name, values in tensors.items():
        assert (read[name].dtype, read[name].shape) == (values.dtype, values.shape)
        np.testing.assert_array_equal(read[name], values)


def test_an_empty_folder_and_missing_parents_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").touch()
    for path in (tmp_path / "empty", str(tmp_path / "runs" / "of" / "today")):
        finish(create(path))
        RunDirectory.open(path)


def test_an_unfinished_run_is_taken_up_with_the_same_settings(tmp_path):
    create(tmp_path / "run")
    finish(create(tmp_path / "run", resume=True, versions={"torch": "3"}))
    assert RunDirectory.open(tmp_path / "run").read_json("config.json")["versions"] == {"torch": "2"}


def test_resuming_where_nothing_was_begun_begins(tmp_path):
    finish(create(tmp_path / "run", resume=True))
    RunDirectory.open(tmp_path / "run")


def test_overwriting_removes_the_files_of_the_run_and_no_others(finished):
    (finished / "notes.txt").write_text("mine")
    (finished / "plots").mkdir()
    (finished / "plots" / "a.png").write_bytes(b"mine too")
    (finished / "checkpoints").mkdir()
    create(finished, overwrite=True, data="new")
    assert sorted(contents(finished)) == ["config.json", "notes.txt", "plots/a.png"]
    assert json.loads((finished / "config.json").read_bytes())["data"] == "new"
    assert not (finished / "checkpoints").exists()


def test_overwriting_an_unfinished_run(tmp_path):
    run = create(tmp_path / "run")
    run.checkpoints.mkdir()
    (run.checkpoints / "last.safetensors").write_bytes(b"old")
    assert not create(tmp_path / "run", overwrite=True).checkpoints.exists()


def test_files_of_others_are_not_part_of_the_run(finished):
    """Notes that somebody keeps in the folder may change without the run being called damaged."""
    (finished / "notes.txt").write_text("mine")
    finish(create(finished, overwrite=True))
    (finished / "notes.txt").write_text("changed")
    RunDirectory.open(finished)


def test_a_hostile_manifest_removes_nothing_outside_or_below(finished):
    outside = finished.parent / "precious.txt"
    outside.write_text("precious")
    (finished / "plots").mkdir()
    (finished / "plots" / "a.png").write_bytes(b"mine")
    manifest = json.loads((finished / "manifest.json").read_bytes())
    manifest["files"].update({"../precious.txt": "", "..": "", "plots": "", str(outside): "", "plots/a.png": ""})
    (finished / "manifest.json").write_bytes(to_json(manifest))
    create(finished, overwrite=True)
    assert outside.read_text() == "precious"
    assert (finished / "plots" / "a.png").read_bytes() == b"mine"


# -- refusals to begin -------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_replaced_unasked(finished):
    before = contents(finished)
    for resume in (False, True):
        assert refusal(create, finished, resume=resume) == (
            f"{finished} holds a finished run: choose another folder, or pass --overwrite to replace it"
        )
    assert contents(finished) == before


def test_an_unfinished_run_is_not_taken_up_unasked(tmp_path):
    path = create(tmp_path / "run").path
    assert refusal(create, path) == (
        f"{path} holds an unfinished run: pass --resume to go on with it, or --overwrite to start again"
    )


def test_other_settings_on_resumption_say_what_differs(tmp_path):
    path = create(tmp_path / "run").path
    before = contents(path)
    message = refusal(create, path, resume=True, data="other", settings={"width": 9, "levels": [0.1, 0.9]})
    assert message.startswith(f"cannot resume {path}: ")
    assert "data" in message
    assert "width" in message
    assert "levels" not in message
    assert contents(path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files(tmp_path, overwrite):
    (tmp_path / "thesis.tex").write_text("x")
    assert refusal(create, tmp_path, overwrite=overwrite) == (
        f"{tmp_path} holds other files (thesis.tex, …): choose a new or an empty folder"
    )
    assert list(contents(tmp_path)) == ["thesis.tex"]


def test_a_folder_whose_files_have_our_names_by_chance(tmp_path):
    """Web applications have a manifest.json and a config.json too."""
    (tmp_path / "manifest.json").write_text('{"name": "shop"}')
    (tmp_path / "config.json").write_text('["port"]')
    before = contents(tmp_path)
    for overwrite in (False, True):
        assert "holds other files (config.json, …)" in refusal(create, tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_a_damaged_run_can_be_overwritten(finished, name):
    (finished / name).write_bytes(b"{")
    finish(create(finished, overwrite=True))
    RunDirectory.open(finished)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_instead_of_a_folder(tmp_path, overwrite):
    path = tmp_path / "run"
    path.write_text("x")
    assert refusal(create, path, overwrite=overwrite) == f"{path} is a file, or lies in one: choose a folder"
    assert refusal(RunDirectory.open, path) == f"{path} is a file, or lies in one: choose a folder"


@pytest.mark.parametrize("place", ["file/run", "/proc/longshort/run", "x" * 300])
def test_an_unwritable_folder(tmp_path, place):
    (tmp_path / "file").write_text("x")
    path = tmp_path / place
    message = refusal(create, path)
    assert str(path) in message
    assert message.endswith(("choose another folder", "choose a folder"))
    assert list(contents(tmp_path)) == ["file"]


# -- refusals to read --------------------------------------------------------------------------------------------------


def test_a_missing_run(tmp_path):
    path = tmp_path / "no"
    assert refusal(RunDirectory.open, path) == f"{path} does not exist: fit a run first, or check the path"


def test_a_folder_that_is_no_run(tmp_path):
    assert refusal(RunDirectory.open, tmp_path) == f"{tmp_path} is not a run directory: it has no manifest.json"


def test_an_unfinished_run_cannot_be_used(tmp_path):
    path = create(tmp_path / "run").path
    message = refusal(RunDirectory.open, path)
    assert message == f"{path} is an unfinished run: go on with the command that began it and --resume"


FILES = ("config.json", "metrics.json", "model.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(finished, name):
    (finished / name).unlink()
    assert refusal(RunDirectory.open, finished) == f"{finished / name} is missing: restore it from a copy, or fit again"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit"])
def test_a_changed_file(finished, name, damage):
    path = finished / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[:-1], "emptied": b"", "one bit": content}[damage])
    assert refusal(RunDirectory.open, finished) == (
        f"{path} is not as it was written (its checksum differs): restore it, or fit again"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not readable JSON"),
        (b"{", "is not readable JSON"),
        (b"\xff\xfe", "is not readable JSON"),
        (b"[]", "is not the manifest of a longshort run"),
        (b'{"format": "webapp"}', "is not the manifest of a longshort run"),
        (b'{"format": "longshort-run"}', "is not the manifest of a longshort run"),
        (b'{"format": "longshort-run", "format_version": "1"}', "is not the manifest of a longshort run"),
        (b'{"format": "longshort-run", "format_version": 1}', "lists no files"),
        (b'{"format": "longshort-run", "format_version": 1, "files": {}}', "lists no files"),
        (b'{"format": "longshort-run", "format_version": 1, "files": ["config.json"]}', "lists no files"),
    ],
)
def test_a_manifest_that_is_none(finished, content, says):
    (finished / "manifest.json").write_bytes(content)
    message = refusal(RunDirectory.open, finished)
    assert says in message
    assert str(finished) in message


def test_a_newer_format(finished):
    manifest = json.loads((finished / "manifest.json").read_bytes())
    (finished / "manifest.json").write_bytes(to_json({**manifest, "format_version": FORMAT_VERSION + 1}))
    versions = f"has run format {FORMAT_VERSION + 1}, this longshort reads up to {FORMAT_VERSION}: upgrade longshort"
    assert refusal(RunDirectory.open, finished) == f"{finished} {versions}"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "plots/a.png"])
def test_a_manifest_that_names_a_file_outside(finished, name):
    manifest = json.loads((finished / "manifest.json").read_bytes())
    manifest["files"][name] = manifest["files"]["config.json"]
    (finished / "manifest.json").write_bytes(to_json(manifest))
    assert refusal(RunDirectory.open, finished) == (
        f"{finished}/manifest.json names a file outside the run ({name}): do not use this run"
    )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table"])
def test_damaged_tables_that_no_checksum_guards(tmp_path, content):
    (tmp_path / "table.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"table\.parquet is not readable"):
        RunDirectory(tmp_path).read_table("table.parquet")


def test_damaged_tensors_that_no_checksum_guards(tmp_path):
    run = create(tmp_path / "run")
    run.write("model.safetensors", b"\x00" * 20)
    assert refusal(run.read_tensors, "model.safetensors") == (
        f"{run.path / 'model.safetensors'} is not readable: restore it from a copy, or fit again"
    )


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[moment], interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new and longer")
    assert contents(tmp_path) == {"a.json": b"old"}


def test_a_write_never_shows_a_part_of_the_file(tmp_path, monkeypatch):
    """Whoever looks between the write and its end sees the old file whole."""
    path, seen = tmp_path / "a.json", []
    write_atomically(path, b"old")
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(path.read_bytes()), fsync(handle)))
    write_atomically(path, b"new")
    assert seen == [b"old"]
    assert path.read_bytes() == b"new"


def test_files_can_be_read_by_others(finished):
    assert {oct(p.stat().st_mode & 0o777) for p in finished.iterdir()} == {"0o644"}


def test_json_refuses_what_others_cannot_read():
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"loss": float("nan")})


def test_versions_name_what_a_run_depends_on():
    import torch

    found = versions()
    assert found["longshort"] == longshort.__version__
    assert found["torch"] == torch.__version__


# -- no code in a run --------------------------------------------------------------------------------------------------

SOURCES = sorted(Path(artifact.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_nothing_is_ever_unpickled(path):
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    calls = {"eval", "exec", "torch.load", "torch.save", "np.save", "np.savez"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not modules & {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in modules
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in calls
            if called.endswith("np.load"):  # its default has been another one, and may be again
                assert "allow_pickle=False" in [ast.unparse(keyword) for keyword in node.keywords]
