"""Small sources, and functions that prepare them."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from metamapping.config.corpus import CleaningSpec, DuplicateSpec, FilterSpec
from metamapping.config.sources import Source
from metamapping.corpus.examples import Rules, write_examples
from metamapping.corpus.records import read_records, write_records
from metamapping.corpus.shards import read_shards

RULES = Rules(CleaningSpec(), FilterSpec(), DuplicateSpec())


def toy_source(*files, task_type="text-classification", role="train", **settings):
    settings.setdefault("name", "toy")
    if settings.get("label_roles"):
        role = None
    return Source(task_type=task_type, role=role, files=[str(file) for file in files], **settings)


def write_jsonl(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def labelled(*pairs):
    """Rows with `text` and `label`."""
    return [{"text": text, "label": label} for text, label in pairs]


def records_of(source):
    return [row for batch in read_records(source) for row in batch.to_pylist()]


def prepare(source, folder: Path, rules: Rules = RULES):
    """The examples, rejects and counts of a source, whose shards are written to ``folder``/examples."""
    records, examples = folder / "records", folder / "examples"
    records.mkdir(parents=True)
    examples.mkdir()
    write_records(source, records)
    counts = write_examples(source, rules, records, examples)
    assert counts["rows_in"] == counts["rows_out"] + counts["rejects"]
    rejects = pq.read_table(examples / "rejects.parquet").to_pylist()
    return read_shards(examples).to_pylist(), rejects, counts
