"""The fit of α and λ to sentences: left-out sentences against regressions without them."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.solvers import word_ridge
from metamapping.models.solvers.hyperparameters import ALPHA_GRID, Hyperparameters
from metamapping.models.solvers.plain_ridge import regress
from metamapping.models.solvers.support_set import SupportSet
from metamapping.models.solvers.word_ridge import (
    MAX_WORDS,
    WORD_RIDGE_FACTORS,
    fit_word_hyperparameters,
    leave_sentences_out,
)

LEARNED = {"alpha": 1.0, "alpha_spread": 0.5, "ridge": 6.0, "inverse_temperature": 9.0}
RIDGE, DIM, NUM_LABELS = LEARNED["ridge"], 12, 4


def words_of(lengths, *, noise, prior=0.3, seed=0):
    """Unit vectors around one vector per label, labels in rotation.

    Returns features, targets, offsets, square roots of weights, and a random prior.
    """
    rng = np.random.default_rng(seed)
    targets = np.arange(sum(lengths)) % NUM_LABELS
    features = np.eye(DIM)[targets] + noise * rng.normal(size=(len(targets), DIM))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    prior = prior * rng.normal(size=(DIM + 1, NUM_LABELS))
    return features, targets, np.cumsum([0, *lengths]), rng.uniform(0.5, 1.5, len(targets)), prior


def hyperparameters(alpha, ridge):
    numbers = LEARNED | {"alpha": alpha, "ridge": ridge, "ridge_spread": 1.0}
    values = {name: tf.constant(value, tf.float64) for name, value in numbers.items()}
    return Hyperparameters(**values, word_ridge=tf.constant(0.0), views=tf.zeros(0))


def test_a_sentence_left_out_is_scored_by_a_regression_without_it():
    features, targets, offsets, roots, prior = words_of([3, 5, 1, 4], noise=0.5)
    sentence_of = np.repeat(np.arange(4), np.diff(offsets))
    by_labels, by_prior = leave_sentences_out(features, targets, sentence_of, roots, prior, RIDGE)
    for r, factor in enumerate(WORD_RIDGE_FACTORS):
        for alpha in ALPHA_GRID:
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
                    items, items.Y, tf.constant(prior), hyperparameters(alpha, factor * RIDGE)
                ).numpy()
                expected = features[left_out] @ weights[:-1] + weights[-1]
                scores = by_labels[r, left_out] + alpha * by_prior[r, left_out]
                np.testing.assert_allclose(scores, expected, atol=1e-10)


def test_the_fitted_lambda_is_small_for_clean_examples_and_large_for_noisy_ones():
    trusted = fit_word_hyperparameters(*words_of([8] * 10, noise=0.1), **LEARNED)
    doubted = fit_word_hyperparameters(*words_of([8] * 10, noise=3.0), **LEARNED)
    assert trusted[1] < RIDGE / 3 < RIDGE < doubted[1]


def test_a_misleading_prior_gets_little_weight():
    misled = fit_word_hyperparameters(*words_of([8] * 10, noise=0.1, prior=3.0), **LEARNED)
    assert misled[0] < 0.5 * LEARNED["alpha"]


def test_nothing_is_fitted_where_no_label_occurs_in_two_sentences():
    features, _, offsets, roots, prior = words_of([2, 2], noise=0.1)
    targets = np.array([0, 1, 2, 3])
    assert fit_word_hyperparameters(features, targets, offsets, roots, prior, **LEARNED) == (1.0, RIDGE)


def test_a_sentence_counts_as_one_however_long_it_is():
    targets, sentence_of = np.arange(24) % NUM_LABELS, np.repeat(np.arange(6), 4)
    is_evidence = np.ones(24, bool)
    logits = np.random.default_rng(1).normal(size=(1, 24, NUM_LABELS))
    once = word_ridge._log_likelihood(logits, targets, sentence_of, is_evidence)
    again = np.concatenate([np.arange(24), np.arange(4)])  # the first sentence with its words repeated
    twice = word_ridge._log_likelihood(
        logits[:, again], targets[again], sentence_of[again], is_evidence[again]
    )
    np.testing.assert_allclose(once, twice)


def test_many_sentences_are_subsampled_and_the_order_of_labels_does_not_matter(monkeypatch):
    features, targets, offsets, roots, prior = words_of([9] * 200, noise=0.5)
    seen = []
    whole = leave_sentences_out
    monkeypatch.setattr(word_ridge, "leave_sentences_out", lambda *each: seen.append(each) or whole(*each))
    fitted = fit_word_hyperparameters(features, targets, offsets, roots, prior, **LEARNED)
    assert MAX_WORDS - 9 <= len(seen[0][0]) <= MAX_WORDS + 9
    turned = fit_word_hyperparameters(features, 3 - targets, offsets, roots, prior[:, ::-1], **LEARNED)
    assert turned == pytest.approx(fitted)
