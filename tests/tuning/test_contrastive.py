import numpy as np
import pytest
import tensorflow as tf

from metamapping.tuning.contrastive import TEMPERATURE, contrastive_loss


def at_unit_length(array):
    return (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return at_unit_length(rng.normal(size=(5, 8))), at_unit_length(rng.normal(size=(3, 8)))


TARGETS = np.array([0, 0, 1, 1, 2], np.int32)  # the last has no other text, only its name


def test_the_loss_is_that_of_choosing_the_own_label_among_all_other_texts_and_names(vectors):
    texts, names = vectors
    keys, labels = np.concatenate([texts, names]), np.concatenate([TARGETS, np.arange(3)])
    losses = []
    for i, target in enumerate(TARGETS):
        others = np.arange(len(keys)) != i
        logits = keys[others] @ texts[i] / TEMPERATURE
        log_p = logits - np.log(np.exp(logits).sum())
        losses.append(-log_p[labels[others] == target].mean())
    assert float(contrastive_loss(*map(tf.constant, (texts, names, TARGETS)))) == pytest.approx(
        np.mean(losses), rel=1e-4
    )


def test_texts_and_names_of_one_label_are_drawn_together(vectors):
    texts, names = map(tf.constant, vectors)
    with tf.GradientTape() as tape:
        tape.watch([texts, names])
        loss = contrastive_loss(texts, names, tf.constant(TARGETS))
    towards_texts, towards_names = tape.gradient(loss, [texts, names])
    nearer = [(a - 0.001 * b).numpy() for a, b in ((texts, towards_texts), (names, towards_names))]
    assert (
        np.diagonal(nearer[0] @ nearer[1][TARGETS].T).mean()
        > np.diagonal(vectors[0] @ vectors[1][TARGETS].T).mean()
    )
