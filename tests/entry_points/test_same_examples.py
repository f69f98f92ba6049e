"""The same file has the same examples, or the same error, through every entry point."""

import contextlib
import re

import numpy as np
import pytest

from metamapping.adaptation.inputs.inputs import read_examples
from metamapping.config.sources import Columns
from tests.entry_points.entry_points import (
    check_entry_points,
    columns_in_python,
    command_line,
    http,
    together,
)
from tests.entry_points.files import FORMATS, ODDITIES, CannotRepresentError, write

TEXTS = "text-classification"
PLACE = re.compile(r"the (text|text_pair|label) of row (\d+) \(column '.*?'\)|(text|text_pair|label) (\d+)")


def has_texts_alone(rows):
    """Whether rows have nothing that some formats cannot tell from a text."""
    return bool(rows) and all(isinstance(value, str) and value for row in rows for value in row.values())


def check_values(rows, read, task_type="text-classification"):
    """Compare the entry points that are given values with what is read from a file of these rows."""
    listed, requested = columns_in_python(rows, task_type), http(rows, task_type)
    if isinstance(listed, list):
        assert listed == read
    elif isinstance(read, str):
        # The same sentence, about the same row.
        (there, here) = (PLACE.sub("", each) for each in (read, listed))
        assert there == here
        assert int(PLACE.search(read)[2]) == int(PLACE.search(listed)[4]) + 1
    else:  # Nothing is guessed about the values of a program.
        assert "expected a string" in listed or "give one type of label" in listed
    assert requested == listed or (requested.startswith("invalid request") and isinstance(listed, str))


def written(folder, rows):
    """The path of a file of each format that can represent the rows."""
    paths = {}
    for format in FORMATS:
        with contextlib.suppress(CannotRepresentError):
            paths[format] = write(folder, format, rows)
    assert {"jsonl", "json"} < set(paths)
    return paths


@pytest.mark.parametrize("oddity", ODDITIES)
def test_every_oddity_in_every_format(tmp_path, oddity):
    rows = ODDITIES[oddity]
    names = {name for row in rows for name in row}
    columns = Columns(text_pair="text_pair") if oddity == "pairs" else None
    for format, path in written(tmp_path, rows).items():
        read = check_entry_points(path, columns)
        if format == "txt":
            assert "the suffix of 'rows.txt' does not tell its format" in read
        if format == "jsonl" and names in ({"text", "label"}, {"text", "label", "text_pair"}):
            check_values(rows, read)


@pytest.mark.parametrize("oddity", [oddity for oddity, rows in ODDITIES.items() if has_texts_alone(rows)])
def test_all_formats_have_the_same_examples(tmp_path, oddity):
    columns = Columns(text_pair="text_pair") if oddity == "pairs" else Columns()
    paths = written(tmp_path, ODDITIES[oddity])
    del paths["txt"]
    if oddity in ("line ends in texts", "huge text"):  # a cell has at most 32,767 characters, and no \r
        del paths["xlsx"]
    read = {
        str(command_line(path, columns, "text-classification")).replace(str(path), "FILE")
        for path in paths.values()
    }
    if oddity in ("missing column", "wrong column"):  # the ways out depend on the format
        read = {each.split(", but")[0] for each in read}
    assert len(read) == 1
    assert len(paths) >= 4


def test_words_and_tags_are_read_from_values_as_from_files(tmp_path):
    rows = [{"words": ["Eve", "moved"], "tags": ["B-PER", "O"]}, {"words": ["Rome"], "tags": ["B-LOC"]}]
    check_values(rows, check_entry_points(write(tmp_path, "jsonl", rows), task_type="ner"), "ner")
    rows[1]["tags"] = ["O", "O"]
    assert "1 words" in columns_in_python(rows, "ner")
    assert http(rows, "ner") == columns_in_python(rows, "ner")
    assert "1 words" in check_entry_points(write(tmp_path, "jsonl", rows), task_type="ner")


@pytest.mark.parametrize("oddity", ["plain", "pairs", *(name for name in ODDITIES if "label" in name)])
def test_scikit_learn_reads_the_same_columns(monkeypatch, oddity):
    from metamapping import sklearn

    rows = ODDITIES[oddity]
    X = [row["text"] for row in rows]
    if oddity == "pairs":
        X = np.array([[row["text"], row["text_pair"]] for row in rows])
    y = [row.get("label", row.get(" label ", row.get("LABEL"))) for row in rows]
    expected = columns_in_python([{**row, "label": label} for row, label in zip(rows, y, strict=True)], TEXTS)
    mapper = RecordingMapper()
    monkeypatch.setattr(sklearn, "_load_mapper", lambda folder: mapper)
    classifier = sklearn.MetaMappingClassifier("folder")
    own = {
        "other float labels": "Unknown label type",
        "spaces around labels": "equal when written as strings",
    }
    if oddity in own:  # what scikit-learn demands of classes
        with pytest.raises(ValueError, match=own[oddity]):
            classifier.fit(X, y)
    elif oddity == "lists of labels":  # a task with any number of labels a text
        classifier.fit(X, y)
        assert mapper.examples == together(X, y, None)
    elif isinstance(expected, str):
        with pytest.raises(ValueError, match=r"^label \d+ ") as refused:
            classifier.fit(X, y)
        assert PLACE.sub("", str(refused.value).replace(" of y", "")) == PLACE.sub("", expected)
    else:
        classifier.fit(X, y)
        assert mapper.examples == expected


class RecordingMapper:
    """Keeps the examples that it is to be adapted to."""

    def adapt(self, texts, labels, *, text_pairs, multi_label=None, **others):
        examples = read_examples(texts, labels, text_pairs=text_pairs, multi_label=multi_label)
        self.examples = together(examples.texts, examples.labels, examples.text_pairs)
