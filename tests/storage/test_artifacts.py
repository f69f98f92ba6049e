"""The store: stages are atomic and verified, and nothing is computed twice."""

import os
import time

import pytest

from metamapping.errors import StoreError
from metamapping.storage.artifacts import Stage, Store
from metamapping.storage.manifest import fingerprint

STAGE = Stage("clean", "toys", 1, {"a": 1}, ["upstream"])


def test_a_stage_is_found_after_its_block_has_ended(tmp_path):
    store = Store(tmp_path)
    assert store.find(STAGE) is None
    with store.write(STAGE) as unfinished:
        (unfinished.folder / "part.txt").write_text("x")
        unfinished.counts.update(rows_in=3, rows_out=2, rejects=1)
        assert store.find(STAGE) is None
    done = store.find(STAGE)
    assert done.counts == {"rows_in": 3, "rows_out": 2, "rejects": 1}
    assert done.fingerprint == STAGE.fingerprint


def test_a_block_that_fails_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path)

    def fail(unfinished):
        (unfinished.folder / "part.txt").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.write(STAGE) as unfinished:
        fail(unfinished)
    assert store.find(STAGE) is None
    assert list((tmp_path / "data").iterdir()) == []


def test_rows_that_are_neither_out_nor_rejected_are_refused(tmp_path):
    with (
        pytest.raises(StoreError, match="1 rows are neither out nor rejected"),
        Store(tmp_path).write(STAGE) as unfinished,
    ):
        unfinished.counts.update(rows_in=3, rows_out=2, rejects=0)


def test_a_folder_without_manifest_does_not_exist_and_is_replaced(tmp_path):
    store = Store(tmp_path)
    final = tmp_path / "data" / f"clean-toys-{STAGE.fingerprint}"
    final.mkdir(parents=True)
    (final / "half.txt").write_text("half")
    assert store.find(STAGE) is None
    with store.write(STAGE) as unfinished:
        (unfinished.folder / "whole.txt").write_text("whole")
    assert not (final / "half.txt").exists()


def test_the_first_of_two_writers_of_a_stage_wins(tmp_path):
    store = Store(tmp_path)
    with store.write(STAGE) as slow:
        (slow.folder / "by.txt").write_text("slow")
        with store.write(STAGE) as fast:
            (fast.folder / "by.txt").write_text("fast")
    folder = tmp_path / "data" / f"clean-toys-{STAGE.fingerprint}"
    assert (folder / "by.txt").read_text() == "fast"
    assert [path.name for path in (tmp_path / "data").iterdir()] == [folder.name]


def test_a_stage_is_written_once_and_then_found(tmp_path):
    store, calls = Store(tmp_path), []

    def write(folder):
        calls.append(folder)
        (folder / "part.txt").write_text("x")
        return {"rows_in": 3, "rows_out": 2, "rejects": 1}

    first, second = store.get_or_write(STAGE, write), store.get_or_write(STAGE, write)
    assert first == second == store.find(STAGE)
    assert first.counts == {"rows_in": 3, "rows_out": 2, "rejects": 1}
    assert len(calls) == 1
    assert (first.fetch() / "part.txt").read_text() == "x"


def test_get_or_write_writes_nothing_if_its_function_fails(tmp_path):
    store = Store(tmp_path)

    def fail(folder):
        (folder / "part.txt").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.get_or_write(STAGE, fail)
    assert store.find(STAGE) is None


def damage(path, how):
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["truncated", "flipped", "removed"])
@pytest.mark.parametrize("name", ["part.txt", "manifest.json"])
def test_a_damaged_stage_is_quarantined_and_rebuilt(tmp_path, caplog, name, how):
    store = Store(tmp_path)
    with store.write(STAGE) as unfinished:
        (unfinished.folder / "part.txt").write_text("the content")
    folder = tmp_path / "data" / f"clean-toys-{STAGE.fingerprint}"
    damage(folder / name, how)
    assert store.find(STAGE) is None
    with store.write(STAGE) as unfinished:
        (unfinished.folder / "part.txt").write_text("the content")
    assert store.find(STAGE) is not None
    quarantined = list((tmp_path / "data").glob(".damaged-*"))
    if (name, how) != ("manifest.json", "removed"):  # without a manifest it does not exist
        assert len(quarantined) == 1
        assert str(folder / name) in caplog.text
        assert f"quarantined as {quarantined[0]}" in caplog.text


@pytest.mark.parametrize("how", ["truncated", "flipped", "removed"])
def test_a_stage_that_was_damaged_after_it_was_found_is_refused_when_it_is_fetched(tmp_path, how):
    store = Store(tmp_path)
    with store.write(STAGE) as unfinished:
        (unfinished.folder / "part.txt").write_text("the content")
    reference = store.find(STAGE)
    damage(reference.fetch() / "part.txt", how)
    with pytest.raises(StoreError, match=r"part\.txt is missing or not as it was written.*Preparing"):
        reference.fetch()


def test_temporary_directories_of_killed_processes_are_removed_after_a_day(tmp_path):
    data = tmp_path / "data"
    for name, age in ((".draft-old", 30), (".draft-new", 1)):
        (data / name).mkdir(parents=True)
        (data / name / "half.txt").write_text("half")
        then = time.time() - age * 3600
        for path in (data / name / "half.txt", data / name):
            os.utime(path, (then, then))
    with Store(tmp_path).write(STAGE):
        pass
    assert {path.name for path in data.iterdir() if path.name.startswith(".")} == {".draft-new"}


@pytest.mark.parametrize(
    "other",
    [
        Stage("clean", "toys", 2, {"a": 1}, ["upstream"]),
        Stage("clean", "toys", 1, {"a": 2}, ["upstream"]),
        Stage("clean", "toys", 1, {"a": 1}, ["other"]),
        Stage("tokens", "toys", 1, {"a": 1}, ["upstream"]),
    ],
)
def test_whatever_determines_the_output_changes_the_fingerprint(other):
    assert other.fingerprint != STAGE.fingerprint


def test_the_order_of_keys_does_not_change_a_fingerprint():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
