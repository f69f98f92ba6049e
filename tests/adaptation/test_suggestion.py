"""Suggestions: the gain is that of its definition; chosen texts are typical, different and undecided."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.adaptation.algebra.support import empty_support
from metamapping.adaptation.suggestion import suggest_items
from tests.adaptation.test_left_out import DIM, RIDGE, VIEWS, text_state


def weighted(features):
    roots = np.repeat(np.sqrt([1.0, *VIEWS]), DIM)
    return np.concatenate([features * roots, np.ones((len(features), 1))], axis=1)


def kernel_given(H, x):
    """The posterior covariance of x given examples H, by its definition."""
    kernel = x @ x.T
    if len(H):
        cross = H @ x.T
        kernel = kernel - cross.T @ np.linalg.inv(H @ H.T + RIDGE * np.eye(len(H))) @ cross
    return kernel


@pytest.mark.parametrize("num_examples", [0, 9])
def test_every_choice_has_the_highest_gain_given_the_earlier_ones(num_examples):
    state, *_ = text_state(9)
    if not num_examples:
        state = replace(state, support=empty_support(DIM, 2))
    pool = np.random.default_rng(5).normal(size=(40, 2 * DIM)).astype(np.float32)
    undecided = np.ones(40)
    if num_examples:
        top = np.sort(state.probabilities(pool), axis=-1)
        undecided = 1 - (top[:, -1] - top[:, -2])
    chosen, gains = suggest_items(state, pool, 6)
    H, x = weighted(state.support.features), weighted(pool)
    probabilities = state.probabilities(pool)
    counts = np.bincount(state.support.targets, minlength=probabilities.shape[1]).astype(float)
    for step, (index, gain) in enumerate(zip(chosen, gains, strict=True)):
        kernel = kernel_given(np.concatenate([H, x[chosen[:step]]]), x)
        expected = undecided * (kernel**2).sum(axis=1) / (np.diag(kernel) + RIDGE)
        expected *= probabilities @ (1 / np.sqrt(1 + counts))
        expected[chosen[:step]] = -np.inf
        assert index == expected.argmax()
        assert gain == pytest.approx(expected.max(), rel=1e-3)
        counts += probabilities[index]


def test_without_examples_each_cluster_is_covered_before_any_is_repeated():
    state, *_ = text_state(9)
    state = replace(state, support=empty_support(DIM, 2))
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(4), 25)
    pool = (4.0 * np.eye(2 * DIM)[cluster] + 0.1 * rng.normal(size=(100, 2 * DIM))).astype(np.float32)
    chosen, _ = suggest_items(state, pool, 4)
    assert sorted(cluster[chosen]) == [0, 1, 2, 3]


def test_what_is_not_allowed_is_never_chosen_and_nothing_twice(monkeypatch):
    state, *_ = text_state(9)
    pool = np.random.default_rng(5).normal(size=(30, 2 * DIM)).astype(np.float32)
    is_allowed = np.arange(30) % 3 > 0
    chosen, _ = suggest_items(state, pool, 100, is_allowed=is_allowed)
    assert sorted(chosen) == np.flatnonzero(is_allowed).tolist()
    monkeypatch.setattr("metamapping.adaptation.suggestion.MAX_POOL", 5)
    few, _ = suggest_items(state, pool, 100, is_allowed=is_allowed)
    assert len(set(few)) == 5
    assert is_allowed[few].all()


SENTENCES = [
    "anna lives in paris",
    "bob works in rome",
    "the lamp is broken",
    "the weather was lovely in june",
]


@pytest.fixture(scope="module")
def places(published):
    words = [text.split() for text in SENTENCES[:2]]
    return MetaMapper.from_pretrained(published).adapt(
        words, [["B-PER", "O", "O", "B-LOC"]] * 2, task_type="ner"
    )


def test_sentences_are_suggested_with_their_entities(places):
    pool = [*SENTENCES, "", SENTENCES[2]]
    suggestions = places.suggest(pool, num=10)
    # Neither its own examples, nor an empty text, nor a text twice.
    assert sorted(each.index for each in suggestions) == [2, 3]
    assert [each.gain for each in suggestions] == sorted((e.gain for e in suggestions), reverse=True)
    for each in suggestions:
        assert each.text == SENTENCES[each.index]
        assert [each.label] == places.predict([each.text])
        assert 0 < each.probability <= 1
    assert places.suggest([]) == []
    with pytest.raises(ValueError, match="ner does not support text_pairs"):
        places.suggest(SENTENCES, text_pairs=SENTENCES)


def test_lists_of_words_are_suggested_with_tags(places, published):
    words = [text.split() for text in SENTENCES]
    suggestions = places.suggest(words, num=4)
    assert sorted(each.index for each in suggestions) == [2, 3]
    assert [[each.label] for each in suggestions] == [places.predict([each.text]) for each in suggestions]
    # Without examples they are typical of the pool: one of three alike comes before the odd one.
    zero = MetaMapper.from_pretrained(published).zero_shot(["PER", "LOC"], task_type="ner")
    like = [["anna", "lives", "in", place] for place in ("paris", "rome", "paris .")]
    assert zero.suggest([words[2], *like], num=4)[0].index > 0


def test_texts_that_are_examples_or_repeated_are_not_suggested(published):
    mapper = MetaMapper.from_pretrained(published)
    task = mapper.adapt(["where is my parcel", "refund me"], ["delivery", "refund"])
    pool = ["refund me", "it never came", "it never came", "", "money back"]
    assert sorted(each.index for each in task.suggest(pool)) == [1, 4]
    task.add(["it never came"], ["delivery"])
    assert [each.index for each in task.suggest(pool)] == [4]
    pairs = mapper.adapt(["a man"] * 2, ["yes", "no"], text_pairs=["a person", "a dog"])
    found = pairs.suggest(["a man"] * 3, text_pairs=["a dog", "a cat", "a cat"])
    assert [each.index for each in found] == [1]


def test_texts_that_differ_in_white_space_alone_are_one(published):
    task = MetaMapper.from_pretrained(published).adapt(["my parcel", "my money"], ["delivery", "refund"])
    assert [each.index for each in task.suggest([" my  parcel", "the lamp", "the lamp\n"])] == [1]


def test_a_sentence_like_the_examples_tells_little(places):
    known, new = "anna lives in paris .", "please refund the order"
    first, second = places.suggest([known, new], num=2)
    assert (first.text, second.text) == (new, known)
