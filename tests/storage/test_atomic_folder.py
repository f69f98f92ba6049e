"""Atomic folders: readers see the old folder or the new one, and never a part of either."""

import pytest

from metamapping.storage import atomic_folder as module
from metamapping.storage.atomic_folder import atomic_folder, recover_folders, remove_folder
from metamapping.storage.exchange import exchange


def write(folder, text, **options):
    with atomic_folder(folder, **options) as temporary:
        (temporary / "file.txt").write_text(text)


def no_exchange(first, second):
    """What ``exchange`` answers on a file system that does not offer it."""
    return False


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_folder_appears_when_its_block_ends(tmp_path):
    folder = tmp_path / "new" / "folder"
    with atomic_folder(folder) as temporary:
        (temporary / "file.txt").write_text("text")
        assert not folder.exists()
        assert temporary.parent == folder.parent
    assert (folder / "file.txt").read_text() == "text"
    assert names(folder.parent) == ["folder"]


def test_a_block_that_fails_leaves_the_old_folder(tmp_path):
    write(tmp_path / "folder", "old")

    def fail(temporary):
        (temporary / "file.txt").write_text("new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "folder") as temporary:
        fail(temporary)
    assert (tmp_path / "folder" / "file.txt").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_an_existing_folder_is_replaced(tmp_path):
    write(tmp_path / "folder", "old")
    (tmp_path / "folder" / "left-over.txt").write_text("old")
    write(tmp_path / "folder", "new")
    assert names(tmp_path / "folder") == ["file.txt"]
    assert (tmp_path / "folder" / "file.txt").read_text() == "new"
    assert names(tmp_path) == ["folder"]


def test_an_existing_folder_is_kept_if_the_caller_says_so(tmp_path):
    write(tmp_path / "folder", "old")
    write(tmp_path / "folder", "new", keep_existing=lambda folder: (folder / "file.txt").is_file())
    assert (tmp_path / "folder" / "file.txt").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_be_renamed(tmp_path, monkeypatch):
    write(tmp_path / "folder", "old")
    rename = type(tmp_path).rename

    def fail_for_new(path, target):
        if path.name.startswith(".draft-"):
            raise OSError("refused")
        return rename(path, target)

    monkeypatch.setattr(module, "exchange", no_exchange)
    monkeypatch.setattr(type(tmp_path), "rename", fail_for_new)
    with pytest.raises(OSError, match="refused"):
        write(tmp_path / "folder", "new")
    assert (tmp_path / "folder" / "file.txt").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_removing_a_folder_that_does_not_exist_does_nothing(tmp_path):
    write(tmp_path / "folder", "old")
    remove_folder(tmp_path / "folder")
    remove_folder(tmp_path / "folder")
    assert names(tmp_path) == []


def test_two_folders_are_exchanged_at_once(tmp_path):
    write(tmp_path / "first", "one")
    write(tmp_path / "second", "two")
    if not exchange(tmp_path / "first", tmp_path / "second"):
        pytest.skip("this system cannot exchange folders")
    assert (tmp_path / "first" / "file.txt").read_text() == "two"
    assert (tmp_path / "second" / "file.txt").read_text() == "one"
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "first", tmp_path / "third")


def test_there_is_a_folder_at_every_moment_while_it_is_replaced(tmp_path, monkeypatch):
    if not exchange(tmp_path, tmp_path):
        pytest.skip("this system cannot exchange folders")
    folder = tmp_path / "folder"
    write(folder, "old")
    monkeypatch.setattr(type(tmp_path), "rename", lambda path, target: existing(path, target))

    def existing(path, target):
        raise OSError("two renames leave a moment without a folder")

    write(folder, "new")
    assert (folder / "file.txt").read_text() == "new"


@pytest.mark.parametrize("is_replaced", [True, False])
def test_without_an_exchange_a_folder_is_recovered_after_a_kill(tmp_path, monkeypatch, is_replaced):
    class Killed(BaseException):
        pass

    rename = type(tmp_path).rename

    def kill_after_the_first(path, target):
        if path.name.startswith(".draft-") and target.name == "my-folder" and not target.exists():
            raise Killed
        return rename(path, target)

    write(tmp_path / "my-folder", "old")
    monkeypatch.setattr(module, "exchange", no_exchange)
    monkeypatch.setattr(type(tmp_path), "rename", kill_after_the_first)
    with pytest.raises(Killed):
        write(tmp_path / "my-folder", "new")
    monkeypatch.undo()
    (old,) = tmp_path.iterdir()
    assert old.name.startswith(".replaced-my-folder-")
    if is_replaced:  # the kill came a moment later
        write(tmp_path / "my-folder", "new")
    assert recover_folders(tmp_path) == ([] if is_replaced else [tmp_path / "my-folder"])
    assert (tmp_path / "my-folder" / "file.txt").read_text() == ("new" if is_replaced else "old")
    assert names(tmp_path) == ["my-folder"]
