"""The bundled samples are what their script writes, and have the properties that their README states."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from metamapping.config.loading import read_config
from metamapping.config.sources import Source

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SOURCES = read_config(ROOT / "configs" / "demo.yaml").sources


def test_the_script_writes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    script = SAMPLES / "write_samples.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    committed = {path.name for path in SAMPLES.iterdir() if path.is_file()}
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {name for name in committed if not name.endswith((".py", ".md"))}
    for name in written:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), name


def test_the_demo_reads_every_sample_file() -> None:
    listed = {Path(file).name for source in SOURCES for file in source.files or []}
    assert listed == {p.name for p in SAMPLES.iterdir() if p.is_file()} - {
        p.name for p in SAMPLES.iterdir() if p.suffix in (".py", ".md")
    }


def test_no_text_is_in_two_sources() -> None:
    owner: dict[str, str] = {}
    for source in SOURCES:
        for text, _ in rows_of(source):
            assert owner.setdefault(text.casefold(), source.name) == source.name, text


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_each_label_has_at_least_30_examples(source: Source) -> None:
    rows = set(rows_of(source))
    counts = Counter(label for _, labels in rows for label in set(labels))
    assert len(rows) >= 250
    assert len(counts) >= 2
    assert min(counts.values()) >= 30, counts
    assert set(source.label_names) <= set(counts)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_about_one_row_in_a_hundred_is_dirty(source: Source) -> None:
    rows = rows_of(source, clean=False)
    assert 0.005 < 1 - len(set(rows_of(source))) / len(rows) < 0.03


def rows_of(source: Source, *, clean: bool = True) -> list[tuple[str, tuple[str, ...]]]:
    """The rows as (text, labels), entity types for ``ner``. ``clean`` drops the empty ones."""
    path = Path((source.files or [])[0])
    text, columns = path.read_text(encoding="utf-8"), source.columns
    if path.suffix == ".conll":
        sentences = [[line.split() for line in b.splitlines()] for b in text.split("\n\n")]
        return [
            (" ".join(word for word, _ in s), tuple(tag[2:] for _, tag in s if tag[:2] == "B-"))
            for s in sentences
        ]
    if path.suffix == ".jsonl":
        records = [json.loads(line) for line in text.splitlines()]
    elif source.header:
        records = list(csv.DictReader(text.splitlines()))
    else:
        rows = csv.reader(text.splitlines(), delimiter="\t")
        records = [dict(enumerate(row)) for row in rows]
    fields = [columns.text] if columns.text_pair is None else [columns.text, columns.text_pair]
    pairs = [(" | ".join(r[f] for f in fields), (r[columns.label] or "",)) for r in records]
    return [(t, label) for t, label in pairs if not clean or (t.strip(" |") and label[0])]
