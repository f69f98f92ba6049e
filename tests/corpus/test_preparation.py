"""Preparing a corpus without Prefect: the stages in the store, and what was prepared before."""

import pytest

from metamapping.config.loading import parse_config
from metamapping.corpus.preparation import prepare_corpus
from metamapping.corpus.stages import show_nothing
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, write_jsonl


@pytest.fixture
def values(tmp_path):
    sources = []
    for name, role in (("held", "validation"), ("tested", "test"), ("one", "train")):
        rows = labelled(*((f"{name} says number {i}", "xy"[i % 2]) for i in range(8)), ("shared text", "x"))
        file = write_jsonl(tmp_path / f"{name}.jsonl", rows)
        sources.append({"name": name, "role": role, "task_type": "text-classification", "files": [str(file)]})
    scratch = {"vocabulary_size": 100, "num_layers": 1, "hidden_dim": 8}
    encoder = {"scratch": scratch, "max_length_tokens": 16}
    return {"name": "toy", "home": str(tmp_path / "home"), "sources": sources, "encoder": encoder}


def test_sources_are_prepared_in_order_and_once(values, tmp_path):
    shown = []

    def show(what, *, total=None):
        shown.append(what)
        return show_nothing(what, total=total)

    prepared = prepare_corpus(parse_config(values), show=show)
    assert [each.name for each in prepared.corpus.tokens] == ["held", "tested", "one"]
    assert prepared.corpus.tokens[2].counts["rejects"] == 1  # "shared text" is held out
    assert (prepared.report.fetch() / "report.md").is_file()
    assert {"read one", "clean one", "tokenize one"} <= set(shown)
    before = sorted((tmp_path / "home" / "data").iterdir())
    shown.clear()
    assert prepare_corpus(parse_config(values), show=show) == prepared
    assert shown == []
    assert sorted((tmp_path / "home" / "data").iterdir()) == before


def test_an_engine_that_needs_prefect_is_refused(values):
    with pytest.raises(ConfigError, match=r"'dask' needs Prefect.*flows.meta_pretraining.*`threads`"):
        prepare_corpus(parse_config({**values, "engine": {"runner": "dask"}}))


@pytest.mark.slow  # it starts two processes
def test_processes_prepare_the_same_as_threads(values, tmp_path):
    threads = prepare_corpus(parse_config(values)).corpus
    elsewhere = {**values, "home": str(tmp_path / "elsewhere"), "engine": {"runner": "processes"}}
    assert prepare_corpus(parse_config(elsewhere)).corpus.fingerprints == threads.fingerprints
