"""What is learned besides the encoder: hyperparameters, label vectors and the prior."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.hyperparameters import (
    Hyperparameters,
    VectorIndex,
    initial_vector,
    vector_length,
)
from metamapping.models.solvers.support_set import SupportSet, score

D, C = 5, 3


def test_targets_are_centred_over_the_labels_that_take_part():
    labels, masks = tf.constant([0, 2]), tf.constant([[1.0, 1, 1, 1], [1, 0, 1, 0]])
    targets = SupportSet(tf.zeros((2, D)), labels, tf.ones(2), masks).Y
    np.testing.assert_allclose(targets[0, 0], [0.75, -0.25, -0.25, -0.25])
    np.testing.assert_allclose(targets[1, 1], [-0.5, 0, 0.5, 0])


def test_hyperparameters_start_where_the_documentation_says():
    learned = MetaMapping(D).hyperparameters
    expected = {
        "alpha": 0.5,
        "ridge": 1.0,
        "inverse_temperature": 10.0,
        "alpha_spread": 0.5,
        "ridge_spread": 1.1,
        "word_ridge": 3.0,
        "views": [0.2, 0.2],
    }
    assert vars(learned).keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(learned, name), value, rtol=1e-5, err_msg=name)


def test_the_stored_vector_keeps_the_layout_of_checkpoints():
    variable = MetaMapping(D).hyperparameter_vector
    assert variable.path == "mapping/strength"
    assert variable.shape == (vector_length(3),) == (8,)
    expected = [0.5, *np.log([1.0, 10.0, 0.5, 1.1, 3.0]), *[np.log(0.2 / 0.8)] * 2]
    np.testing.assert_allclose(20 * variable.numpy(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (VectorIndex.ALPHA, "alpha"),
        (VectorIndex.LOG_RIDGE, "ridge"),
        (VectorIndex.LOG_INVERSE_TEMPERATURE, "inverse_temperature"),
        (VectorIndex.LOG_ALPHA_SPREAD, "alpha_spread"),
        (VectorIndex.LOG_RIDGE_SPREAD, "ridge_spread"),
        (VectorIndex.LOG_WORD_RIDGE, "word_ridge"),
        (VectorIndex.VIEWS, "views"),
    ],
)
def test_each_index_of_the_vector_is_one_hyperparameter(index, name):
    vector = initial_vector(3).numpy()
    before = vars(Hyperparameters.from_vector(tf.constant(vector)))
    vector[index] += 0.01
    after = vars(Hyperparameters.from_vector(tf.constant(vector)))
    assert [key for key in before if not np.array_equal(before[key], after[key])] == [name]


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
