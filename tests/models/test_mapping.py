"""What is learned beside the encoder: label vectors and the prior."""

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.support_set import SupportSet, score

D, C = 5, 3


def test_targets_are_centred_over_the_labels_that_take_part():
    labels, masks = tf.constant([0, 2]), tf.constant([[1.0, 1, 1, 1], [1, 0, 1, 0]])
    targets = SupportSet(tf.zeros((2, D)), labels, tf.ones(2), masks).Y
    np.testing.assert_allclose(targets[0, 0], [0.75, -0.25, -0.25, -0.25])
    np.testing.assert_allclose(targets[1, 1], [-0.5, 0, 0.5, 0])


def test_strengths_begin_where_the_documentation_says():
    strengths = MetaMapping(D).strengths
    shown = np.concatenate([np.ravel(each) for each in vars(strengths).values()])
    np.testing.assert_allclose(shown, [0.5, 1.0, 10.0, 0.5, 1.1, 3.0, 0.2, 0.2], rtol=1e-5)


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
