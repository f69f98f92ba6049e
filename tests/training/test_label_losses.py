"""The meta-step where texts have any number of labels: its loss, its offset and its gradient."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize_scalar

from metamapping.episodes.batches import build_batch
from metamapping.episodes.sampler import sample_batch
from metamapping.models.label_losses import label_losses
from metamapping.models.solvers.column_ridge import column_ridge
from metamapping.models.solvers.support_set import SupportSet, score
from metamapping.training.learner import build_learner
from metamapping.training.meta_step import query_loss, update_weights
from tests.toys import ENCODER, EPISODES, TRAINING, VOCABULARY_SIZE, label_set_space


@pytest.fixture
def learner():
    return build_learner(ENCODER, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0)


def batch_of(seed):
    space = label_set_space()
    draw = sample_batch(np.random.default_rng(seed), [space], {}, EPISODES)
    return {key: tf.constant(value) for key, value in build_batch(space, draw, EPISODES).items()}


def losses_by_hand(logits, targets, weights, mask):
    """The weighted binary cross-entropy at the best offset, which a line search finds."""

    def at(offset):
        z = logits + offset
        return (np.logaddexp(0.0, z) - targets * z) * mask

    best = minimize_scalar(lambda offset: (weights[:, None] * at(offset)).sum()).x
    return at(best).sum(axis=1)


def test_the_loss_is_the_cross_entropy_at_the_best_offset_of_each_split():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 9, 4)) * 2 - 3
    targets = (rng.random((9, 4)) < 0.3).astype(float)
    weights, mask = (rng.random((2, 9)) < 0.7).astype(float), np.array([[1.0, 1, 1, 1], [1, 0, 1, 0]])
    found = label_losses(*(tf.constant(each, tf.float32) for each in (logits, targets, weights, mask)))
    for split in range(2):
        expected = losses_by_hand(logits[split], targets, weights[split], mask[split])
        np.testing.assert_allclose(found[split], expected, rtol=1e-4)


def test_splits_without_any_label_have_a_finite_loss():
    zeros, ones = tf.zeros((1, 5, 3)), tf.ones((1, 5))
    losses = label_losses(zeros, tf.zeros((5, 3)), ones, tf.ones((1, 3)))
    assert (losses.numpy() < 0.1).all()


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(1)
    logits = tf.constant(rng.normal(size=(1, 8, 3)), tf.float64)
    targets = tf.constant((rng.random((8, 3)) < 0.4).astype(float))
    weights, mask = tf.ones((1, 8), tf.float64), tf.ones((1, 3), tf.float64)

    def loss(at):
        return tf.reduce_sum(label_losses(at, targets, weights, mask))

    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    gradient = tape.gradient(value, logits).numpy()
    for place in [(0, 0, 0), (0, 3, 2), (0, 7, 1)]:
        step = np.zeros((1, 8, 3))
        step[place] = 1e-4
        difference = (loss(logits + step) - loss(logits - step)) / 2e-4
        assert gradient[place] == pytest.approx(float(difference), rel=1e-4, abs=1e-6)


def test_each_label_is_the_ridge_of_its_own_column(learner):
    rng = np.random.default_rng(2)
    hyperparameters = learner.mapping.hyperparameters
    width = 3 * 4
    features = rng.normal(size=(6, width)).astype(np.float32)
    targets = (rng.random((6, 3)) < 0.5).astype(np.float32)
    prior = rng.normal(size=(5, 3)).astype(np.float32)
    support = SupportSet(
        *map(tf.constant, (features, targets, np.ones(6, np.float32), np.ones(3, np.float32)))
    )
    weights = column_ridge(support, tf.constant(prior), hyperparameters)
    alpha, ridge = float(hyperparameters.alpha), float(hyperparameters.ridge)
    roots = np.sqrt(np.repeat([1.0, *hyperparameters.views.numpy()], 4))
    H = np.append(features * roots, np.ones((6, 1)), axis=1)
    wide = np.zeros((width + 1, 3))
    wide[:4], wide[-1] = alpha * prior[:-1], alpha * prior[-1]
    change = np.linalg.solve(H.T @ H + ridge * np.eye(width + 1), H.T @ (targets - H @ wide))
    np.testing.assert_allclose(score(tf.constant(features), weights), H @ (wide + change), atol=1e-4)


@pytest.mark.slow
def test_meta_steps_lower_the_loss(learner):
    learner.encoder_optimizer.learning_rate = learner.mapping_optimizer.learning_rate = 3e-3
    held_out = [batch_of(seed) for seed in range(100, 104)]
    before = np.mean([query_loss(learner, batch) for batch in held_out])
    for seed in range(30):
        loss, _ = update_weights(learner, batch_of(seed), max_norm=1.0)
        assert np.isfinite(loss)
    assert np.mean([query_loss(learner, batch) for batch in held_out]) < 0.9 * before
