"""The closed form against closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.mapping import MetaMapping, centred_targets, compute_mapping, score

D, C = 5, 3


@pytest.fixture
def task():
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 0])
    return {
        "x": rng.normal(size=(len(labels), D)),
        "y": np.eye(C)[labels] - 1 / C,
        "prior": rng.normal(size=(D + 1, C)),
    }


def solve(task, *, support=None, alpha=0.5, ridge=0.7):
    support = np.ones(len(task["x"])) if support is None else support
    return compute_mapping(
        tf.constant(task["x"]),
        tf.constant(task["y"]),
        support=tf.constant(support),
        prior=tf.constant(task["prior"]),
        alpha=tf.constant(alpha, tf.float64),
        ridge=tf.constant(ridge, tf.float64),
    ).numpy()


def normal_equations(task, rows, *, alpha=0.5, ridge=0.7):
    H = np.concatenate([task["x"], np.ones((len(task["x"]), 1))], axis=1)[rows]
    P = alpha * task["prior"]
    return P + np.linalg.solve(H.T @ H + ridge * np.eye(D + 1), H.T @ (task["y"][rows] - H @ P))


def test_dual_form_solves_the_normal_equations(task):
    small = {**task, "x": task["x"][:4], "y": task["y"][:4]}
    np.testing.assert_allclose(solve(small), normal_equations(small, slice(None)), atol=1e-10)


def test_primal_form_solves_the_normal_equations(task):
    np.testing.assert_allclose(solve(task), normal_equations(task, slice(None)), atol=1e-10)


@pytest.mark.parametrize("count", [5, 8])
def test_items_outside_the_support_change_nothing(task, count):
    few = {**task, "x": task["x"][:count], "y": task["y"][:count]}
    support = np.array([1.0, 0, 1, 1, 0, 0, 1, 0])[:count]
    expected = normal_equations(few, np.flatnonzero(support))
    np.testing.assert_allclose(solve(few, support=support), expected, atol=1e-10)


def test_without_support_the_mapping_is_the_whole_prior(task):
    weights = solve(task, support=np.zeros(8), alpha=0.1)
    np.testing.assert_allclose(weights, task["prior"], atol=1e-12)


def test_order_of_examples_does_not_matter(task):
    order = np.random.default_rng(1).permutation(8)
    shuffled = {**task, "x": task["x"][order], "y": task["y"][order]}
    np.testing.assert_allclose(solve(shuffled), solve(task), atol=1e-10)


def test_order_of_labels_permutes_the_columns(task):
    order = [2, 0, 1]
    permuted = {**task, "y": task["y"][:, order], "prior": task["prior"][:, order]}
    np.testing.assert_allclose(solve(permuted), solve(task)[:, order], atol=1e-10)


def test_splits_of_one_batch_do_not_touch_each_other(task):
    supports = np.array([[1.0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1], [0] * 8])
    together = solve(task, support=supports)
    for split, support in enumerate(supports):
        np.testing.assert_allclose(together[split], solve(task, support=support), atol=1e-10)


def test_identical_texts_with_different_labels_give_finite_scores(task):
    same = {**task, "x": np.repeat(task["x"][:1], 8, axis=0)}
    weights = solve(same, ridge=1e-3)
    assert np.isfinite(weights).all()
    scores = score(tf.constant(same["x"]), tf.constant(weights)).numpy()
    np.testing.assert_allclose(scores, np.repeat(scores[:1], 8, axis=0))


def test_targets_are_centred_over_the_labels_that_take_part():
    targets = centred_targets(tf.constant([0, 2]), tf.constant([[1.0, 1, 1, 1], [1, 0, 1, 0]]))
    np.testing.assert_allclose(targets[0, 0], [0.75, -0.25, -0.25, -0.25])
    np.testing.assert_allclose(targets[1, 1], [-0.5, 0, 0.5, 0])


def test_label_vectors_are_centred_unit_and_masked():
    mapping = MetaMapping(D)
    names = tf.constant(np.random.default_rng(2).normal(size=(4, D)), tf.float32)
    mask = tf.constant([[1.0, 1, 1, 1], [1, 1, 0, 0]])
    G = mapping.label_vectors(names, tf.zeros(4), mask).numpy()
    np.testing.assert_allclose(np.linalg.norm(G[0], axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(G[1, 0], -G[1, 1], atol=1e-5)
    assert (G[1, 2:] == 0).all()


def test_prior_scores_are_the_mapped_features_against_the_label_vectors():
    mapping = MetaMapping(D)
    rng = np.random.default_rng(3)
    W, b = rng.normal(size=(D, D)), rng.normal(size=D)
    mapping.prior_kernel.assign(W)
    mapping.prior_bias.assign(b)
    x, G = rng.normal(size=(6, D)), rng.normal(size=(C, D))
    scores = score(tf.constant(x, tf.float32), mapping.prior(tf.constant(G, tf.float32)))
    np.testing.assert_allclose(scores, (x @ W + b) @ G.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [4, 8])
def test_gradient_through_the_solve_matches_finite_differences(task, count):
    x = tf.constant(task["x"][:count])
    targets, support = (
        tf.constant(task["y"][:count]),
        tf.constant([1.0, 1, 0, 1, 0, 1, 1, 0][:count], tf.float64),
    )

    def loss(ridge, alpha, features):
        weights = compute_mapping(
            features, targets, support=support, prior=tf.constant(task["prior"]), alpha=alpha, ridge=ridge
        )
        return tf.reduce_sum(score(features, weights) ** 3)

    values = [tf.constant(0.7, tf.float64), tf.constant(0.5, tf.float64), x]
    theoretical, numerical = tf.test.compute_gradient(loss, values)
    for exact, finite in zip(theoretical, numerical, strict=True):
        np.testing.assert_allclose(exact, finite, rtol=1e-5, atol=1e-5)
