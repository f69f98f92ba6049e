"""Options of `adapt` whose labels are numbers in the file, and words on the command line."""

import json

from metamapping.adaptation.saved.task_folder import read_task
from tests.cli.command import run_cli

ROWS = [
    {"text": "it has not arrived", "label": 1},
    {"text": "the delivery is late", "label": 1},
    {"text": "lovely in june", "label": 2},
    {"text": "a lovely lamp", "label": 2},
    {"text": "bob works in rome", "label": 0},
]


def test_labels_of_options_have_the_type_of_the_files_labels(published, tmp_path, capsys):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    options = ("--ordinal", "1,2,3", "--out-of-scope", "0")
    assert run_cli("adapt", published, file, "--out", tmp_path / "task", *options) == 0
    state = read_task(tmp_path / "task").state
    assert (state.labels, state.outside.label, state.outside.support.num_examples) == ((1, 2, 3), 0, 1)
    assert isinstance(state.outside.label, int)
    assert run_cli("adapt", published, file, "--out", tmp_path / "task", "--out-of-scope", "9") == 0
    assert "no row has the label '9' of --out-of-scope" in capsys.readouterr().err


def test_a_label_that_is_no_grade_is_named_by_its_row(published, tmp_path, capsys):
    file = tmp_path / "rows.jsonl"
    rows = [{"text": " ", "label": 1}, ROWS[4], *ROWS[:4], {"text": "four stars", "label": "4 stars"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--ordinal", "1,2", "--out-of-scope", "0", "--out", tmp_path / "task")
    assert run_cli("adapt", published, file, *options) == 2
    assert "the label of row 7 is '4 stars', which is not one of the grades 1, 2" in capsys.readouterr().err
