"""Sources whose texts have several labels, and sources with grades: from rows to examples and counts."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.corpus.label_counts import count_labels
from metamapping.corpus.records import records_stage
from metamapping.corpus.screening import write_screened
from metamapping.corpus.shards import LABELS, REJECTS, TOKENS, ShardWriter, read_shards, with_label_lists
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, prepare, records_of, toy_source, write_jsonl

ROWS = labelled(
    ("cannot sign in, hurry up", ["urgent", "login"]),
    ("send my money back now", ["refund"]),
    ("thank you for your help", []),
    ("where is my parcel today", "delivery"),
)


def several(file, **settings):
    return toy_source(file, multi_label=True, **settings)


def test_lists_are_examples_in_alphabetical_order_and_none_is_allowed(tmp_path):
    source = several(write_jsonl(tmp_path / "s.jsonl", ROWS))
    check_source(source)
    examples, rejects, _ = prepare(source, tmp_path)
    assert not rejects
    assert [row["labels"] for row in examples] == [["login", "urgent"], ["refund"], [], ["delivery"]]
    assert [json.loads(row["label"]) for row in examples] == [row["labels"] for row in examples]
    assert count_labels(source) == {"urgent": 1, "login": 1, "refund": 1, "delivery": 1}


def test_other_sources_have_no_column_of_lists(tmp_path):
    prepare(toy_source(write_jsonl(tmp_path / "s.jsonl", labelled(("one text", "x")))), tmp_path)
    assert LABELS.name not in read_shards(tmp_path / "examples").column_names


def test_a_separator_divides_the_fields_of_csv_and_an_empty_field_has_none(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text('text,labels\na b c,login| urgent\nd e f,\ng h i,"[""refund"", ""login""]"\n')
    (one, two, three) = records_of(several(file, label_separator="|"))
    assert [set(row["labels"]) for row in (one, two, three)] == [
        {"login", "urgent"},
        set(),
        {"refund", "login"},
    ]


def test_without_a_separator_an_empty_field_is_a_missing_label(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text('text,label\na b c,"[""x"", ""y""]"\nd e f,\n')
    _, rejects, _ = prepare(several(file), tmp_path)
    assert [(row["row"], row["reason"]) for row in rejects] == [(1, "missing_label")]


def test_a_column_named_labels_is_found_unless_there_is_one_named_label(tmp_path):
    both = [
        {"text": "a b c", "labels": ["x"], "label": ["y"]},
        {"text": "d e f", "labels": [], "label": ["z"]},
    ]
    records = records_of(several(write_jsonl(tmp_path / "both.jsonl", both)))
    assert [row["labels"] for row in records] == [["y"], ["z"]]
    alone = [{"text": row["text"], "labels": row["labels"]} for row in both]
    records = records_of(several(write_jsonl(tmp_path / "alone.jsonl", alone)))
    assert [row["labels"] for row in records] == [["x"], []]


def test_equal_texts_are_duplicates_if_their_sets_of_labels_are_equal(tmp_path):
    rows = labelled(
        ("one and the same text", ["x", "y"]),
        ("one and the same text", ["y", "x"]),
        ("another text of mine", ["x"]),
        ("another text of mine", ["x", "y"]),
    )
    examples, rejects, _ = prepare(several(write_jsonl(tmp_path / "s.jsonl", rows)), tmp_path)
    assert [row["row"] for row in examples] == [0]
    assert [(row["row"], row["reason"]) for row in rejects] == [
        (1, "duplicate"),
        (2, "conflict"),
        (3, "conflict"),
    ]
    assert rejects[2]["label"] == '["x", "y"]'


def test_dropped_labels_leave_their_texts_and_unknown_ones_do_not(tmp_path):
    rows = labelled(("one text of mine", [0, 1]), ("two texts of mine", [2]), ("three of mine", [0, 7]))
    source = several(
        write_jsonl(tmp_path / "s.jsonl", rows), labels=["login", "urgent", "refund"], drop_labels=["refund"]
    )
    examples, rejects, _ = prepare(source, tmp_path)
    assert [row["labels"] for row in examples] == [["login", "urgent"], []]
    assert [(row["row"], row["reason"]) for row in rejects] == [(2, "unknown_label")]
    assert count_labels(source) == {"login": 2, "urgent": 1}


def test_a_setting_that_names_no_label_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"`label_names` names 'logn'.*did you mean 'login'"):
        count_labels(several(write_jsonl(tmp_path / "s.jsonl", ROWS), label_names={"logn": "sign in"}))


def test_a_source_of_lists_without_the_setting_is_told_of_it(tmp_path):
    with pytest.raises(ConfigError, match="if texts have several labels, add `multi_label: true`"):
        check_source(toy_source(write_jsonl(tmp_path / "s.jsonl", ROWS[:1])))


def test_the_identity_of_records_changes_with_the_setting_and_of_others_it_does_not(tmp_path):
    file = write_jsonl(tmp_path / "s.jsonl", ROWS)
    plain, graded = toy_source(file), toy_source(file, ordinal=["a", "b"])
    assert records_stage(plain) == records_stage(graded)
    assert "multi_label" not in records_stage(plain).settings
    assert records_stage(several(file)) != records_stage(several(file, label_separator="|"))


def test_screening_keeps_the_lists(tmp_path):
    tokens, screened = tmp_path / "tokens", tmp_path / "screened"
    tokens.mkdir()
    screened.mkdir()
    schema = with_label_lists(TOKENS)
    rows = [
        {
            "source": "toy",
            "row": i,
            "text": "a",
            "label": "[]",
            "token_ids": [1],
            "segment_ids": [0],
            "labels": [i],
        }
        for i in ("0", "1")
    ]
    rows = [{**row, "row": int(row["row"])} for row in rows]
    with ShardWriter(tokens, schema) as shards:
        shards.write(pa.Table.from_pylist(rows, schema=schema))
    pq.write_table(REJECTS.empty_table(), tokens / "rejects.parquet")
    leaks = pa.table({"source": ["toy"], "row": [0], "against": ["other"], "kind": ["exact"]})
    write_screened(tokens, leaks, screened)
    assert read_shards(screened)["labels"].to_pylist() == [["1"]]


def test_a_label_without_a_place_in_the_order_is_named(tmp_path):
    file = write_jsonl(tmp_path / "s.jsonl", labelled(("a b", "bad"), ("c d", "fine"), ("e f", "good")))
    with pytest.raises(ConfigError, match=r"'fine' is not in `ordinal` \(bad, good\): put every label"):
        count_labels(toy_source(file, ordinal=["bad", "good"]))
    dropped = toy_source(file, ordinal=["bad", "good"], drop_labels=["fine"])
    assert count_labels(dropped) == {"bad": 1, "good": 1}
    listed = toy_source(file, ordinal=["bad", "good"], labels=["bad", "good"])  # others are rejected
    assert count_labels(listed) == {"bad": 1, "good": 1}
