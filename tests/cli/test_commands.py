"""The commands end to end on a tiny encoder: files in, files out, exit codes."""

import csv
import io
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from metamapping import Mapping, MetaMapper
from tests.cli.command import run_cli

EXAMPLES = """\
text,label
where is my parcel,delivery
the delivery is late,delivery
i want my money back,refund
please refund the order,refund
"""
NEW = 'id,text\n7,"the parcel, again"\n8,refund my money\n'
SENTENCES = "anna PER\nlives O\nin O\nparis LOC\n\nbob PER\nworks O\nin O\nrome LOC\n\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "examples.csv").write_text(EXAMPLES)
    (folder / "new.csv").write_text(NEW)
    (folder / "sentences.conll").write_text(SENTENCES * 3)
    return folder


@pytest.fixture(scope="module")
def task(folder, published):
    assert run_cli("adapt", published, folder / "examples.csv", "--out", folder / "task") == 0
    return folder / "task"


@pytest.fixture(scope="module")
def ner_task(folder, published):
    options = ("--out", folder / "ner", "--task-type", "ner")
    assert run_cli("adapt", published, folder / "sentences.conll", *options) == 0
    return folder / "ner"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


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


def test_tagged_sentences_keep_their_format(folder, ner_task):
    (folder / "words.conll").write_text("anna\nlives\n\nrome\n")
    assert run_cli("predict", ner_task, folder / "words.conll", "--out", folder / "tagged.conll") == 0
    tags = Mapping.load(ner_task).predict([["anna", "lives"], ["rome"]])
    expected = f"anna\t{tags[0][0]}\nlives\t{tags[0][1]}\n\nrome\t{tags[1][0]}\n\n"
    assert (folder / "tagged.conll").read_text() == expected


def test_lists_of_words_get_lists_of_tags(folder, ner_task, capsys):
    (folder / "words.jsonl").write_text('{"words": ["anna", "in", "rome"]}\n')
    assert run_cli("predict", ner_task, folder / "words.jsonl", "--proba") == 0
    row = json.loads(capsys.readouterr().out)
    assert [len(row[name]) for name in ("words", "prediction", "probability")] == [3, 3, 3]


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


def test_errors_of_the_left_out_examples_are_written(folder, ner_task, capsys):
    assert run_cli("evaluate", ner_task, "--errors", folder / "left-out.jsonl", "--json") == 0
    errors = list(map(json.loads, (folder / "left-out.jsonl").read_text().splitlines()))
    expected = Mapping.load(ner_task).cross_validate().errors
    assert [error["example"] for error in errors] == [error.index for error in expected]
    assert run_cli("evaluate", ner_task, "--errors", folder / "errors.conll") == 2
    assert "give --errors a .jsonl or .csv file" in capsys.readouterr().err


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


def test_a_task_without_test_rows_says_how_many_labels_have_one_example(folder, published, capsys):
    (folder / "alone.csv").write_text(
        "text,label\nwhere is it,delivery\nis it late,delivery\nhello,greeting\n"
    )
    assert run_cli("adapt", published, folder / "alone.csv", "--out", folder / "alone") == 0
    assert run_cli("evaluate", folder / "alone") == 0
    assert "note: 1 of 2 labels have one example" in capsys.readouterr().err


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


def test_evaluate_accepts_tags_of_any_scheme(folder, ner_task, capsys):
    assert run_cli("evaluate", ner_task, folder / "sentences.conll", "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["scores"]["entity F1"]["mean"] == 1
    assert [(each["label"], each["count"]) for each in measured["labels"]] == [("LOC", 6), ("PER", 6)]


def test_a_label_for_each_row_is_doubted(folder, published, capsys):
    rows = "".join(f"text {i},T-{i}\n" for i in range(30))
    (folder / "tickets.csv").write_text(f"text,label\n{rows}")
    assert run_cli("adapt", published, folder / "tickets.csv", "--out", folder / "tickets") == 0
    error = capsys.readouterr().err
    assert "note: 30 labels in 30 rows: is this the label column? If not, name it with --label" in error
    assert error.count("is this the label column") == 1


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


def test_unknown_labels_are_reported(folder, task, capsys):
    (folder / "other.csv").write_text(EXAMPLES + "hello there,greeting\n")
    assert run_cli("evaluate", task, folder / "other.csv") == 0
    assert "the task does not know greeting" in capsys.readouterr().err


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


FOUR_COLUMNS = """\
-DOCSTART- -X- -X- O

# sent_id = 1
anna NNP B-NP B-PER
lives VBZ B-VP O
in IN B-PP O
rome NNP B-NP B-LOC

bob NNP B-NP B-PER
works VBZ B-VP O
"""


def test_a_predicted_conll_file_needs_a_choice_of_columns(folder, published, ner_task, capsys):
    (folder / "four.conll").write_text(FOUR_COLUMNS)
    once, twice = folder / "once.conll", folder / "twice.conll"
    assert run_cli("predict", ner_task, folder / "four.conll", "--out", once) == 0
    lines = once.read_text().splitlines()
    assert [line.rpartition(" ")[0] for line in lines if line.startswith(("anna", "bob"))] == [
        "anna NNP B-NP B-PER",
        "bob NNP B-NP B-PER",
    ]
    assert lines[:3] == FOUR_COLUMNS.splitlines()[:3]
    capsys.readouterr()
    for arguments in (
        ("predict", ner_task, once, "--out", twice),
        ("evaluate", ner_task, once),
        ("adapt", published, once, "--task-type", "ner", "--out", twice),
    ):
        assert run_cli(*arguments) == 2
        assert "column 3 has tags of the task" in capsys.readouterr().err
        assert not twice.exists()
    assert run_cli("evaluate", ner_task, once, "--label", 3, "--json") == 0
    chosen = capsys.readouterr().out
    assert run_cli("evaluate", ner_task, folder / "four.conll", "--json") == 0
    assert capsys.readouterr().out == chosen
    assert run_cli("predict", ner_task, once, "--label", 3, "--out", twice) == 0
    assert len(twice.read_text().splitlines()[3].split()) == 6


def test_comments_are_not_learned_as_words(folder, published):
    text = "".join(f"# text = a\n{sentence}\n\n" for sentence in SENTENCES.strip().split("\n\n"))
    (folder / "comments.conll").write_text(text)
    arguments = ("--out", folder / "comments", "--task-type", "ner")
    assert run_cli("adapt", published, folder / "comments.conll", *arguments) == 0
    assert Mapping.load(folder / "comments").num_examples == 2


@pytest.mark.parametrize("command", ["adapt", "evaluate"])
def test_words_and_tags_that_differ_are_rejected(folder, published, ner_task, capsys, command):
    (folder / "differ.jsonl").write_text('{"words": ["Eve", "moved"], "tags": ["B-PER", "O", "O"]}\n')
    arguments = {"adapt": (published, "--task-type", "ner", "--out", folder / "x"), "evaluate": (ner_task,)}
    capsys.readouterr()
    first, *rest = arguments[command]
    assert run_cli(command, first, folder / "differ.jsonl", *rest) == 2
    assert "row 1 has 2 words but 3 tags" in capsys.readouterr().err


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
