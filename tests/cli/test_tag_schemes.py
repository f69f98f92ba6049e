"""Every tag scheme means the same in sources, on the command line and in the library."""

import pytest

from metamapping.adaptation.inputs.inputs import read_examples
from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.fields import Fields
from metamapping.cli.records import open_records
from tests.corpus.toys import prepare, toy_source

WORDS = [["Eve", "Bob", "met", "in", "New", "York", "City"], ["London", "calls"]]
BIO = [["B-PER", "B-PER", "O", "O", "B-LOC", "I-LOC", "I-LOC"], ["B-LOC", "O"]]
TYPED = {
    "IOB2": "B-PER B-PER O O B-LOC I-LOC I-LOC|B-LOC O",
    "IOB1": "I-PER B-PER O O I-LOC I-LOC I-LOC|I-LOC O",
    "BIOES": "S-PER S-PER O O B-LOC I-LOC E-LOC|S-LOC O",
    "BILOU": "U-PER U-PER O O B-LOC I-LOC L-LOC|U-LOC O",
}
UNTYPED = {
    "IOB2": "B B O O B I I|B O",
    "IOB1": "I B O O I I I|I O",
    "BIOES": "S S O O B I E|S O",
    "BILOU": "U U O O B I L|U O",
    "BMES": "S S O O B M E|S O",
}


def read_as_source(path, folder):
    examples, _, _ = prepare(toy_source(path, task_type="ner"), folder)
    return [example["tags"] for example in examples]


def read_on_the_command_line(path, folder):
    with open_records(str(path)) as records:
        return EntityFields().labels(list(records.rows))


def read_in_the_library(path, folder):
    parts = path.read_text().strip().split("\n\n")
    tags = [[line.split("\t")[-1] for line in part.split("\n")] for part in parts]
    return read_examples(WORDS, tags, task_type="ner").labels


@pytest.mark.parametrize("read", [read_as_source, read_on_the_command_line, read_in_the_library])
@pytest.mark.parametrize(
    ("tags", "is_typed"),
    [*((tags, True) for tags in TYPED.values()), *((tags, False) for tags in UNTYPED.values())],
    ids=[*TYPED, *(f"{name} without types" for name in UNTYPED)],
)
def test_all_schemes_are_read_as_the_same_entities(tmp_path, tags, is_typed, read):
    sentences = [
        "\n".join(map("\t".join, zip(words, row.split(), strict=True)))
        for words, row in zip(WORDS, tags.split("|"), strict=True)
    ]
    path = tmp_path / "a.conll"
    path.write_text("\n\n".join(sentences) + "\n")
    untyped = [[tag if tag == "O" else f"{tag[:2]}entity" for tag in row] for row in BIO]
    assert read(path, tmp_path / "out") == (BIO if is_typed else untyped)


def test_words_with_tags_are_told_to_be_for_ner(tmp_path):
    path = tmp_path / "in.conll"
    path.write_text("Eve\tB-PER\nmoved\tO\n")
    with open_records(str(path)) as records, pytest.raises(ValueError, match=r"\(--task-type ner\)"):
        Fields("text-classification", header=records.header).texts(list(records.rows))
