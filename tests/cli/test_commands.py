"""The commands end to end on a tiny encoder: files in, files out, exit codes."""

import csv
import io
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from metamapping import Mapping
from tests.cli.command import run_cli
from tests.cli.toy_files import EXAMPLES, rows_of


def test_adapt_saves_the_task_that_the_library_computes(task, published):
    mapping = Mapping.load(task)
    assert mapping.labels == ("delivery", "refund")
    assert mapping.num_examples == 4
    assert mapping.predict(["where is my parcel", "please refund the order"]) == ["delivery", "refund"]


def test_columns_and_label_names_can_be_given(folder, published):
    text = '{"body": {"text": "late again"}, "stars": 1}\n{"body": {"text": "lovely"}, "stars": 5}\n'
    (folder / "ratings.jsonl").write_text(text)
    options = (
        "--text",
        "body.text",
        "--label",
        "stars",
        "--label-name",
        "1=very bad",
        "--label-name",
        "5=great",
    )
    assert run_cli("adapt", published, folder / "ratings.jsonl", "--out", folder / "ratings", *options) == 0
    saved = json.loads((folder / "ratings" / "task.json").read_text())
    assert saved["labels"] == [1, 5]
    assert saved["names"] == ["very bad", "great"]


def test_predictions_are_added_to_the_existing_columns(folder, task):
    assert run_cli("predict", task, folder / "new.csv", "--out", folder / "labelled.csv") == 0
    expected = Mapping.load(task).predict(["the parcel, again", "refund my money"])
    assert rows_of(folder / "labelled.csv") == [
        {"id": "7", "text": "the parcel, again", "prediction": expected[0]},
        {"id": "8", "text": "refund my money", "prediction": expected[1]},
    ]


def test_probabilities_and_confidence_are_those_of_the_mapping(folder, task):
    out = folder / "labelled.parquet"
    assert run_cli("predict", task, folder / "new.csv", "--out", out, "--proba") == 0
    mapping, rows = Mapping.load(task), pq.read_table(out).to_pylist()
    texts = [row["text"] for row in rows]
    expected = mapping.predict_proba(texts)
    for row, probabilities in zip(rows, expected, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(probabilities.tolist(), abs=1e-5)
        assert row["probability"] == max(row["probabilities"].values())
        assert row["probability"] == row["probabilities"][row["prediction"]]
    assert [row["confidence"] for row in rows] == pytest.approx(mapping.confidence(texts).tolist(), abs=1e-5)


def test_below_the_threshold_there_is_no_label(folder, task, capsys):
    assert run_cli("predict", task, folder / "new.csv", "--threshold", 1, "--format", "csv") == 0
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["", ""]


def test_standard_input_and_output_are_jsonl_by_default(task, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "my parcel", "n": [1]}\n')))
    assert run_cli("predict", task) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "text": "my parcel",
        "n": [1],
        "prediction": Mapping.load(task).predict(["my parcel"])[0],
    }


def test_pairs_are_read_if_there_is_a_second_text(folder, published, capsys):
    (folder / "pairs.tsv").write_text("text\ttext_pair\tlabel\nanna\tparis\tyes\nbob\trome\tno\n")
    assert run_cli("adapt", published, folder / "pairs.tsv", "--out", folder / "pairs") == 0
    capsys.readouterr()
    assert run_cli("predict", folder / "pairs", folder / "pairs.tsv") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["prediction"] for row in rows] == ["yes", "no"]


def test_a_label_for_each_row_is_doubted(folder, published, capsys):
    rows = "".join(f"text {i},T-{i}\n" for i in range(30))
    (folder / "tickets.csv").write_text(f"text,label\n{rows}")
    assert run_cli("adapt", published, folder / "tickets.csv", "--out", folder / "tickets") == 0
    error = capsys.readouterr().err
    assert "note: 30 labels in 30 rows: is this the label column? If not, name it with --label" in error
    assert error.count("is this the label column") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("adapt", "{published}", "{folder}/examples.csv", "--out", "{folder}/x", "--text", "body"),
            "examples.csv has no column 'body', but the columns text, label (separated by ','): set",
        ),
        (
            (
                "adapt",
                "{published}",
                "{folder}/examples.csv",
                "--out",
                "{folder}/x",
                "--label-name",
                "delivery",
            ),
            "is not of the form LABEL=WORDS",
        ),
        (
            ("adapt", "{published}", "{folder}/examples.csv", "--out", "{folder}"),
            "is not a saved task: give another folder",
        ),
        (("adapt", "{folder}", "{folder}/examples.csv", "--out", "{folder}/x"), "is not a published encoder"),
        (
            ("adapt", "{published}", "{folder}/sentences.conll", "--out", "{folder}/x"),
            "sentences.conll has no column 'text', but the columns words, tags",
        ),
        (("predict", "{task}", "{folder}/nothing.csv"), "there is no file"),
        (
            ("predict", "{task}", "{folder}/examples.csv", "--out", "{folder}/x.conll"),
            "CoNLL contains only words and tags",
        ),
        (("predict", "{task}", "{folder}/predicted.jsonl"), "row 1 already has a column 'prediction'"),
        (("predict", "{task}", "{folder}/numbers.jsonl"), "row 2 (column 'text') is True: expected a string"),
        (
            ("predict", "{task}", "{folder}/empty.jsonl"),
            "the text of row 1 (column 'text') is missing",
        ),
        (("predict", "{folder}", "{folder}/new.csv"), "is not a saved task"),
        (("evaluate", "{task}", "{folder}/swapped.csv"), "the task knows none of the rows' labels"),
        (
            ("evaluate", "{task}", "{folder}/unlabelled.csv"),
            "the label of row 1 (column 'label') is ''",
        ),
        (("inspect", "{folder}"), "is not a published encoder, saved task or run"),
    ],
    ids=lambda value: None if isinstance(value, tuple) else value[:24],
)
def test_invalid_input_ends_with_one_sentence_and_exit_code_2(
    folder, task, published, capsys, arguments, message
):
    (folder / "predicted.jsonl").write_text('{"text": "a", "prediction": "b"}\n')
    (folder / "numbers.jsonl").write_text('{"text": "a"}\n{"text": true}\n')
    (folder / "empty.jsonl").write_text('{"text": null}\n')
    (folder / "swapped.csv").write_text("text,label\ndelivery,my parcel\n")
    (folder / "unlabelled.csv").write_text("text,label\nmy parcel,\n")
    capsys.readouterr()
    formatted = [each.format(folder=folder, task=task, published=published) for each in arguments]
    assert run_cli(*formatted) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert len(output.err.splitlines()) == 1
    assert not (folder / "x").exists()


def test_push_without_a_token_fails_with_one_sentence(published, monkeypatch, capsys):
    monkeypatch.setattr("metamapping.publishing.hub.get_token", lambda: None)
    assert run_cli("push", published, "team/encoder") == 2
    assert capsys.readouterr().err.startswith(
        f"error: {published} was not pushed to team/encoder: there is no token"
    )


def test_misspelt_commands_and_options_have_exit_code_2(task, capsys):
    assert run_cli("predicct") == 2
    assert run_cli("predict", task, "--probability") == 2
    assert run_cli("predict", "nowhere") == 2
    assert "does not exist" in capsys.readouterr().err


def test_help_is_complete_without_importing_heavy_libraries():
    code = (
        "import sys; from metamapping.cli import main\n"
        "try: main(['predict', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'pyarrow', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "metamapping predict my-tasks/orders" in ended.stdout


def test_the_module_is_the_same_command(task):
    ended = subprocess.run(
        [sys.executable, "-m", "metamapping", "inspect", str(task), "--json"], capture_output=True, check=True
    )
    assert json.loads(ended.stdout)["what"] == "saved task"
    assert ended.stderr == b""


def test_empty_texts_are_not_learned_and_get_no_label(folder, published, task, capsys):
    (folder / "empty.csv").write_text(EXAMPLES + ',refund\n"  ",delivery\n<br>,refund\n')
    assert run_cli("adapt", published, folder / "empty.csv", "--out", folder / "without-empty") == 0
    assert "note: 3 rows have no text and are left out: row 5, 6, 7" in capsys.readouterr().err
    assert Mapping.load(folder / "without-empty").num_examples == 4
    (folder / "empty-new.csv").write_text('id,text\n1,\n2,refund my money\n3," "\n')
    for options in ((), ("--proba",)):
        out = folder / "empty-new.parquet"
        assert run_cli("predict", task, folder / "empty-new.csv", "--out", out, *options) == 0
        rows = pq.read_table(out).to_pylist()
        assert [row["prediction"] is None for row in rows] == [True, False, True]
        assert [row.get("confidence") is None for row in rows] == [True, not options, True]
    capsys.readouterr()
    assert run_cli("evaluate", task, folder / "empty.csv", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["scores"]["accuracy"]["mean"] == pytest.approx(4 / 7)
    assert "note: 3 rows without a text" in printed.err


def test_files_of_other_programs_are_read(folder, published, capsys):
    text = "\ufeff2;where is my parcel, again\r\n3;refund me\r\n2;parcel is late\r\n"
    (folder / "odd.csv").write_bytes(text.encode("utf-16-le"))
    options = ("--no-header", "--encoding", "utf-16", "--text", 1, "--label", 0)
    assert run_cli("adapt", published, folder / "odd.csv", "--out", folder / "odd", *options) == 0
    capsys.readouterr()
    assert run_cli("predict", folder / "odd", folder / "odd.csv", "--format", "csv", *options[:-2]) == 0
    assert capsys.readouterr().out.splitlines()[1].rpartition(";")[0] == "3;refund me"


def test_a_stream_is_answered_line_by_line(task):
    command = [sys.executable, "-m", "metamapping", "predict", str(task), "--stream"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for text in ("my parcel", "refund me"):
            process.stdin.write(json.dumps({"text": text}).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert (answer["text"], answer["prediction"]) == (text, Mapping.load(task).predict([text])[0])
        process.stdin.close()
        assert process.wait() == 0


def test_only_standard_input_is_streamed(folder, task, capsys):
    assert run_cli("predict", task, folder / "new.csv", "--stream") == 2
    assert "--stream answers lines of JSONL: leave out INPUT" in capsys.readouterr().err
