"""Atomic folders: readers see the old folder or the new one, and never a part of either."""

import pytest

from metamapping.storage.atomic_folder import atomic_folder, remove_folder


def write(folder, text, **options):
    with atomic_folder(folder, **options) as temporary:
        (temporary / "file.txt").write_text(text)


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
