"""Labels that are probably wrong: listed before training, and rejected where that is asked for."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.config.loading import parse_config
from metamapping.corpus.preparation import prepare_corpus
from metamapping.corpus.shards import read_shards
from metamapping.errors import ConfigError
from metamapping.runs import label_noise
from metamapping.runs.label_noise import check_label_noise, not_checked, rows_to_reject
from tests.corpus.toys import labelled, write_jsonl

KEEP_ALL = {"duplicates": {"exact": False, "near": False}, "leakage": {"check": False}}


def config_of(folder, published, **settings):
    """Sources of two obvious labels, the last row of each with the wrong one."""
    sources = []
    for role in ("train", "validation", "test"):
        rows = labelled(
            *((f"where is my parcel {i}", "delivery") for i in range(20)),
            *((f"please refund my money {i}", "refund") for i in range(20)),
            ("where is my parcel 99", "refund"),
        )
        file = write_jsonl(folder / f"{role}.jsonl", rows)
        sources.append({"name": role, "role": role, "task_type": "text-classification", "files": [str(file)]})
    values = {"name": "toy", "home": str(folder / "home"), "sources": sources}
    encoder = {"preset": str(published), "max_length_tokens": 16}
    return parse_config({**values, "encoder": encoder, **KEEP_ALL, **settings})


def prepared(config):
    """The prepared corpus, and what was found in its sources."""
    found = []

    def find(examples):
        found.extend(check_label_noise(config, examples))
        return rows_to_reject(config, found)

    return prepare_corpus(config, find_suspicious=find), found


@pytest.fixture(scope="module")
def reported(tmp_path_factory, published):
    config = config_of(tmp_path_factory.mktemp("reported"), published)
    return config, *prepared(config)


def test_the_wrong_label_of_each_source_comes_first(reported):
    _, _, found = reported
    assert [each.source for each in found] == ["train", "validation", "test"]
    for each in found:
        first = each.table().to_pylist()[0]
        assert (first["row"], first["label"], first["suggested"]) == (40, "refund", "delivery")
        assert 0.5 <= first["probability"] <= 1
        assert "where is my parcel" in first["similar"]
        assert "in 41 rows" in each.sentence
        assert (each.stage.fetch() / "suspicious.csv").read_text().count("where is my parcel 99") == 1


def test_reporting_removes_nothing_and_is_not_repeated(reported, monkeypatch):
    config, corpus, found = reported
    assert [each.counts["rows_out"] for each in corpus.corpus.tokens] == [41, 41, 41]
    monkeypatch.setattr(label_noise, "read_encoder", None)
    assert check_label_noise(config, [each.examples for each in corpus.prepared]) == found


def test_rejecting_keeps_the_rows_of_train_sources_as_rejects(reported):
    config, corpus, _ = reported
    spec = config.label_noise.model_copy(update={"action": "reject"})
    rejecting = config.model_copy(update={"label_noise": spec})
    again, found = prepared(rejecting)
    train, *held_out = again.prepared
    num_found = found[0].table().num_rows
    assert train.screened.counts["rejects"] == num_found >= 1
    assert read_shards(train.screened.fetch()).num_rows == 41 - num_found
    rejects = pq.read_table(train.screened.fetch() / "rejects.parquet").to_pylist()
    wrong = next(row for row in rejects if row["row"] == 40)
    assert (wrong["text"], wrong["reason"]) == ("where is my parcel 99", "suspicious_label:delivery")
    # A test without its doubtful rows would be easier.
    assert [each.screened for each in held_out] == [each.screened for each in corpus.prepared[1:]]
    assert again.corpus.fingerprints != corpus.corpus.fingerprints


def test_of_a_source_that_is_split_by_labels_only_trained_labels_are_rejected(tmp_path, published):
    config = config_of(tmp_path, published, label_noise={"action": "reject"})
    split = config.sources[0].model_copy(
        update={"role": None, "label_roles": {"train": ["delivery"], "test": ["refund"]}}
    )

    class Found:
        source = "train"

        def table(self):
            columns = {"row": [1, 2], "label": ["refund", "delivery"], "suggested": ["delivery", "refund"]}
            return pa.table(columns)

    (table,) = rows_to_reject(
        config.model_copy(update={"sources": [split, *config.sources[1:]]}), [Found()]
    ).values()
    assert table.to_pylist() == [{"row": 2, "suggested": "refund"}]


@pytest.fixture(scope="module")
def of_all_kinds(tmp_path_factory, published):
    """Sources of words and of lists of labels, the last row of each with a wrong label."""
    folder = tmp_path_factory.mktemp("kinds")
    config = config_of(folder, published, label_noise={"action": "reject"})
    people, cities = ["anna", "bob", "eve", "ada", "tom"], ["paris", "rome", "london", "york"]
    sentences = [
        {"words": [name, "lives", "in", city], "tags": ["B-PER", "O", "O", "B-LOC"]}
        for name in people
        for city in cities
    ]
    sentences[-1]["tags"] = ["B-PER", "O", "O", "B-PER"]
    lists = [
        {"text": f"{text} {i}", "label": labels}
        for i in range(12)
        for text, labels in [
            ("where is my parcel", ["delivery"]),
            ("please refund my money", ["refund"]),
            ("lovely weather", []),
        ]
    ]
    lists.append({"text": "where is my parcel 99", "label": ["refund"]})
    added = [
        {
            "name": "people",
            "task_type": "ner",
            "files": [str(write_jsonl(folder / "people.jsonl", sentences))],
        },
        {
            "name": "lists",
            "task_type": "text-classification",
            "multi_label": True,
            "files": [str(write_jsonl(folder / "lists.jsonl", lists))],
        },
    ]
    sources = [{"role": "train", **each} for each in added]
    held_out = [each.model_dump(mode="json", exclude_unset=True) for each in config.sources[1:]]
    values = config.model_dump(mode="json", exclude_unset=True) | {"sources": [*sources, *held_out]}
    return prepared(parse_config(values))


def test_wrong_words_are_found_and_their_sentences_rejected(of_all_kinds):
    corpus, (people, *_) = of_all_kinds
    first = people.table().to_pylist()[0]
    assert (first["row"], first["words"], first["text"]) == (19, "york", "tom lives in york")
    assert (first["label"], first["suggested"]) == ("PER", "LOC")
    assert "(LOC)" in first["similar"]
    rejects = pq.read_table(corpus.prepared[0].screened.fetch() / "rejects.parquet").to_pylist()
    assert (19, "suspicious_label:LOC") in [(each["row"], each["reason"]) for each in rejects]


def test_wrong_lists_of_labels_are_found_and_rejected(of_all_kinds):
    corpus, (_, lists, *_) = of_all_kinds
    first = lists.table().to_pylist()[0]
    assert (first["row"], first["label"], first["words"]) == (36, "refund", None)
    assert first["suggested"] in ("delivery", "no label", "delivery, refund")
    rejects = pq.read_table(corpus.prepared[1].screened.fetch() / "rejects.parquet").to_pylist()
    assert f"suspicious_label:{first['suggested']}" in [each["reason"] for each in rejects]


def test_of_large_sources_a_sample_is_checked(tmp_path, published):
    config = config_of(tmp_path, published, label_noise={"max_rows": 30})
    _, (found, *_) = prepared(config)
    assert found.stage.counts["rows_checked"] == 30
    assert "30 rows drawn from 41 (`label_noise.max_rows`)" in found.sentence


def test_an_encoder_from_scratch_checks_nothing_and_cannot_reject(tmp_path, published):
    config = config_of(tmp_path, published)
    scratch = config.encoder.model_copy(update={"preset": None, "scratch": {}})
    config = config.model_copy(update={"encoder": scratch})
    problems = []
    assert check_label_noise(config, [], on_problem=problems.append) == []
    assert problems == [not_checked(config)]
    assert "from scratch knows nothing about texts yet" in not_checked(config)
    spec = config.label_noise.model_copy(update={"action": "reject"})
    with pytest.raises(ConfigError, match="to `report`"):
        check_label_noise(config.model_copy(update={"label_noise": spec}), [])


def test_an_encoder_that_cannot_be_read_does_not_stop_a_run_that_only_reports(reported, tmp_path):
    config, corpus, _ = reported
    gone = config.encoder.model_copy(update={"preset": str(tmp_path / "none")})
    problems = []
    examples = [each.examples for each in corpus.prepared]
    missing = config.model_copy(update={"encoder": gone})
    assert check_label_noise(missing, examples, on_problem=problems.append) == []
    assert str(tmp_path / "none") in problems[0]
