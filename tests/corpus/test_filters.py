"""Filters: what they reject, and that each can be configured or switched off."""

import pytest

from metamapping.config.corpus import FilterSpec
from metamapping.corpus.repetition import MIN_WORDS, is_repetitive
from metamapping.errors import ConfigError
from tests.corpus.toys import RULES, labelled, prepare, toy_source, write_jsonl

PROSE = (
    "the committee met on tuesday to discuss plans for a new library near the river and heard from "
    "residents who want longer opening hours cheaper parking better lighting along both paths together "
    "with quiet rooms where students could work late into evening before their final summer exams begin "
    "while older visitors asked only for comfortable chairs"
)


def reasons_of(tmp_path, texts, filters):
    rows = labelled(*((text, "x") for text in texts))
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", rows))
    _, rejects, _ = prepare(source, tmp_path / "out", RULES._replace(filters=filters))
    return [{row["row"]: row["reason"] for row in rejects}.get(i) for i in range(len(texts))]


@pytest.mark.parametrize(
    ("filters", "text", "reason"),
    [
        (FilterSpec(min_characters=5), "four", "too_short"),
        (FilterSpec(max_characters=5), "sixsix", "too_long"),
        (FilterSpec(min_words=3), "two words", "too_few_words"),
        (FilterSpec(max_words=2), "now three words", "too_many_words"),
        (FilterSpec(), "123 !?", "no_letters"),
        (FilterSpec(letters=False), "123 !?", None),
        (FilterSpec(), "buy now " * MIN_WORDS, "repetition"),
        (FilterSpec(repetition=False), "buy now " * MIN_WORDS, None),
    ],
)
def test_each_filter_gives_its_reason(tmp_path, filters, text, reason):
    assert reasons_of(tmp_path, [text, "an innocent text", "fine"], filters)[0] == reason


def test_other_languages_are_rejected(tmp_path):
    pytest.importorskip("py3langid")
    texts = [PROSE, "das Wetter ist heute wirklich sehr schön und wir gehen alle zusammen spazieren"]
    assert reasons_of(tmp_path, texts, FilterSpec(languages=["en"])) == [None, "other_language"]


def test_without_the_detector_the_language_filter_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(ConfigError, match=r"install `metamapping\[languages\]`"):
        reasons_of(tmp_path, [PROSE], FilterSpec(languages=["en"]))


def test_prose_is_not_repetitive():
    assert len(PROSE.split()) >= MIN_WORDS
    assert not is_repetitive(PROSE)


@pytest.mark.parametrize(
    "text",
    [
        f"{PROSE} " + "very good " * 20,  # one bigram
        f"{PROSE} {PROSE}",  # the whole text twice
        f"{PROSE}\n" + "subscribe to our newsletter today\n" * 9,  # lines
    ],
)
def test_each_kind_of_repetition_is_found(text):
    assert is_repetitive(text)


def test_short_texts_may_repeat_words():
    assert not is_repetitive("no " * (MIN_WORDS - 1))


def test_a_source_whose_rows_are_all_rejected_is_refused_with_the_reasons(tmp_path):
    with pytest.raises(
        ConfigError, match=r"all of its 3 rows were rejected \(too_few_words 2, no_letters 1\)"
    ):
        reasons_of(tmp_path, ["one", "two", "1 2 3"], FilterSpec(min_words=2))
