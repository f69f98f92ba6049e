"""The commands on texts that have any number of labels."""

import csv
import json

import pytest

from metamapping import Mapping
from tests.cli.command import run_cli

ROWS = [
    ("where is my parcel", ["delivery"]),
    ("the delivery is late, hurry", ["delivery", "urgent"]),
    ("i want my money back", ["refund"]),
    ("please refund the order, hurry", ["refund", "urgent"]),
    ("thank you", []),
]


def write_jsonl(path):
    path.write_text("".join(json.dumps({"text": t, "label": labels}) + "\n" for t, labels in ROWS))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def task(folder, published):
    examples = write_jsonl(folder / "examples.jsonl")
    assert run_cli("adapt", published, examples, "--out", folder / "task") == 0
    return folder / "task"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_lists_in_jsonl_are_labels(task):
    mapping = Mapping.load(task)
    assert mapping.is_multi_label
    assert mapping.labels == ("delivery", "urgent", "refund")
    assert mapping.num_examples == 5


def test_a_separator_in_csv_gives_the_same_task(task, folder, published):
    with (folder / "examples.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((t, "|".join(labels)) for t, labels in ROWS)])
    options = ("--label-separator", "|", "--out", folder / "separated")
    assert run_cli("adapt", published, folder / "examples.csv", *options) == 0
    texts = [text for text, _ in ROWS]
    separated = Mapping.load(folder / "separated")
    assert separated.labels == Mapping.load(task).labels
    assert (separated.predict_proba(texts) == Mapping.load(task).predict_proba(texts)).all()


def test_a_column_of_0_and_1_for_each_label_gives_the_same_task(task, folder, published, capsys):
    names = ("delivery", "urgent", "refund")
    path = folder / "indicated.csv"
    with path.open("w", newline="") as file:
        rows = ((text, *(int(name in labels) for name in names)) for text, labels in ROWS)
        csv.writer(file).writerows([("comment", *names), *rows])
    assert run_cli("adapt", published, path, "--out", folder / "none") == 2
    assert "--label-columns" in capsys.readouterr().err
    options = ("--label-columns", ",".join(names))
    assert run_cli("adapt", published, path, *options, "--out", folder / "indicated") == 0
    texts = [text for text, _ in ROWS]
    indicated = Mapping.load(folder / "indicated")
    assert indicated.labels == Mapping.load(task).labels
    assert (indicated.predict_proba(texts) == Mapping.load(task).predict_proba(texts)).all()
    assert run_cli("evaluate", task, path, *options, "--json") == 0
    assert run_cli("evaluate", task, path, *options, "--label", "urgent") == 2
    assert "cannot be combined" in capsys.readouterr().err


def test_rows_without_a_label_are_left_out_if_asked(folder, published, capsys):
    path = folder / "gaps.csv"
    path.write_text("text,label\nwhere is it,delivery\nwhat now,\nmoney back,refund\nhm,  \n")
    assert run_cli("adapt", published, path, "--out", folder / "gaps") == 2
    assert "row 2" in (told := capsys.readouterr().err)
    assert "--skip-unlabelled" in told
    assert run_cli("adapt", published, path, "--skip-unlabelled", "--out", folder / "gaps") == 0
    told = capsys.readouterr().err
    assert "note: 2 rows without a label left out: row 2, 4" in told
    assert "2 examples of 2 labels" in told
    assert run_cli("evaluate", folder / "gaps", path, "--skip-unlabelled", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2


def test_messages_have_the_numbers_that_rows_have_in_the_file(folder, published, capsys):
    path = folder / "numbers.jsonl"
    rows = [{"text": "a"}, {"text": "b", "label": "x"}, {"text": "c", "label": {"y": 1}}]
    path.write_text("\n".join(map(json.dumps, rows)))
    options = ("--skip-unlabelled", "--out", folder / "numbers")
    assert run_cli("adapt", published, path, *options) == 2
    assert "the label of row 3 (column 'label')" in capsys.readouterr().err
    rows[2] = {"text": " ", "label": "y"}
    rows[1]["answer"] = "reject"
    path.write_text("\n".join(map(json.dumps, [*rows, rows[2] | {"text": "d"}, {"text": "e", "label": "z"}])))
    assert run_cli("adapt", published, path, *options) == 0
    told = capsys.readouterr().err
    assert "1 row left out: not accepted" in told
    assert "1 row without a label left out: row 1\n" in told
    assert "1 rows have no text and are left out: row 3\n" in told


def test_a_first_row_without_any_indicator_is_left_out_if_asked(folder, published, capsys):
    path = folder / "blank-first.csv"
    path.write_text("text,late,lost\nhello,,\nwhere is it,1,0\ngone,0,1\n")
    options = ("--label-columns", "late,lost", "--out", folder / "blank-first")
    assert run_cli("adapt", published, path, *options) == 2
    assert run_cli("adapt", published, path, *options, "--skip-unlabelled") == 0
    assert "note: 1 row without a label left out: row 1" in capsys.readouterr().err


def test_labels_that_look_separated_are_named_before_they_are_read(folder, published, capsys):
    path, rows = folder / "joined.csv", ["login|urgent", "refund|urgent", "login", "refund", ""]
    path.write_text("\n".join(["text,label", *(f"text {i},{label}" for i, label in enumerate(rows))]))
    assert run_cli("adapt", published, path, "--out", folder / "joined") == 2  # the last text has no label
    assert "such as 'login|urgent' look like several labels of one text" in (told := capsys.readouterr().err)
    assert "give --label-separator '|'" in told
    assert run_cli("adapt", published, path, "--label-separator", "|", "--out", folder / "joined") == 0
    assert "look like several" not in capsys.readouterr().err


def test_predictions_are_lists(task, folder):
    (folder / "new.csv").write_text('id,text\n7,"the parcel, again"\n8,\n')
    assert run_cli("predict", task, folder / "new.csv", "--out", folder / "new-out.csv", "--proba") == 0
    rows = rows_of(folder / "new-out.csv")
    assert list(rows[0]) == ["id", "text", "prediction", "confidence", "probabilities"]
    assert json.loads(rows[0]["prediction"]) == Mapping.load(task).predict(["the parcel, again"])[0]
    assert set(json.loads(rows[0]["probabilities"])) == {"delivery", "urgent", "refund"}
    assert rows[1]["prediction"] == "[]"
    options = ("--out", folder / "out.jsonl", "--threshold", "0")
    assert run_cli("predict", task, folder / "new.csv", *options) == 0
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [line["prediction"] for line in lines] == [["delivery", "urgent", "refund"], []]


def test_inspect_says_that_texts_have_several_labels(task, capsys):
    assert run_cli("inspect", task, "--json") == 0
    assert json.loads(capsys.readouterr().out)["multi_label"] is True


def test_evaluate_measures_lists(task, folder, capsys):
    errors = folder / "errors.jsonl"
    assert run_cli("evaluate", task, folder / "examples.jsonl", "--json", "--errors", errors) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert set(scores) == {"macro-F1", "micro-F1", "subset accuracy"}
    predicted = Mapping.load(task).predict([text for text, _ in ROWS])
    wrong = [text for (text, gold), found in zip(ROWS, predicted, strict=True) if set(gold) != set(found)]
    lines = [json.loads(line) for line in errors.read_text().splitlines()]
    assert sorted(line["text"] for line in lines) == sorted(wrong)
    assert run_cli("evaluate", task, "--json", "--errors", folder / "own.csv") == 0
    assert set(json.loads(capsys.readouterr().out)["scores"]) == set(scores)


def test_labels_are_checked_and_texts_suggested(task, folder, published, capsys):
    examples = folder / "examples.jsonl"
    out = folder / "suspicious.csv"
    assert run_cli("check-labels", published, examples, "--num", 2, "--out", out) == 0
    assert "2 suspicious labels in 5 rows" in capsys.readouterr().out
    for row in rows_of(out):
        assert isinstance(json.loads(row["suggested"]), list)
        assert isinstance(json.loads(row["label"]), list)
    assert run_cli("report", task, "--html", folder / "page.html") == 0
    assert "Suspicious labels" in (folder / "page.html").read_text()
    capsys.readouterr()
    pool = folder / "pool.jsonl"
    pool.write_text(json.dumps({"text": "is the parcel late, hurry"}) + "\n")
    assert run_cli("suggest", task, pool) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["prediction"], list)
    for tool in ("label-studio", "argilla"):
        assert run_cli("suggest", task, pool, "--for", tool, "--out", folder / "tool.json") == 0
        (written,) = json.loads((folder / "tool.json").read_text())
        if tool == "argilla":
            assert isinstance(written["suggestions"]["label"]["value"], list)
        else:
            found = written["predictions"][0]["result"]
            assert all(each["type"] == "choices" for each in found)


def test_any_label_is_explained(task, capsys):
    text = "where is my parcel, hurry"
    assert run_cli("explain", task, text, "--label", "urgent", "--json") == 0
    assert json.loads(capsys.readouterr().out)["label"] == "urgent"
    assert run_cli("explain", task, text, "--label", "refund") == 0
    assert "delivery, urgent" in capsys.readouterr().out
    assert run_cli("explain", task, text, "--label", "x") == 2
    assert "there is no label 'x' to explain; labels: delivery, urgent, refund" in capsys.readouterr().err


def test_what_does_not_exist_is_refused_in_one_sentence(task, folder, published, capsys):
    examples = folder / "examples.jsonl"
    options = ("--task-type", "ner", "--multi-label", "--out", folder / "x")
    assert run_cli("adapt", published, examples, *options) == 2
    assert "several labels are for texts, but ner labels words" in capsys.readouterr().err
    ner = ("--task-type", "ner", "--multi-label")
    assert run_cli("check-labels", published, examples, *ner) == 2
    assert "several labels are for texts, but ner labels words" in capsys.readouterr().err
    assert run_cli("export", task, folder / "x.onnx") == 2
    assert "only tasks of one label a text can be exported" in capsys.readouterr().err
