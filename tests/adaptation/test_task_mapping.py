"""Mapping: adding and removing examples, and reading while another thread writes."""

import threading
import time

import numpy as np
import pytest

from tests.adaptation.toy_task import LABELS, MORE, MORE_LABELS, NEW, TAGS, TEXTS, WORDS


def assert_same(mapping, other, texts=NEW):
    assert mapping.labels == other.labels
    assert mapping.num_examples == other.num_examples
    for probabilities, expected in zip(mapping.predict_proba(texts), other.predict_proba(texts), strict=True):
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_adding_examples_equals_adapting_to_all_of_them_at_once(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    assert_same(mapping, mapper.adapt(TEXTS + MORE, LABELS + MORE_LABELS))


def test_adding_encodes_only_the_new_texts(mapper, mapping, monkeypatch):
    encoded = []
    encode = mapper.featurizer.texts
    monkeypatch.setattr(
        mapper.featurizer, "texts", lambda texts, pairs: encoded.extend(texts) or encode(texts, pairs)
    )
    mapping.add(MORE, MORE_LABELS)
    assert encoded == MORE


def test_a_label_can_be_named_when_it_is_added(mapper, mapping):
    names = {"w": "weather", "refund": "money back"}
    mapping.add(MORE, ["w", "w", "refund"], label_names=names)
    assert_same(mapping, mapper.adapt(TEXTS + MORE, [*LABELS, "w", "w", "refund"], label_names=names))


def test_removing_examples_equals_adapting_without_them(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    mapping.remove(np.array([0, 6]))
    assert_same(mapping, mapper.adapt(TEXTS[1:] + MORE[:-1], LABELS[1:] + MORE_LABELS[:-1]))


def test_removing_a_label_removes_its_examples(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    mapping.remove(label="delivery")
    assert_same(
        mapping,
        mapper.adapt([*TEXTS[2:], MORE[2], *MORE[:2]], ["refund"] * 3 + ["weather"] * 2),
    )


def test_a_label_without_examples_is_still_known_by_its_name(mapper, mapping):
    mapping.add(MORE[:1], ["weather"])
    mapping.remove([4])
    zero_shot = mapper.zero_shot(["delivery", "refund", "weather"])
    zero_shot.add(TEXTS, LABELS)
    assert_same(mapping, zero_shot)


def test_ner_types_can_be_added_and_removed(mapper):
    mapping = mapper.adapt(WORDS[:1], TAGS[:1], task_type="ner")
    mapping.add(WORDS[1:], [["B-PER", "O", "O", "B-CITY"]])
    assert mapping.labels == ("O", "PER", "LOC", "CITY")
    mapping.remove(label="CITY")
    assert_same(mapping, mapper.adapt(WORDS, TAGS, task_type="ner"), WORDS)


def test_readers_see_one_state_or_the_other_while_a_writer_adds(mapper, mapping):
    before = mapping.predict_proba(NEW)
    after = mapper.adapt(TEXTS + MORE, LABELS + MORE_LABELS).predict_proba(NEW)
    seen, faults, done = [[] for _ in range(4)], [], threading.Event()

    def read(mine):
        try:
            while not done.is_set():
                mine.append(mapping.predict_proba(NEW))
        except Exception as error:
            faults.append(error)

    def let_all_read():
        """Until each reader has begun a reading after this call, and ended it: the second one from here."""
        enough = [len(mine) + 2 for mine in seen]
        while not faults and any(len(mine) < count for mine, count in zip(seen, enough, strict=True)):
            time.sleep(0.001)

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    try:
        let_all_read()
        for _ in range(10):
            mapping.add(MORE, MORE_LABELS)
            let_all_read()
            mapping.remove(label="weather")
            mapping.remove([4])
        mapping.add(MORE, MORE_LABELS)
        let_all_read()
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not faults
    np.testing.assert_allclose(mapping.predict_proba(NEW), after, atol=1e-5)
    for mine in seen:
        assert {probabilities.shape for probabilities in mine} == {(3, 2), (3, 3)}
        full = [probabilities for probabilities in mine if probabilities.shape == after.shape]
        assert all(np.allclose(each, after, atol=1e-5) for each in full)
        assert any(np.allclose(each, before, atol=1e-5) for each in mine if each.shape == before.shape)


def test_concurrent_writers_lose_no_examples(mapping):
    writers = [
        threading.Thread(target=lambda: [mapping.add(TEXTS, LABELS) for _ in range(5)]) for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert mapping.num_examples == 4 + 4 * 5 * 4


def test_unknown_examples_and_labels_cannot_be_removed(mapping):
    with pytest.raises(ValueError, match="there is no example 4: the task has 4"):
        mapping.remove([0, 4])
    with pytest.raises(ValueError, match="there is no label 'refunds' to remove; labels: delivery, refund"):
        mapping.remove(label="refunds")
    with pytest.raises(ValueError, match=r"only one label \(refund\)"):
        mapping.remove(label="delivery")
    with pytest.raises(ValueError, match="either indices or a label"):
        mapping.remove()
    assert mapping.num_examples == 4


def test_single_texts_and_pairs_cannot_be_mixed(mapper, mapping):
    with pytest.raises(ValueError, match="no second text, but text_pairs are given"):
        mapping.predict(NEW, text_pairs=NEW)
    pairs = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS)
    with pytest.raises(ValueError, match="are pairs of texts: give text_pairs"):
        pairs.predict(NEW)
    with pytest.raises(ValueError, match="are pairs of texts: give text_pairs"):
        pairs.add(MORE, MORE_LABELS)
    assert pairs.explain("x", text_pair="y")[0].text_pair in TEXTS
