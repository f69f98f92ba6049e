"""Large files are verified while their reader is at work; what it made of a damaged one is lost."""

import pytest

from metamapping.errors import StoreError
from metamapping.storage import manifest
from metamapping.storage.manifest import check_files, checking_files, write_manifest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "small").write_bytes(b"ab")
    (tmp_path / "large").write_bytes(b"abcdefgh")
    write_manifest(tmp_path, {})
    monkeypatch.setattr(manifest, "_LARGE_BYTES", 4)
    return tmp_path


def test_the_block_runs_and_its_error_is_its_own(folder):
    with checking_files(folder, ["large"]):
        pass
    with pytest.raises(KeyError, match="mine"), checking_files(folder, ["large"]):
        raise KeyError("mine")


def test_a_damaged_large_file_is_the_error_whatever_the_block_does(folder):
    (folder / "large").write_bytes(b"abcdefgX")
    with pytest.raises(StoreError, match="large is missing or not as it was written"):
        check_files(folder, [])
    with pytest.raises(StoreError, match="large is missing"), checking_files(folder, []):
        raise KeyError("mine")


@pytest.mark.parametrize("name", ["small", "absent"])
def test_the_block_does_not_begin_before_all_else_is_verified(folder, name):
    (folder / "small").write_bytes(b"xy" if name == "small" else b"ab")
    with pytest.raises(StoreError, match=f"{name} is missing or not"), checking_files(folder, [name]):
        pytest.fail("it has begun")
