"""The commands on named entities: sentences in CoNLL and JSONL, their comments, columns and tags."""

import json

import pytest

from metamapping import Mapping
from tests.cli.command import run_cli
from tests.cli.toy_files import SENTENCES

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


def test_evaluate_accepts_tags_of_any_scheme(folder, ner_task, capsys):
    assert run_cli("evaluate", ner_task, folder / "sentences.conll", "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["scores"]["entity F1"]["mean"] == 1
    assert [(each["label"], each["count"]) for each in measured["labels"]] == [("LOC", 6), ("PER", 6)]


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
