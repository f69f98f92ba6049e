"""Label counts: rows are counted by label before anything is prepared."""

import pytest

from metamapping.config.sources import Source
from metamapping.corpus import label_counts
from metamapping.corpus.label_counts import count_labels
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, prepare, toy_source, write_jsonl


def source(file, **changes):
    defaults = {"task_type": "text-classification", "role": "train"}
    return Source(name="s", files=[str(file)], **{**defaults, **changes})


def test_rows_are_counted_by_label_except_unlabelled_and_dropped_ones(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("text,label\na,x\nb,x\nc,y\nd,\ne,z\n")
    assert count_labels(source(file, drop_labels=["z"])) == {"x": 2, "y": 1}


def test_sentences_are_counted_by_their_entity_types(tmp_path):
    file = tmp_path / "s.conll"
    file.write_text("a B-x\nb B-x\n\nc B-y\nd B-x\n\ne O\n")
    assert count_labels(source(file, task_type="ner")) == {"x": 2, "y": 1}


def test_a_source_that_is_too_long_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(label_counts, "MAX_ROWS", 1)
    file = tmp_path / "s.csv"
    file.write_text("text,label\na,x\nb,x\n")
    assert count_labels(source(file)) is None


STARS = "text,stars\nawful thing,1.0\nbroke at once,1.0\nlovely,5.0\nlove it,5\nno stars,\n"


def test_numbers_are_counted_by_value(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text(STARS)
    named = source(file, columns={"label": "stars"}, label_names={"1": "terrible", "5.0": "great"})
    assert count_labels(named) == {"1": 2, "5": 2}
    rows, rejects, _ = prepare(named, tmp_path)
    assert [row["label"] for row in rows] == ["1", "1", "5", "5"]
    assert [row["reason"] for row in rejects] == ["missing_label"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_names": {"3": "fair"}}, r"'s': `label_names` names '3'.* its labels are '1', '5'"),
        ({"drop_labels": ["4", "6"]}, "`drop_labels` names '4', '6', but the source has no such label"),
        ({"labels": ["1", "fife"]}, "`labels` names 'fife'"),
        (
            {"role": None, "label_roles": {"train": ["1"], "test": ["2.5"]}},
            r"`label_roles\.test` names '2\.5'.* its labels are '1', '5'",
        ),
    ],
)
def test_a_setting_of_a_label_that_the_source_does_not_have_is_refused(tmp_path, settings, message):
    file = tmp_path / "s.csv"
    file.write_text(STARS)
    with pytest.raises(ConfigError, match=message):
        count_labels(source(file, columns={"label": "stars"}, **settings))


def test_labels_may_list_more_than_occur_and_are_indexed_by_numbers(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("text,label\na,0\nb,1.0\nc,9\n")
    assert count_labels(source(file, labels=["no", "yes", "9"])) == {"no": 1, "yes": 1, "9": 1}
    assert count_labels(source(file, labels=["no", "yes", "9", "more"], label_names={"no": "refused"}))


def test_settings_of_entity_types_are_checked(tmp_path):
    file = tmp_path / "s.conll"
    file.write_text("a B-x\nb I-x\n\nc B-y\n")
    assert count_labels(source(file, task_type="ner", labels=["O", "B-x", "I-x", "B-y", "I-y"]))
    with pytest.raises(ConfigError, match=r"`label_names` names 'z'.* its labels are 'x', 'y'"):
        count_labels(source(file, task_type="ner", label_names={"z": "town"}))


def test_labels_of_long_sources_are_checked_when_they_are_prepared(tmp_path):
    file = write_jsonl(tmp_path / "s.jsonl", labelled(("one text", "x"), ("another text", "y")))
    with pytest.raises(ConfigError, match="`drop_labels` names 'z'"):
        prepare(toy_source(file, drop_labels=["z"]), tmp_path)


def test_a_list_of_labels_is_unwrapped_or_rejected_with_its_reason(tmp_path):
    labels = [["login"], ["login", "urgent"], "login", [], {"name": "login"}, ["refund"], ["refund"]]
    rows = labelled(*((f"text number {i} of them", label) for i, label in enumerate(labels)))
    lists = toy_source(write_jsonl(tmp_path / "s.jsonl", rows), label_names={"refund": "money back"})
    assert count_labels(lists) == {"login": 2, "refund": 2}
    examples, rejects, _ = prepare(lists, tmp_path)
    assert [row["label"] for row in examples] == ["login", "login", "refund", "refund"]
    assert [(row["row"], row["reason"], row["label"]) for row in rejects] == [
        (1, "not_one_label", '["login", "urgent"]'),
        (3, "not_one_label", "[]"),
        (4, "not_one_label", '{"name": "login"}'),
    ]


def test_a_source_of_label_lists_alone_is_refused(tmp_path):
    rows = labelled(("one text", ["x", "y"]), ("another text", ["y", "z"]))
    with pytest.raises(ConfigError, match=r"the first is \[\"x\", \"y\"\].*add `multi_label: true`"):
        check_source(toy_source(write_jsonl(tmp_path / "s.jsonl", rows)))
