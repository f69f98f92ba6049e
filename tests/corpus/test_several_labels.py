"""Sources whose texts have several labels, and sources with grades: from rows to examples and counts."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.corpus.label_counts import count_labels, list_rows_hint
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


INDICATED = "text,Toxic,insult\nyou are bad,1,0\nyou fool,TRUE,1.0\nhave a nice day,0,false\n"


def write_indicated(folder, name):
    """The same rows in a format: a column of 0 and 1 for each of two labels."""
    table = pa.table(
        {"text": ["a b c", "d e f", "g h i"], "Toxic": [1, 1, 0], "insult": [False, True, False]}
    )
    file = folder / name
    if name.endswith("parquet"):
        pq.write_table(table, file)
    elif name.endswith("jsonl"):
        write_jsonl(file, table.to_pylist())
    else:
        file.write_text(INDICATED)
    return file


@pytest.mark.parametrize("name", ["s.csv", "s.parquet", "s.jsonl"])
def test_a_column_of_0_and_1_for_each_label_is_a_list_of_labels(tmp_path, name):
    file = write_indicated(tmp_path, name)
    source = several(file, columns={"label_columns": ["toxic", "insult"]})
    check_source(source)
    assert [row["labels"] for row in records_of(source)] == [["toxic"], ["toxic", "insult"], []]
    assert count_labels(source) == {"toxic": 2, "insult": 1}


def test_with_one_label_a_text_exactly_one_column_is_1(tmp_path):
    source = toy_source(write_indicated(tmp_path, "s.csv"), columns={"label_columns": ["toxic", "insult"]})
    _, rejects, _ = prepare(source, tmp_path)
    assert [(row["row"], row["reason"]) for row in rejects] == [(1, "not_one_label"), (2, "not_one_label")]


def test_another_value_than_0_and_1_is_rejected_and_named(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("text,a,b\none two three,1,0\nfour five six,2,0\nseven eight nine,,1\n")
    source = several(file, columns={"label_columns": ["a", "b"]})
    _, rejects, _ = prepare(source, tmp_path)
    assert [(row["row"], row["reason"]) for row in rejects] == [(1, "malformed_row"), (2, "malformed_row")]
    file.write_text("text,a,b\none two three,maybe,0\n")
    with pytest.raises(
        ConfigError, match="line 2: the label is 'maybe' for 'a': a column of `label_columns`"
    ):
        check_source(source)


def test_columns_of_labels_that_cannot_be_read_are_named(tmp_path):
    file = write_indicated(tmp_path, "s.csv")
    with pytest.raises(
        ConfigError, match=r"no column 'insutl'.*did you mean 'insult'.*`columns.label_columns`"
    ):
        check_source(several(file, columns={"label_columns": ["toxic", "insutl"]}))
    with pytest.raises(
        ConfigError, match=r"or `columns.label_columns` \(--label-columns\) if each label has a"
    ):
        check_source(several(file))
    for wrong, message in (
        ({"columns": {"label_columns": ["a"]}}, "at least two"),
        ({"columns": {"label_columns": ["a", "b", "a"]}}, "'a' twice"),
        ({"columns": {"label_columns": ["a", "b"], "label": "c"}}, "drop one"),
        ({"columns": {"label_columns": ["a", "b"]}, "header": False}, "the columns' names are the labels"),
        ({"columns": {"label_columns": ["a", "b"]}, "label_separator": "|"}, "a column of its own"),
    ):
        with pytest.raises(ValueError, match=message):
            several(file, **wrong)


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


def test_rows_with_lists_are_counted_where_a_text_has_one_label(tmp_path):
    rows = labelled(("sign in", ["login"]), ("hurry", ["login", "urgent"]), ("refund me", ["refund"]))
    file = write_jsonl(tmp_path / "s.jsonl", rows)
    assert list_rows_hint(toy_source(file)).startswith("; 1 of its rows has a list of several labels")
    assert list_rows_hint(several(file)) == ""


def test_a_label_without_a_place_in_the_order_is_named(tmp_path):
    file = write_jsonl(tmp_path / "s.jsonl", labelled(("a b", "bad"), ("c d", "fine"), ("e f", "good")))
    with pytest.raises(ConfigError, match=r"'fine' is not in `ordinal` \(bad, good\): put every label"):
        count_labels(toy_source(file, ordinal=["bad", "good"]))
    dropped = toy_source(file, ordinal=["bad", "good"], drop_labels=["fine"])
    assert count_labels(dropped) == {"bad": 1, "good": 1}
    listed = toy_source(file, ordinal=["bad", "good"], labels=["bad", "good"])  # others are rejected
    assert count_labels(listed) == {"bad": 1, "good": 1}
