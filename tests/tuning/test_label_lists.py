"""The steps of tuning where a text has any number of labels: what they read, and their loss."""

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.tuning.label_lists import list_loss, sample_list_rows, sample_list_supports


def test_a_step_takes_all_examples_of_a_small_task_and_each_label_of_a_large_one():
    rng = np.random.default_rng(0)
    assert sample_list_rows(rng, np.zeros((10, 3)), max_texts=64).tolist() == list(range(10))
    label_sets = np.zeros((200, 3), int)
    label_sets[:150, 0] = label_sets[150:160, 1] = label_sets[155:160, 2] = 1
    rows = sample_list_rows(rng, label_sets, max_texts=32)
    assert len(set(rows.tolist())) == 32
    counts = label_sets[rows].sum(axis=0)
    assert (counts >= [5, 8, 5]).all()
    assert (~label_sets[rows].any(axis=1)).sum() >= 5  # texts without a label take their turn


def test_every_split_has_texts_on_either_side():
    supports = sample_list_supports(np.random.default_rng(0), 2, num_splits=20)
    assert supports.sum(axis=1).tolist() == [1] * 20
    counts = sample_list_supports(np.random.default_rng(0), 20, num_splits=50).sum(axis=1)
    assert (counts.min() < 8, counts.max() > 12, counts.min() >= 4, counts.max() <= 16) == (True,) * 4


def loss_of(features, label_sets, supports):
    mapping = MetaMapping(features.shape[1] // 3)
    names = tf.zeros((label_sets.shape[1], features.shape[1] // 3))
    arrays = (tf.constant(each, tf.float32) for each in (features, label_sets, supports))
    features, label_sets, supports = arrays
    return float(list_loss(mapping, features, names, label_sets, supports))


def test_the_loss_is_lower_where_features_tell_the_labels_apart():
    rng = np.random.default_rng(0)
    label_sets = rng.integers(0, 2, (24, 2))
    features = np.zeros((24, 12))
    features[:, :2] = 2 * label_sets - 1
    noise = rng.normal(size=(24, 12))
    supports = sample_list_supports(rng, 24, num_splits=4)
    assert loss_of(features, label_sets, supports) < 0.7 * loss_of(noise, label_sets, supports)
