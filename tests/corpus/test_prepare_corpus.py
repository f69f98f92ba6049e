"""The flow prepare-corpus: nothing is computed twice, and bad input is refused before anything runs."""

import json
import os
from pathlib import Path

import pytest

from metamapping.config.loading import parse_config
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, write_jsonl

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def server():
    testing = pytest.importorskip("prefect.testing.utilities")
    with testing.prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A function that prepares the first `count` of four sources in one home."""
    from flows.prepare_corpus import prepare_corpus

    folder = tmp_path_factory.mktemp("corpus")
    sources = []
    for name, role in (("held", "validation"), ("tested", "test"), ("one", "train"), ("two", "train")):
        rows = labelled(*((f"{name} says number {i}", "xy"[i % 2]) for i in range(8)), ("shared text", "x"))
        file = write_jsonl(folder / f"{name}.jsonl", rows)
        sources.append({"name": name, "role": role, "task_type": "text-classification", "files": [str(file)]})

    def prepare(count, **settings):
        config = {"name": "toy", "home": str(folder / "home"), "sources": sources[:count]}
        config["encoder"] = {"preset": str(tokenizer_folder(folder)), "max_length_tokens": 16}
        result = prepare_corpus(parse_config(config | settings))
        return result, sorted(path.name for path in (folder / "home" / "data").iterdir())

    return prepare


def tokenizer_folder(folder):
    from metamapping.config.encoder import EncoderSpec, ScratchEncoder
    from metamapping.corpus.tokenizer import write_tokenizer

    if not (folder / "tokenizer").is_dir():
        encoder = EncoderSpec(scratch=ScratchEncoder(vocabulary_size=100), max_length_tokens=16)
        write_tokenizer(encoder, ["one two says number held tested shared text"] * 3, folder / "tokenizer")
    return folder / "tokenizer"


def stages(names):
    return {name.rsplit("-", 1)[0] for name in names}


def test_the_flow_returns_the_tokens_of_each_source_in_order(corpus):
    result, _ = corpus(3)
    assert [each["name"] for each in result["tokens"]] == ["held", "tested", "one"]
    assert result["tokens"][2]["counts"]["rejects"] == 1  # "shared text" is held out
    assert json.loads(json.dumps(result)) == result
    assert (Path(result["report"]["path"]) / "report.md").is_file()


def test_preparing_the_same_again_writes_nothing(corpus):
    first, before = corpus(3)
    second, after = corpus(3)
    assert (second, after) == (first, before)


def test_an_added_source_is_processed_alone(corpus):
    _, before = corpus(3)
    _, after = corpus(4)
    new = set(after) - set(before)
    assert stages(new) == {
        "records-two",
        "examples-two",
        "tokens-two",
        "screened-two",
        "leaks-corpus",
        "report-corpus",
    }


def test_a_changed_filter_repeats_cleaning_and_not_reading(corpus):
    _, before = corpus(4)
    _, after = corpus(4, filters={"min_words": 2})
    assert not any(name.startswith(("records", "tokenizer")) for name in set(after) - set(before))
    assert sum(name.startswith("examples") for name in set(after) - set(before)) == 4


def test_a_source_that_cannot_be_read_is_refused_before_anything_runs(corpus, tmp_path):
    from flows.prepare_corpus import prepare_corpus

    sources = [
        {"name": role, "role": role, "task_type": "text-classification", "files": [str(file)]}
        for role, file in (
            ("train", write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x")))),
            ("validation", write_jsonl(tmp_path / "b.jsonl", labelled(("two", "x")))),
            ("test", write_jsonl(tmp_path / "c.jsonl", [{"text": "three", "intent": "x"}])),
        )
    ]
    config = {"name": "bad", "home": str(tmp_path / "home"), "sources": sources, "encoder": {"scratch": {}}}
    with pytest.raises(ConfigError, match=r"source 'test': .*c.jsonl has no column 'label', but"):
        prepare_corpus(parse_config(config))
    assert not (tmp_path / "home").exists()


def test_every_real_source_passes_the_check(tmp_path):
    root = os.environ.get("METAMAPPING_DATA")
    if root is None:
        pytest.skip("METAMAPPING_DATA is not set: the folder with the real sources")
    from benchmarks.all_sources import all_sources

    config = all_sources(Path(root), str(tmp_path), str(tmp_path))
    for source in config.sources:
        check_source(source)
    assert (
        len({file for source in config.sources for file in source.files})
        == sum(1 for path in Path(root).rglob("*") if path.is_file() and "class-splits" not in path.parts) - 1
    )  # without its README


def test_rows_are_shown_as_progress_artifacts(corpus, monkeypatch):
    from prefect import get_client

    monkeypatch.setattr("tasks.row_progress.SECONDS_BETWEEN", 0.0)
    corpus(3, cleaning={"cleaners": ["whitespace"]})
    with get_client(sync_client=True) as client:
        shown = [each for each in client.read_artifacts() if each.type == "progress"]
    said = {each.description for each in shown}
    assert "clean one: 9 rows" in said
    assert any(each.startswith("tokenize one: ") for each in said)
    assert all(each.data == 100 for each in shown)
