"""Mentions: the entities of tagged sentences, with their types."""

from metamapping.config.sources import Source
from metamapping.corpus.formats import read_file
from metamapping.corpus.mentions import mentions


def test_mentions_are_the_entities_with_their_types():
    words = ["Ada", "Lovelace", "met", "Babbage", "in", "London"]
    tags = ["B-person", "I-person", "O", "B-person", "O", "B-place"]
    found = list(mentions(words, tags))
    assert found == [("Ada Lovelace", "person"), ("Babbage", "person"), ("London", "place")]


def test_adjacent_entities_are_separated_by_begin_tags_and_by_types():
    tags = ["B-a", "B-a", "I-a", "I-b", "O"]
    assert list(mentions(list("vwxyz"), tags)) == [("v", "a"), ("w x", "a"), ("y", "b")]


def test_bare_types_and_an_entity_at_the_end_are_found():
    assert list(mentions(["New", "York"], ["LOC", "LOC"])) == [("New York", "LOC")]


def test_a_conll_file_of_a_text_classification_source_is_read_as_pairs(tmp_path):
    file = tmp_path / "notes.conll"
    file.write_text("Ada B-person\nwrote O\n\nnothing O\n\nIn O\nRome B-place\n")
    source = Source(name="notes", task_type="text-classification", role="train", files=[str(file)])
    rows = [(row.line, row.text, row.text_pair, row.label) for row in read_file(file, source)]
    assert rows == [(1, "Ada wrote", "Ada", "person"), (6, "In Rome", "Rome", "place")]
