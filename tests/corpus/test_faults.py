"""Thirty kinds of broken rows among good ones, each rejected for its own reason."""

import json
from collections import Counter

from metamapping.config.corpus import FilterSpec
from tests.corpus.toys import RULES, prepare, toy_source

RULES = RULES._replace(filters=FilterSpec(max_characters=2_000, min_words=2, max_words=300))
LONG = "please tell me as soon as you can when the new card that i ordered will be delivered to me"


def good(text, label="x", **fields):
    return json.dumps({"text": text, "label": label, **fields}, ensure_ascii=False)


TEXT_FAULTS = [
    ("not json at all", "malformed_row"),
    ('{"text": "half an object", "label": ', "malformed_row"),
    ('["a list", "x"]', "malformed_row"),
    ('"a string"', "malformed_row"),
    ("17", "malformed_row"),
    ("null", "malformed_row"),
    ("[" * 3_000, "malformed_row"),
    ('{"text": {"body": "nested where a text belongs"}, "label": "x"}', "malformed_row"),
    ('{"label": "x"}', "missing_text"),
    ('{"text": null, "label": "x"}', "missing_text"),
    (good(""), "empty_text"),
    (good(" \t\u00a0 "), "empty_text"),
    (good("<br/><p></p>"), "empty_text"),
    (good("\u200b\ufeff\u0000"), "empty_text"),
    (good("&nbsp;&#32;"), "empty_text"),
    ('{"text": "no label here"}', "missing_label"),
    (good("label is null", None), "missing_label"),
    (good("label is blank", "  "), "missing_label"),
    (good("label unheard of", "z"), "unknown_label"),
    (good("number beyond the list", 7), "unknown_label"),
    (good("label to leave out", "d"), "dropped_label"),
    (good("long " * 500), "too_long"),
    (good("a b " * 160), "too_many_words"),
    (good("lonely"), "too_few_words"),
    (good("12345 67 !!"), "no_letters"),
    (good("buy it now " * 30), "repetition"),
    (good("WHERE is my order today"), "duplicate"),
    (good(f"{LONG} please"), "near_duplicate"),
    (good("is this good or bad", "x"), "conflict"),
    (good("is this good or bad", "y"), "conflict"),
]
GOOD = [
    good("where is my order today"),
    good(LONG),
    good("numbered label of the list", 1),
    good("Ünïcode is fine"),
]

NER_FAULTS = [
    ("Ada\tB-PER\nwrote\n", "malformed_row"),
    ("Ada\tB-PER\nwrote\tVERB\n", "malformed_tags"),
    ("Ada\tB-PER\nran\tI-LOC\n", "malformed_tags"),
    ("Ada\tO\nand\tI-PER\n", "malformed_tags"),
    ("12\tO\n34\tO\n", "no_letters"),
    ("Bob\tB-PER\nran\tO\n", "duplicate"),
]
NER_GOOD = ["Bob\tB-PER\nran\tO\n", "Eve\tB-PER\nOak\tI-PER\nslept\tO\n"]


def assert_found(source, folder, faults, num_good, rules):
    examples, rejects, counts = prepare(source, folder, rules)
    assert Counter(row["reason"] for row in rejects) == Counter(reason for _, reason in faults)
    by_row = {row["row"]: row["reason"] for row in rejects}
    assert by_row == {num_good + i: reason for i, (_, reason) in enumerate(faults)}
    assert [row["row"] for row in examples] == list(range(num_good))
    for reason, number in Counter(by_row.values()).items():
        assert counts[f"rejects.{reason}"] == number
    return rejects


def test_thirty_kinds_of_broken_rows_are_rejected_for_their_reasons(tmp_path):
    path = tmp_path / "faults.jsonl"
    path.write_text("\n".join([*GOOD, *(line for line, _ in TEXT_FAULTS)]) + "\n", encoding="utf-8")
    source = toy_source(path, labels=["x", "y", "d"], drop_labels=["d"])
    assert len(TEXT_FAULTS) == 30
    rejects = assert_found(source, tmp_path / "out", TEXT_FAULTS, len(GOOD), RULES)
    first = rejects[0]
    assert (first["source"], first["file"], first["line"]) == ("toy", "faults.jsonl", len(GOOD) + 1)
    assert first["text"] == "not json at all"


def test_broken_sentences_are_rejected_for_their_reasons(tmp_path):
    path = tmp_path / "faults.conll"
    path.write_text("\n".join([*NER_GOOD, *(lines for lines, _ in NER_FAULTS)]))
    rules = RULES._replace(cleaning=RULES.cleaning.model_copy(update={"repair_tags": False}))
    source = toy_source(path, task_type="ner")
    assert_found(source, tmp_path / "out", NER_FAULTS, len(NER_GOOD), rules)


def test_words_and_tags_of_different_number_are_rejected(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"words": ["Ada", "ran"], "tags": ["B-PER"]}, {"words": ["Bob", "ran"], "tags": ["B-PER", "O"]}]
    rows += [{"words": None, "tags": ["O"]}, {"words": ["so"]}, {"words": [], "tags": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, rejects, _ = prepare(toy_source(path, task_type="ner"), tmp_path / "out")
    reasons = ["words_and_tags_differ", "missing_text", "missing_label", "empty_text"]
    assert [row["reason"] for row in rejects] == reasons


def test_numbered_tags_are_looked_up_in_the_list_of_labels(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"words": ["Ada", "ran"], "tags": [1, 0]}) + "\n")
    source = toy_source(path, task_type="ner", labels=["O", "B-PER", "I-PER"])
    (example,), _, _ = prepare(source, tmp_path / "out")
    assert example["tags"] == ["B-PER", "O"]
