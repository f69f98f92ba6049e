"""`metamapping drift`: of files of texts, and of logs of predictions."""

import json

import pytest

from metamapping import Mapping
from tests.cli.command import run_cli

WORDS = ("where is my parcel", "the delivery is late", "i want my money back", "please refund the order")


def texts_file(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture(scope="module")
def task(tmp_path_factory, published):
    folder = tmp_path_factory.mktemp("drift")
    rows = [f"{WORDS[i % 4]} {i},{'delivery' if i % 4 < 2 else 'refund'}" for i in range(40)]
    (folder / "examples.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    assert run_cli("adapt", published, folder / "examples.csv", "--out", folder / "task") == 0
    return folder / "task"


def test_texts_are_compared_with_the_examples_as_the_library_does(task, tmp_path, capsys):
    texts = [f"{WORDS[i % 4]} {i}" for i in range(40, 80)]
    assert run_cli("drift", task, texts_file(tmp_path / "new.jsonl", texts), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    expected = Mapping.load(task).drift(texts)
    assert found["has_drifted"] == expected.has_drifted
    assert found["sentence"] == expected.sentence
    assert [each["p_value"] for each in found["measures"]] == [each.p_value for each in expected.measures]


def test_other_texts_than_before_are_found(task, tmp_path, capsys):
    before = texts_file(tmp_path / "before.jsonl", [f"{WORDS[i % 4]} {i}" for i in range(40)])
    other = texts_file(tmp_path / "now.jsonl", [f"anna lives in paris in june {i}" for i in range(40)])
    assert run_cli("drift", task, other, "--before", before) == 0
    assert capsys.readouterr().out.startswith("drift in 40 texts against 40: ")
    assert run_cli("drift", task, before, "--before", before) == 0
    assert capsys.readouterr().out.startswith("no drift found in 40 texts against 40")


def test_a_log_needs_no_encoder_and_its_task_is_chosen(task, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Mapping, "load", None)
    rows = [
        {"task": name, "label": "refund", "probability": 0.5 + i / 200, "similarity": low + i / 200}
        for name, low in (("a", 0.5), ("b", 0.0))
        for i in range(50)
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_cli("drift", task, log, "--task-name", "b", "--last", 30) == 0
    assert "30 texts against 40" in capsys.readouterr().out
    lines = [json.dumps({"time": "now", **row}) for row in rows]
    (tmp_path / "written.jsonl").write_text("\n".join([*lines, lines[0][:50]]))  # as a server writes it
    assert run_cli("drift", task, tmp_path / "written.jsonl", "--task-name", "b", "--last", 30) == 0
    assert "30 texts against 40" in capsys.readouterr().out
    assert run_cli("drift", task, log) == 2
    assert "the log has several tasks (a, b)" in capsys.readouterr().err
