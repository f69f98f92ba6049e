"""Which sources have changed since another run, whatever a learned tokenizer has changed with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.runs.folder import RunFolder
from metamapping.runs.source_data import grown_sources, last_run, shrunken_sources, source_rows
from metamapping.storage.artifacts import Reference, Stage, Store

SOURCES = ("train", "validation", "test")


def prepared(home: Path | str, name: str, rows: int, *, tokenizer: str, has_leaks: bool = False) -> Reference:
    """The token shards of a source; its rows are identified by their number."""

    def written(kind: str, *upstream: str) -> Reference:
        def write(folder: Path) -> dict[str, int]:
            (folder / "part-00000.parquet").write_text(f"{kind} {rows}")
            return {"rows_out": rows}

        return Store(home).get_or_write(Stage(kind, name, 1, {"rows": rows}, upstream), write)

    tokens = written("tokens", written("examples").fingerprint, tokenizer)
    return written("screened", tokens.fingerprint) if has_leaks else tokens


def make_run(
    home: Path | str, run_id: str, *, tokenizer: str, has_leaks: bool = False, **rows: int
) -> RunFolder:
    """An opened run with ten rows of each source, unless ``rows`` says otherwise."""
    config = RunConfig.model_validate(
        {
            "name": run_id.partition("-")[0],
            "home": str(home),
            "encoder": {"scratch": {}},
            "sources": [
                {"name": role, "role": role, "task_type": "text-classification", "files": [f"{role}.csv"]}
                for role in SOURCES
            ],
        }
    )
    tokens = [
        prepared(home, name, rows.get(name, 10), tokenizer=tokenizer, has_leaks=has_leaks) for name in SOURCES
    ]
    run = RunFolder(home, run_id)
    run.open(config, Corpus(tokens=tokens, tokenizer=tokens[0]))
    return run


@pytest.mark.parametrize("has_leaks", [False, True])
def test_only_the_source_whose_rows_changed_is_different(tmp_path: Path, has_leaks: bool) -> None:
    first = make_run(tmp_path, "toy-1", tokenizer="a", has_leaks=has_leaks)
    second = make_run(tmp_path, "toy-2", tokenizer="b", has_leaks=has_leaks, train=14)
    shards = [[tokens.fingerprint for tokens in run.corpus.tokens] for run in (first, second)]
    assert not set(shards[0]) & set(shards[1])  # another tokenizer: other shards of every source
    old, new = source_rows(first), source_rows(second)
    assert {name for name in SOURCES if old[name] != new[name]} == {"train"}


def test_without_the_store_sources_are_told_by_their_shards(tmp_path: Path) -> None:
    run = make_run(tmp_path, "toy-1", tokenizer="a")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert source_rows(run) == {tokens.name: tokens.fingerprint for tokens in run.corpus.tokens}


def last_of(home: Path | str, **rows: int) -> tuple[RunFolder, dict[str, int]]:
    """The last run named toy, and the rows of now."""
    last = last_run(str(home), "toy", rows)
    assert last is not None
    return last, rows


def test_a_source_that_has_lost_many_rows_is_told(tmp_path: Path) -> None:
    make_run(tmp_path, "toy-1", tokenizer="a", train=382)
    make_run(tmp_path, "other-1", tokenizer="a", train=10_000)
    (sentence,) = shrunken_sources(*last_of(tmp_path, train=60, validation=9, test=10))
    assert sentence == "source 'train' has 60 rows; in the last run of 'toy' (toy-1) it had 382 (-84%)"


def test_the_last_run_is_found_at_an_address() -> None:
    home = "memory://source-data/home"
    make_run(home, "toy-1", tokenizer="a", train=382)
    (sentence,) = shrunken_sources(*last_of(home, train=60, validation=10, test=10))
    assert "(toy-1) it had 382" in sentence
    assert last_run("memory://source-data/elsewhere", "toy", {}) is None


def test_new_rows_are_told_in_one_sentence(tmp_path: Path) -> None:
    make_run(tmp_path, "toy-1", tokenizer="a", train=342)
    (sentence,) = grown_sources(*last_of(tmp_path, train=542, validation=11, test=10))
    assert sentence == (
        "more rows than in the last run of 'toy' (toy-1): train (542, before 342), validation (11, before 10)"
    )
    assert grown_sources(*last_of(tmp_path, train=60, validation=9, test=10)) == []


def test_the_last_run_counts_and_not_an_older_one(tmp_path: Path) -> None:
    for number, rows in enumerate((382, 60), start=1):
        run = make_run(tmp_path, f"toy-{number}", tokenizer="a", train=rows)
        os.utime(run.path / "run.json", (number, number))
    assert shrunken_sources(*last_of(tmp_path, train=58, validation=10, test=10)) == []


def test_a_damaged_run_and_one_of_the_same_rows_are_not_the_last(tmp_path: Path) -> None:
    rows = dict.fromkeys(SOURCES, 10)
    assert last_run(str(tmp_path), "toy", rows) is None
    run = make_run(tmp_path, "toy-1", tokenizer="a")
    assert last_run(str(tmp_path), "toy", rows) is None
    assert last_run(str(tmp_path), "toy", {**rows, "train": 9}) is not None
    (run.path / "run.json").write_text("{")
    assert last_run(str(tmp_path), "toy", {**rows, "train": 9}) is None
