"""Words fitted to the task: left-out sentences against regressions without them."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.solvers import word_ridge
from metamapping.models.solvers.plain_ridge import regress
from metamapping.models.solvers.support_set import Strengths, SupportSet
from metamapping.models.solvers.word_ridge import (
    ALPHAS,
    MOST_WORDS,
    RIDGE_FACTORS,
    fit_to_sentences,
    leave_sentences_out,
)

LEARNED = {"alpha": 1.0, "alpha_spread": 0.5, "ridge": 6.0, "scale": 9.0}
RIDGE, DIM, NUM_LABELS = LEARNED["ridge"], 12, 4


def words_of(lengths, *, noise, prior=0.3, seed=0):
    """Unit vectors around one of their label; labels go round. Offsets, weights' roots, a prior of noise."""
    rng = np.random.default_rng(seed)
    targets = np.arange(sum(lengths)) % NUM_LABELS
    features = np.eye(DIM)[targets] + noise * rng.normal(size=(len(targets), DIM))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    prior = prior * rng.normal(size=(DIM + 1, NUM_LABELS))
    return features, targets, np.cumsum([0, *lengths]), rng.uniform(0.5, 1.5, len(targets)), prior


def strengths(alpha, ridge):
    numbers = {"alpha": alpha, "ridge": ridge, "scale": 9.0, "alpha_spread": 0.5, "ridge_spread": 1.0}
    values = {name: tf.constant(value, tf.float64) for name, value in numbers.items()}
    return Strengths(**values, word_ridge=tf.constant(0.0), views=tf.zeros(0))


def test_a_sentence_left_out_is_scored_by_a_regression_without_it():
    features, targets, offsets, roots, prior = words_of([3, 5, 1, 4], noise=0.5)
    sentence_of = np.repeat(np.arange(4), np.diff(offsets))
    by_labels, by_prior = leave_sentences_out(features, targets, sentence_of, roots, prior, RIDGE)
    for r, factor in enumerate(RIDGE_FACTORS):
        for alpha in ALPHAS:
            for sentence in range(4):
                others, left_out = sentence_of != sentence, sentence_of == sentence
                items = SupportSet(
                    tf.constant(features[others]),
                    tf.constant(targets[others]),
                    tf.constant(roots[others]),
                    tf.ones(NUM_LABELS, tf.float64),
                    is_independent=False,
                )
                weights = regress(
                    items, items.Y, tf.constant(prior), strengths(alpha, factor * RIDGE)
                ).numpy()
                expected = features[left_out] @ weights[:-1] + weights[-1]
                scores = by_labels[r, left_out] + alpha * by_prior[r, left_out]
                np.testing.assert_allclose(scores, expected, atol=1e-10)


def test_examples_that_tell_are_trusted_and_those_that_do_not_are_not():
    trusted = fit_to_sentences(*words_of([8] * 10, noise=0.1), **LEARNED)
    doubted = fit_to_sentences(*words_of([8] * 10, noise=3.0), **LEARNED)
    assert trusted[1] < RIDGE / 3 < RIDGE < doubted[1]


def test_a_prior_that_misleads_counts_little():
    misled = fit_to_sentences(*words_of([8] * 10, noise=0.1, prior=3.0), **LEARNED)
    assert misled[0] < 0.5 * LEARNED["alpha"]


def test_nothing_is_fitted_where_no_label_stands_in_two_sentences():
    features, _, offsets, roots, prior = words_of([2, 2], noise=0.1)
    targets = np.array([0, 1, 2, 3])
    assert fit_to_sentences(features, targets, offsets, roots, prior, **LEARNED) == (1.0, RIDGE)


def test_a_sentence_counts_as_one_however_long_it_is():
    targets, sentence_of = np.arange(24) % NUM_LABELS, np.repeat(np.arange(6), 4)
    tells = np.ones(24, bool)
    logits = np.random.default_rng(1).normal(size=(1, 24, NUM_LABELS))
    once = word_ridge._log_likelihood(logits, targets, sentence_of, tells)
    again = np.concatenate([np.arange(24), np.arange(4)])  # the first sentence, said twice in one breath
    twice = word_ridge._log_likelihood(logits[:, again], targets[again], sentence_of[again], tells[again])
    np.testing.assert_allclose(once, twice)


def test_of_many_sentences_some_are_enough_and_the_order_of_labels_changes_nothing(monkeypatch):
    features, targets, offsets, roots, prior = words_of([9] * 200, noise=0.5)
    seen = []
    whole = leave_sentences_out
    monkeypatch.setattr(word_ridge, "leave_sentences_out", lambda *each: seen.append(each) or whole(*each))
    fitted = fit_to_sentences(features, targets, offsets, roots, prior, **LEARNED)
    assert MOST_WORDS - 9 <= len(seen[0][0]) <= MOST_WORDS + 9
    turned = fit_to_sentences(features, 3 - targets, offsets, roots, prior[:, ::-1], **LEARNED)
    assert turned == pytest.approx(fitted)
