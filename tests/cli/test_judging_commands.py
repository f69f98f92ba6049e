"""The commands that judge: how good a task is, which labels are wrong, and what to label next."""

import csv
import io
import json

import pytest

from metamapping import Mapping, MetaMapper
from tests.cli.command import run_cli
from tests.cli.toy_files import EXAMPLES, rows_of


def test_evaluate_counts_correct_predictions(folder, task, capsys):
    (folder / "test.csv").write_text(EXAMPLES + "the delivery is late,refund\n")
    assert run_cli("evaluate", task, folder / "test.csv", "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["rows"] == 5
    assert measured["scores"]["accuracy"]["mean"] == pytest.approx(0.8)
    assert measured["labels"][1] == {
        "label": "refund",
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
        "count": 3,
    }
    assert run_cli("evaluate", task, folder / "test.csv") == 0
    assert "accuracy  0.800" in capsys.readouterr().out


def test_evaluate_without_a_file_leaves_each_example_out(task, capsys):
    assert run_cli("evaluate", task, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    result = Mapping.load(task).cross_validate()
    assert printed["rows"] == 4
    assert printed["scores"]["accuracy"]["mean"] == result.scores.scores["accuracy"].mean
    assert run_cli("evaluate", task) == 0
    assert "4 examples, each left out" in capsys.readouterr().out


def test_a_task_without_test_rows_says_how_many_labels_have_one_example(folder, published, capsys):
    (folder / "alone.csv").write_text(
        "text,label\nwhere is it,delivery\nis it late,delivery\nhello,greeting\n"
    )
    assert run_cli("adapt", published, folder / "alone.csv", "--out", folder / "alone") == 0
    assert run_cli("evaluate", folder / "alone") == 0
    assert "note: 1 of 2 labels have one example" in capsys.readouterr().err


def test_unknown_labels_are_reported(folder, task, capsys):
    (folder / "other.csv").write_text(EXAMPLES + "hello there,greeting\n")
    assert run_cli("evaluate", task, folder / "other.csv") == 0
    assert "the task does not know greeting" in capsys.readouterr().err


def test_files_are_compared_with_numeric_labels_of_the_library_as_text(folder, published, capsys):
    texts = [row["text"] for row in csv.DictReader(io.StringIO(EXAMPLES))]
    MetaMapper.from_pretrained(published).adapt(texts, [1, 1, 0, 0]).save(folder / "numbers")
    (folder / "numbers.csv").write_text(f"text,label\n{texts[0]},1\n{texts[2]},0\n")
    assert run_cli("evaluate", folder / "numbers", folder / "numbers.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"]["accuracy"]["mean"] == 1
    assert run_cli("predict", folder / "numbers", folder / "numbers.csv", "--proba") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["prediction"] for row in rows] == [1, 0]
    assert list(rows[0]["probabilities"]) == ["1", "0"]


def test_errors_are_written_with_the_examples_they_rest_on(folder, task, capsys):
    (folder / "wrong.csv").write_text(
        "id,text,label\n1,where is my parcel,refund\n2,the delivery is late,delivery\n"
    )
    assert run_cli("evaluate", task, folder / "wrong.csv", "--errors", folder / "errors.jsonl") == 0
    (error,) = map(json.loads, (folder / "errors.jsonl").read_text().splitlines())
    assert (error["id"], error["label"], error["prediction"]) == ("1", "refund", "delivery")
    assert 0 < error["probability"] <= 1
    assert error["similar"][0]["text"] == "where is my parcel"
    assert "refund  delivery" in " ".join(capsys.readouterr().out.split("\n")[-3:])
    assert run_cli("evaluate", task, folder / "wrong.csv", "--errors", folder / "errors.csv") == 0
    assert [row["id"] for row in rows_of(folder / "errors.csv")] == ["1"]


def test_errors_of_the_left_out_examples_are_written(folder, ner_task, capsys):
    assert run_cli("evaluate", ner_task, "--errors", folder / "left-out.jsonl", "--json") == 0
    errors = list(map(json.loads, (folder / "left-out.jsonl").read_text().splitlines()))
    expected = Mapping.load(ner_task).cross_validate().errors
    assert [error["example"] for error in errors] == [error.index for error in expected]
    assert run_cli("evaluate", ner_task, "--errors", folder / "errors.conll") == 2
    assert "give --errors a .jsonl or .csv file" in capsys.readouterr().err


def test_a_selection_of_rows_does_not_replace_the_file_of_all(folder, task, published, capsys):
    path = folder / "all.csv"
    path.write_text(written := "text,label\nwhere is my parcel,refund\nthe delivery is late,delivery\n")
    (folder / "link.csv").symlink_to(path)
    for arguments in (
        ("evaluate", task, path, "--errors", path),
        ("evaluate", task, path, "--errors", folder / "link.csv"),
        ("suggest", task, path, "--out", path),
        ("check-labels", published, path, "--out", path),
    ):
        assert run_cli(*arguments) == 2
        assert "is the file that is read" in capsys.readouterr().err
        assert path.read_text() == written


def test_labels_that_other_rows_contradict_are_found(folder, published, capsys):
    # A column that is called as the number of the row is replaced.
    lines = ["id,text,label,thread,row"]
    lines += [f"{i},where is my parcel {i},delivery,{i},-1" for i in range(30)]
    lines += [f"{i},please refund my money {i},refund,{i},-1" for i in range(30, 60)]
    lines += ["60,,refund,60,-1", "61,where is my parcel 7,refund,61,-1"]
    (folder / "noisy.csv").write_text("\n".join(lines) + "\n")
    assert run_cli("check-labels", published, folder / "noisy.csv", "--num", 1) == 0
    printed = capsys.readouterr()
    assert "1 suspicious label in 61 rows" in printed.out
    assert "1 rows have no text" in printed.err
    assert "1 text with different labels, of which at most one can be right: row 8, 62" in printed.err
    options = ("--num", 2, "--group", "thread", "--out", folder / "suspicious.jsonl")
    assert run_cli("check-labels", published, folder / "noisy.csv", *options) == 0
    first, _ = map(json.loads, (folder / "suspicious.jsonl").read_text().splitlines())
    assert (first["row"], first["id"], first["label"], first["suggested"]) == (62, "61", "refund", "delivery")
    assert 0 < first["wrong"] <= 1
    assert {each["label"] for each in first["similar"]} == {"delivery"}


def test_odd_rows_are_checked_with_all_that_they_have(folder, published, capsys):
    pairs = [("a man sleeps", f"a {who} sleeps", "yes") for who in ("person", "man", "boy", "father")]
    pairs += [("a man sleeps", f"a {what} barks", "no") for what in ("dog", "wolf", "fox", "seal")]
    rows = [dict(zip(("text", "text_pair", "label"), pair, strict=True)) for pair in pairs]
    rows[3] |= {"note": "of one row alone"}
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = (published, folder / "pairs.jsonl", "--num", 8, "--text-pair", "text_pair")
    assert run_cli("check-labels", *options, "--out", folder / "pairs.csv") == 0
    assert "a man sleeps / a" in " ".join(capsys.readouterr().out.split())
    written = rows_of(folder / "pairs.csv")
    assert {row["row"]: row["note"] for row in written}["4"] == "of one row alone"
    assert sorted(row["note"] for row in written)[:7] == [""] * 7


def test_rows_to_label_are_written_for_people_and_for_tools(folder, task):
    (folder / "pool.csv").write_text("id,text\n7,is the parcel late\n8,\n9,refund my lamp\n")
    assert run_cli("suggest", task, folder / "pool.csv", "--num", 2, "--out", folder / "label.csv") == 0
    rows = rows_of(folder / "label.csv")
    assert {(row["row"], row["id"]) for row in rows} == {("1", "7"), ("3", "9")}
    assert {row["prediction"] for row in rows} <= {"delivery", "refund"}
    out = ("--out", folder / "label.json")
    assert run_cli("suggest", task, folder / "pool.csv", "--for", "label-studio", *out) == 0
    first = json.loads((folder / "label.json").read_text())[0]
    assert first["data"]["text"] == rows[0]["text"]
    assert first["predictions"][0]["result"][0]["value"]["choices"] == [rows[0]["prediction"]]
    assert run_cli("suggest", task, folder / "pool.csv", "--for", "argilla", *out) == 0
    record = json.loads((folder / "label.json").read_text())[0]
    assert record["fields"] == {"text": rows[0]["text"]}
    assert record["suggestions"]["label"]["value"] == rows[0]["prediction"]


def test_suggestions_overwrite_no_column_of_the_pool(folder, task, capsys):
    (folder / "pool.csv").write_text("text,probability\nis the parcel late,high\n")
    assert run_cli("suggest", task, folder / "pool.csv", "--out", folder / "chosen.csv") == 2
    assert "row 1 already has a column 'probability': rename or drop it" in capsys.readouterr().err
    assert not (folder / "chosen.csv").exists()


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_what_a_labelling_tool_exports_is_read_back(tool, folder, task, published, capsys):
    pool = "text\n" + "".join(
        f"{text}\n" for text in ["the parcel is lost", "money back", "hm", "late again"]
    )
    (folder / "unlabelled.csv").write_text(pool)
    chosen = folder / f"{tool}.json"
    command = ("suggest", task, folder / "unlabelled.csv", "--num", 4, "--for", tool, "--out", chosen)
    assert run_cli(*command) == 0
    rows = json.loads(chosen.read_text())
    answers = {"the parcel is lost": "delivery", "late again": "delivery", "money back": "refund"}
    for row in rows:  # as people answer and the tool writes it; one text is skipped
        answer = answers.get((row.get("data") or row.get("fields"))["text"])
        if tool == "argilla":
            row["responses"] = {"label": [{"value": answer, "user_id": "a"}]} if answer else {}
            continue
        (given,) = row["predictions"][0]["result"]
        given = {**given, "value": {"choices": [answer]}}
        row["annotations"] = [{"result": [given] if answer else [], "was_cancelled": answer is None}]
    chosen.write_text(json.dumps(rows))
    capsys.readouterr()

    assert run_cli("adapt", published, chosen, "--out", folder / tool) == 0
    assert "1 row left out" in capsys.readouterr().err
    mapping = Mapping.load(folder / tool)
    assert (mapping.num_examples, sorted(mapping.labels)) == (3, ["delivery", "refund"])
    assert run_cli("evaluate", folder / tool, chosen, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert run_cli("check-labels", published, chosen, "--num", 3) == 0
    assert "in 3 rows" in capsys.readouterr().out
