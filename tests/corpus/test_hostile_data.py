"""Data that would execute code if it were trusted: pickles, scripts and extension types."""

from __future__ import annotations

import io
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.config.sources import Hub, Source
from metamapping.errors import ConfigError
from tests.corpus.toys import records_of, toy_source

ROWS = {"text": ["one", "two"], "label": ["a", "b"]}


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.fixture
def mark(tmp_path):
    """A file that must not exist when the test ends, because a trap would have created it."""
    mark = tmp_path / "was-run"
    with pickle.loads(pickle.dumps(Trap(mark))):
        assert mark.exists(), "the trap itself must work"
    mark.unlink()
    yield mark
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".npy", ".npz", ".pt", ".joblib", ".h5", ".keras"])
def test_a_file_that_may_hold_a_pickle_is_refused(tmp_path, mark, suffix):
    path = tmp_path / f"rows{suffix}"
    if suffix in (".npy", ".npz"):
        with path.open("wb") as file:
            (np.save if suffix == ".npy" else np.savez)(file, np.array([Trap(mark)], object))
    else:
        path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ConfigError, match="rows"):
        records_of(toy_source(path))


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "conll"])
def test_a_pickle_with_the_suffix_of_a_format_is_not_unpickled(tmp_path, mark, format):
    path = tmp_path / f"rows.{format}"
    path.write_bytes(pickle.dumps(Trap(mark)))
    task_type = "ner" if format == "conll" else "text-classification"
    with pytest.raises(ConfigError, match="rows"):
        records_of(toy_source(path, task_type=task_type))


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "pandas.period"])
def test_a_column_of_an_extension_type_is_read_as_its_storage_type(tmp_path, mark, name):
    trap = {b"ARROW:extension:name": name.encode(), b"ARROW:extension:metadata": pickle.dumps(Trap(mark))}
    schema = pa.schema([pa.field("text", pa.string(), metadata=trap), pa.field("label", pa.string())])
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(ROWS, schema=schema), path)
    try:
        read = [(row["text"], row["label"]) for row in records_of(toy_source(path))]
    except ConfigError:
        return  # A refusal is fine too.
    assert read == [("one", "a"), ("two", "b")]


@pytest.mark.parametrize("kind", ["script", "pickles"])
def test_nothing_in_a_data_set_is_executed(tmp_path, mark, monkeypatch, kind):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "trap"
    folder.mkdir()
    if kind == "script":
        (folder / "trap.py").write_text(f"open({str(mark)!r}, 'w')\n")
        (folder / "README.md").write_text("---\nconfigs: []\n---\n")
    else:
        with tarfile.open(folder / "train.tar", "w") as archive:
            for suffix in ("pickle", "pkl", "pyd", "pth"):
                content = pickle.dumps(Trap(mark))
                member = tarfile.TarInfo(f"0.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    source = Source(
        name="trap",
        task_type="text-classification",
        role="train",
        hub=Hub(path=str(folder), split="train", revision="0" * 40),
    )
    with pytest.raises(ConfigError, match="trap"):
        records_of(source)
