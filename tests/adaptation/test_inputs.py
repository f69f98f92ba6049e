"""Inputs: all kinds of columns and tables are read alike; invalid values are rejected with their row."""

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.adaptation.inputs.inputs import (
    read_examples,
    read_label_names,
    read_labels,
    read_texts,
    read_word_lists,
)
from metamapping.config.sources import Columns

TEXTS = ["it never came", "thanks!", "a refund please"]
LABELS = ["complaint", "praise", "complaint"]
TABLE = {"text": TEXTS, "label": LABELS, "text_pair": ["a", "b", "c"], "body": TEXTS[::-1]}
WORDS, TAGS = [["anna", "lives"], ["bob"]], [["B-PER", "O"], ["B-PER"]]

COLUMNS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.asarray,
    "numpy objects": lambda values: np.asarray(values, dtype=object),
    "pandas": pd.Series,
    "pandas, other index": lambda values: pd.Series(values, index=[7, 8, 9]),
    "pandas categories": lambda values: pd.Series(values, dtype="category"),
    "arrow": pa.array,
    "arrow, chunked": lambda values: pa.chunked_array([values[:1], values[1:]]),
    "arrow dictionary": lambda values: pa.array(values).dictionary_encode(),
    "datasets": lambda values: datasets.Dataset.from_dict({"x": values})["x"],
}
TABLES = {
    "pandas": pd.DataFrame,
    "arrow": pa.table,
    "datasets": datasets.Dataset.from_dict,
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_every_kind_of_column_is_read_alike(column):
    examples = read_examples(column(TEXTS), column(LABELS), text_pairs=column(TEXTS))
    assert examples == (TEXTS, LABELS, TEXTS)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_kind_of_table_is_read_alike(table):
    assert read_examples(table(TABLE)) == (TEXTS, LABELS, ["a", "b", "c"])
    named = read_examples(table(TABLE), columns=Columns(text="body", label="text_pair"))
    assert named == (TEXTS[::-1], ["a", "b", "c"], None)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_entities_are_read_from_every_kind_of_table(table):
    examples = read_examples(table({"text": WORDS, "tags": TAGS}), task_type="ner")
    assert examples == (WORDS, TAGS, None)


def test_class_numbers_are_read_as_class_names():
    kinds = datasets.ClassLabel(names=["praise", "complaint"])
    table = datasets.Dataset.from_dict(
        {"text": TEXTS, "label": [1, 0, 1]},
        features=datasets.Features({"text": datasets.Value("string"), "label": kinds}),
    )
    assert read_examples(table).labels == LABELS
    assert read_examples(table["text"], table["label"]).labels == LABELS


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ([["S-PER", "O"], ["U-PER"]], [["B-PER", "O"], ["B-PER"]]),
        ([["PER", "O"], ["PER"]], [["B-PER", "O"], ["B-PER"]]),
        ([["B", "I"], ["B"]], [["B-entity", "I-entity"], ["B-entity"]]),
    ],
)
def test_tags_of_any_scheme_are_read_as_bio(tags, bio):
    assert read_examples(WORDS, tags, task_type="ner").labels == bio


def test_tags_that_fit_no_scheme_are_rejected_with_their_row():
    with pytest.raises(ValueError, match="text 1 has the tag 'o': outside of entities is written 'O'"):
        read_examples(WORDS, [["B-PER", "O"], ["o"]], task_type="ner")
    with pytest.raises(ValueError, match=r"text 0 has the tag 3: .*name the numbers"):
        read_examples(WORDS, [[3, 0], [3]], task_type="ner")


def test_tag_numbers_are_read_as_tag_names():
    tags = datasets.List(datasets.ClassLabel(names=["O", "B-PER"]))
    words = datasets.List(datasets.Value("string"))
    table = datasets.Dataset.from_dict(
        {"text": WORDS, "tags": [[1, 0], [1]]}, features=datasets.Features({"text": words, "tags": tags})
    )
    assert read_examples(table, task_type="ner").labels == TAGS


LABELS_BY_TYPE = {
    "integers": ([1, 0, 1], [1, 0, 1]),
    "numpy": (np.asarray([1, 0, 1]), [1, 0, 1]),
    "numpy objects": (np.asarray([np.int64(1), np.int8(0), 1], dtype=object), [1, 0, 1]),
    "numpy scalars": ((np.int64(1), np.uint8(0), np.int32(1)), [1, 0, 1]),
    "pandas": (pd.Series([1, 0, 1], dtype="Int64"), [1, 0, 1]),
    "pandas categories": (pd.Series([1, 0, 1], dtype="category"), [1, 0, 1]),
    "arrow": (pa.array([1, 0, 1], pa.int8()), [1, 0, 1]),
    "whole floats": (pd.Series([1.0, 0.0, 1.0]), [1, 0, 1]),
    "numbers": ([1, 0.5, np.float32(2)], [1, 0.5, 2]),
    "booleans": ([True, False, True], [True, False, True]),
    "numpy booleans": (np.asarray([True, False]), [True, False]),
    "pandas booleans": (pd.Series([True, False], dtype="boolean"), [True, False]),
    "strings": (np.asarray(["1", " b"]), ["1", "b"]),
}


@pytest.mark.parametrize(("labels", "expected"), LABELS_BY_TYPE.values(), ids=LABELS_BY_TYPE)
def test_labels_keep_their_type(labels, expected):
    read = read_labels(labels)
    assert read == expected
    assert [type(label) for label in read] == [type(label) for label in expected]


def test_the_keys_of_label_names_are_compared_as_text():
    for key in (1, 1.0, np.int64(1), "1"):
        assert read_label_names({key: "great"}) == {"1": "great"}
    assert read_label_names({np.True_: "yes"}) == {"true": "yes"}


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT])
def test_missing_values_are_rejected_with_their_row(missing):
    with pytest.raises(ValueError, match="text 1 is missing"):
        read_texts(["a", missing])
    with pytest.raises(ValueError, match="text_pair 1 is missing"):
        read_texts(["a", "b"], ["a", missing])
    with pytest.raises(ValueError, match="label 1 is missing"):
        read_labels(["a", missing])


@pytest.mark.parametrize("column", [pd.Series(["a", None]), pa.array(["a", None]), np.array(["a", None])])
def test_missing_values_of_any_column_are_rejected_with_their_row(column):
    with pytest.raises(ValueError, match="text 1 is missing"):
        read_texts(column)


def test_mixed_values_are_rejected_with_their_row():
    with pytest.raises(ValueError, match="text 1 is 3: expected a string"):
        read_texts(["a", 3])
    with pytest.raises(ValueError, match="label 2 is 1 but label 0 is 'a': give one type of label"):
        read_labels(["a", "b", 1])
    with pytest.raises(ValueError, match="label 1 is 1 but label 0 is True: give one type of label"):
        read_labels([True, 1])
    with pytest.raises(ValueError, match="label 1 is inf: expected a string or a number"):
        read_labels([1.0, float("inf")])
    with pytest.raises(ValueError, match="label 1 is ' ': expected a string or a number"):
        read_labels(["a", " "])


def test_labels_have_one_spelling():
    assert read_labels(["1.0", "5", " 1"]) == ["1", "5", "1"]
    assert read_label_names({1.0: "bad", "5.0": "great"}) == {"1": "bad", "5": "great"}
    with pytest.raises(ValueError, match="label_names: two keys are the label '1'"):
        read_label_names({1: "bad", "1.0": "worst"})


@pytest.mark.parametrize("column", [[["a"], "b"], pd.Series([["a"], ["b"]]), pa.array([["a"], ["b"]])])
def test_a_list_of_one_label_is_unwrapped(column):
    assert read_labels(column) == ["a", "b"]


@pytest.mark.parametrize("value", [["a", "b"], [], ("a", "b"), np.array(["a", "b"])])
def test_several_labels_of_one_text_are_rejected_with_their_row(value):
    with pytest.raises(
        ValueError, match=r"label 1 is \[.*several labels for one text need a multi-label task"
    ):
        read_labels(["a", value])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one text", ["x"]), "texts is str 'one text': expected a list or a column"),
        ((iter(TEXTS), LABELS), "texts is list_iterator"),
        ((np.asarray([TEXTS]), LABELS), "texts has 2 dimensions: expected one column"),
        ((TEXTS,), r"no labels: give one for each text, or use zero_shot\(labels\)"),
        ((TEXTS, pd.DataFrame({"a": LABELS})), "labels is a whole table: give one of its columns"),
        ((pd.DataFrame(TABLE), LABELS), "a table contains its labels"),
        ((pd.DataFrame({"x": TEXTS}),), "has no column 'text'; it has x: name the right one"),
        ((datasets.DatasetDict({"train": datasets.Dataset.from_dict(TABLE)}),), r"several splits \(train\)"),
    ],
)
def test_invalid_examples_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        read_examples(*arguments)


def test_columns_without_a_table_are_rejected():
    with pytest.raises(ValueError, match="columns are for tables"):
        read_examples(TEXTS, LABELS, columns=Columns(text="text"))


@pytest.mark.parametrize("words", ["anna lives", ["anna", None], 3])
def test_an_invalid_list_of_words_is_rejected_with_its_row(words):
    with pytest.raises(ValueError, match=r"text 1 is .*: for ner a text is a list of words"):
        read_word_lists([["bob"], words])


def test_unpaired_surrogates_are_joined_or_replaced():
    assert read_texts(["\ud83d\ude42", "a \ud83d"])[0] == ["🙂", "a \ufffd"]
    assert read_word_lists([["\ud83d"]]) == [["\ufffd"]]
    assert read_labels(["\ud83d", "b"]) == ["\ufffd", "b"]


@pytest.mark.parametrize("as_file", [False, True])
def test_a_column_of_0_and_1_for_each_label_is_a_list_of_labels(tmp_path, as_file):
    table = pa.table({"body": ["a b", "c d", "e f"], "toxic": [1, 1, 0], "insult": [0, 1, 0]})
    path = tmp_path / "examples.parquet"
    pq.write_table(table, path)
    columns = Columns(text="body", label_columns=["toxic", "insult"])
    examples = read_examples(path if as_file else table, columns=columns, multi_label=None)
    assert examples.texts == ["a b", "c d", "e f"]
    assert examples.labels == [["toxic"], ["toxic", "insult"], []]
    wrong = Columns(text="body", label_columns=["toxic", "insolt"])
    with pytest.raises(ValueError, match="no column 'insolt'"):
        read_examples(path if as_file else table, columns=wrong, multi_label=None)
