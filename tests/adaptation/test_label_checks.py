"""Label checks of words and of lists of labels: planted errors are found, with the right label suggested."""

import numpy as np
import pytest

from metamapping.adaptation.label_checks.label_noise_of_lists import _wrong
from metamapping.adaptation.label_checks.label_noise_of_words import _places

PEOPLE, CITIES = ["anna", "bob", "eve", "ada"], ["paris", "rome", "london", "york"]
SENTENCES = [[name, "lives", "in", city] for name in PEOPLE for city in CITIES]
TAGS = [["B-PER", "O", "O", "B-LOC"] for _ in SENTENCES]
TEXTS = [
    f"{what} {i}" for i in range(8) for what in ("where is my parcel", "refund my money", "lovely weather")
]
LISTS = [["delivery"], ["refund"], []] * 8


def with_change(rows, row, value):
    return [value if i == row else each for i, each in enumerate(rows)]


def test_a_wrong_tag_is_found_at_its_word(mapper):
    wrong = with_change(TAGS, 5, ["B-PER", "O", "O", "B-PER"])
    (first,) = mapper.adapt(SENTENCES, wrong, task_type="ner").suspicious_labels(num=1)
    assert (first.index, first.word, first.num_words) == (5, 3, 1)
    assert (first.label, first.suggested, first.text) == ("PER", "LOC", SENTENCES[5])
    assert first.excerpt == SENTENCES[5][3]
    assert 0 < first.probability <= 1
    assert len(first.neighbours) == 3
    assert all(near.index != 5 and near.word is not None for near in first.neighbours)


@pytest.mark.parametrize("kind", ["label", "words", "lists"])
def test_rows_are_checked_without_a_task_being_made_of_them(mapper, kind):
    single = [labels[0] if labels else "praise" for labels in LISTS]
    texts, labels, options = {
        "label": (TEXTS, with_change(single, 3, "refund"), {}),
        "words": (SENTENCES, with_change(TAGS, 3, ["B-PER", "O", "O", "B-PER"]), {"task_type": "ner"}),
        "lists": (TEXTS, with_change(LISTS, 3, ["refund"]), {"multi_label": True}),
    }[kind]
    (first,) = mapper.suspicious_labels(texts, labels, num=1, **options)
    (same,) = mapper.adapt(texts, labels, **options).suspicious_labels(num=1)
    assert first.index == same.index == 3
    assert (first.label, first.suggested, first.word) == (same.label, same.suggested, same.word)
    with pytest.raises(ValueError, match="num is 0: expected at least 1"):
        mapper.suspicious_labels(texts, labels, num=0, **options)
    groups = np.arange(len(texts)) % 4
    assert len(mapper.suspicious_labels(texts, labels, num=2, groups=groups, **options)) == 2


def test_every_word_is_judged_and_the_surest_comes_first(mapper):
    found = mapper.adapt(SENTENCES, TAGS, task_type="ner").suspicious_labels(min_probability=0.0)
    assert found.num_examples == sum(map(len, SENTENCES))
    probabilities = [each.probability for each in found]
    assert probabilities == sorted(probabilities, reverse=True)
    places = [(each.index, each.word + i) for each in found for i in range(each.num_words)]
    assert sorted(places) == [(i, word) for i, words in enumerate(SENTENCES) for word in range(len(words))]
    assert "suspicious labels of 64" in repr(found)


def test_neighbouring_words_that_are_wrong_in_the_same_way_are_one_place():
    sentences = np.array([0, 0, 0, 0, 1, 1])
    targets = np.array([0, 0, 0, 1, 1, 1])
    suggested = np.array([1, 1, 2, 2, 2, 2])
    wrong = np.array([0.9, 0.6, 0.9, 0.9, 0.9, 0.4])
    assert _places(sentences, targets, suggested, wrong).tolist() == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("row", "given", "suggested"),
    [(3, ["refund"], ["delivery"]), (6, [], ["delivery"]), (8, ["refund"], [])],
    ids=["another", "missing", "superfluous"],
)
def test_a_wrong_list_is_found_and_corrected(mapper, row, given, suggested):
    lists = with_change(LISTS, row, given)
    (first,) = mapper.adapt(TEXTS, lists, multi_label=True).suspicious_labels(num=1)
    assert (first.index, first.text, first.label) == (row, TEXTS[row], given)
    changed = set(first.suggested) ^ set(given)
    assert changed
    assert changed <= set(suggested) ^ set(given)
    assert all(near.index != row and isinstance(near.label, list) for near in first.neighbours)


def test_decisions_are_judged_by_bayes_rule():
    rng = np.random.default_rng(0)
    p = expit = 1 / (1 + np.exp(-rng.normal(size=(4000, 3)) * 3))
    truth = rng.random(p.shape) < expit
    turned = rng.random(p.shape) < 0.1
    wrong = _wrong(p, truth ^ turned)
    assert wrong.mean() == pytest.approx(0.1, abs=0.02)
    for low, high in [(0.0, 0.1), (0.1, 0.5), (0.5, 1.0)]:
        inside = (wrong >= low) & (wrong < high)
        assert wrong[inside].mean() == pytest.approx(turned[inside].mean(), abs=0.06)


def test_numbers_out_of_range_are_refused(mapper):
    for mapping in (
        mapper.adapt(SENTENCES, TAGS, task_type="ner"),
        mapper.adapt(TEXTS, LISTS, multi_label=True),
    ):
        with pytest.raises(ValueError, match="num is 0: expected at least 1"):
            mapping.suspicious_labels(num=0)
        with pytest.raises(ValueError, match="expected a probability, from 0 to 1"):
            mapping.suspicious_labels(min_probability=2)
        assert mapping.suspicious_labels(groups=np.arange(mapping.num_examples) % 4).num_examples
