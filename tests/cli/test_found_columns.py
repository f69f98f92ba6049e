"""Columns that no option names: found where there is one choice, and never where there are two."""

import pytest

from metamapping.cli.found_columns import found_columns
from metamapping.cli.reading import Reading


def rows_of(*columns):
    """Rows in which the first column has texts and the others have two different values."""
    return [
        {name: f"row {i} is a text" if place == 0 else f"v{i % 2}" for place, name in enumerate(columns)}
        for i in range(8)
    ]


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (["text", "label"], {}, ("text", "label")),
        (["utterance", "intent"], {}, ("utterance", "intent")),
        (["utterance", "intent"], {"label": "intent"}, ("utterance", "intent")),
        (["headline", "section"], {}, ("headline", "section")),  # by the values
        (["id", "comment", "sentiment"], {}, ("comment", "sentiment")),
        (["request"], {}, ("request", None)),
        (["request", "prediction", "confidence"], {}, ("request", None)),
        (["foo", "text", "prediction"], {}, ("text", "foo")),
        (["foo", "bar", "baz"], {}, (None, None)),
        (["foo", "bar", "baz"], {"label": "baz"}, (None, "baz")),
        (["body", "title", "label"], {}, (None, "label")),  # both are usual names of texts
        (["question1", "question2", "label"], {}, (None, "label")),  # pairs
        (["utterance", "text_pair", "label"], {}, ("utterance", "label")),
    ],
)
def test_columns_are_found_where_there_is_one_choice(names, given, expected):
    given = {"text": None, "label": None, **given}

    assert found_columns(names, rows_of(*names), **given) == expected


def test_two_columns_of_texts_are_not_told_apart_by_their_values():
    rows = [{"foo": f"the first {i} text", "bar": f"the second {i} text"} for i in range(8)]

    assert found_columns(["foo", "bar"], rows, text=None, label=None) == (None, None)


def test_a_file_is_read_with_the_columns_that_were_found(tmp_path, capsys):
    file = tmp_path / "examples.csv"
    file.write_text("id,utterance,intent\n1,where is it,track\n2,send it back,return\n", encoding="utf-8")
    reading = Reading()
    records, rows = reading.rows(str(file))

    fields = reading.fields("text-classification", records, rows, labels=True)

    assert fields.texts(rows) == ["where is it", "send it back"]
    assert fields.labels(rows) == ["track", "return"]
    assert "texts from column 'utterance' (--text) and labels from column 'intent'" in capsys.readouterr().err


def test_a_second_text_is_read_next_to_a_column_that_was_found(tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"utterance": "a", "text_pair": "b", "label": "x"}\n', encoding="utf-8")
    reading = Reading()
    records, rows = reading.rows(str(file))

    fields = reading.fields("text-classification", records, rows, labels=True)

    assert (fields.texts(rows), fields.text_pairs(rows)) == (["a"], ["b"])


def test_a_named_column_and_the_default_are_not_announced(tmp_path, capsys):
    file = tmp_path / "examples.csv"
    file.write_text("text,kind\nwhere is it,track\n", encoding="utf-8")
    reading = Reading(label="kind")
    records, rows = reading.rows(str(file))

    reading.fields("text-classification", records, rows, labels=True)

    assert capsys.readouterr().err == ""


def test_the_hint_for_a_missing_column_is_no_column_that_has_another_use(tmp_path):
    file = tmp_path / "examples.csv"
    file.write_text("tex1,foo,intent\na,b,c\n", encoding="utf-8")
    reading = Reading(text="inten", label="intent")
    records, rows = reading.rows(str(file))
    fields = reading.fields("text-classification", records, rows, labels=True)

    with pytest.raises(ValueError, match="has no column 'inten'") as error:
        fields.texts(rows)
    assert "did you mean 'intent'" not in str(error.value)


@pytest.mark.parametrize(
    "lines",
    ["2,the team won the cup\n3,shares fell\n2,a goal\n", "sport,they won\nnews,it fell\nsport,a goal\n"],
)
def test_the_first_row_of_a_file_without_a_header_is_no_name(tmp_path, lines):
    file = tmp_path / "examples.csv"
    file.write_text(lines, encoding="utf-8")
    reading = Reading()
    records, rows = reading.rows(str(file))
    fields = reading.fields("text-classification", records, rows, labels=True)

    with pytest.raises(ValueError, match=r"has no column 'text'.*--no-header"):
        fields.texts(rows)


def test_a_single_text_without_a_header_is_no_name(tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("the team won the cup\nshares fell today\n", encoding="utf-8")
    reading = Reading()

    with reading.open(str(file)) as records:
        fields = reading.fields("text-classification", records)

    assert fields.text_column is None


def test_columns_without_a_name_are_none_of_those_that_are_left(tmp_path):
    file = tmp_path / "examples.csv"
    rows = ["refund,please refund me", "delivery,where is it", "refund,my money", "delivery,it is late"]
    file.write_text("v1,v2,,\n" + "".join(f"{row},,\n" for row in rows), encoding="utf-8")
    reading = Reading()
    records, read = reading.rows(str(file))

    fields = reading.fields("text-classification", records, read, labels=True)

    assert (fields.text_column, fields.label_column) == ("v2", "v1")
