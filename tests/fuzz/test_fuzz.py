"""A few hundred of the inputs that ``python -m benchmarks.fuzz`` tries, the same ones each time."""

import os

import numpy as np
import pytest

from tests.fuzz.guard import try_one
from tests.fuzz.mutations import mutate
from tests.fuzz.target import SAMPLES
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import findings

FAST = {
    "csv": 150,
    "tsv": 80,
    "jsonl": 150,
    "conll": 150,
    "parquet": 150,
    "xlsx": 30,
    "entry-points": 150,
    "config": 40,
    "records": 150,
    "spans": 150,
    "run": 40,
}
SLOW = {"published": 150, "task": 100, "commands": 40, "texts": 40, "encoder": 60, "keras": 15, "graph": 300}


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FAST)
def test_mutated_files_are_read_or_rejected_in_one_sentence(name, tmp_path):
    assert list(findings(TARGETS[name](tmp_path / "fuzz"), 0, FAST[name], seed=2026)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_mutated_folders_are_read_or_rejected_in_one_sentence(name, tmp_path):
    assert list(findings(TARGETS[name](tmp_path / "fuzz"), 0, SLOW[name], seed=2026)) == []


@pytest.mark.parametrize("name", ["csv", "parquet", "config"])
def test_valid_files_are_read(name, tmp_path):
    target = TARGETS[name](tmp_path)
    data, _ = target.seeds[0]
    if name == "config":
        data = data.replace(b"../../samples", os.fsencode(SAMPLES))
    rng = np.random.default_rng(5)
    assert try_one(lambda: target.run(data, rng)) is None


def test_the_same_seed_gives_the_same_mutation():
    one, two = (mutate(b'{"text": "a"}\n{"text": "b"}', "jsonl", np.random.default_rng(3)) for _ in range(2))
    assert one == two


def raise_error(error):
    raise error


def test_unexpected_errors_and_empty_messages_are_findings():
    assert "KeyError" in try_one(lambda: {}["a"])
    assert "ValueError" in try_one(lambda: raise_error(ValueError("")))
    assert "UnicodeDecodeError" in try_one(lambda: b"\xff".decode())
    assert try_one(lambda: raise_error(ValueError("a is 3: expected 4"))) is None
