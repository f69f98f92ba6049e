"""Label lists: what a step of tuning learns from texts that have any number of labels.

    rows = sample_list_rows(rng, label_sets, max_texts=64)
    supports = sample_list_supports(rng, len(rows), num_splits=8)
    loss = list_loss(mapping, features, name_features, label_sets[rows], supports)

Notation: ``N`` texts, ``C`` labels, ``S`` splits.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metamapping.models.label_losses import label_losses
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.column_ridge import column_ridge
from metamapping.models.solvers.support_set import score

# The share of the texts that are support lies between these, so that splits have various shots.
_SMALLEST_SHARE, _LARGEST_SHARE = 0.2, 0.8


def list_loss(
    mapping: MetaMapping, x: tf.Tensor, name_features: tf.Tensor, label_sets: tf.Tensor, supports: tf.Tensor
) -> tf.Tensor:
    """The mean binary cross-entropy of the queries over all splits, as in meta-training.

    Args:
        mapping: The meta-learned mapping.
        x: Features of the texts, float32 ``(N, num_views * dim)``.
        name_features: Those of all labels' names, float32 ``(C, dim)``.
        label_sets: Float32 ``(N, C)``, 1 at the labels of each text.
        supports: Float32 ``(S, N)``, 1 for the texts of a split's support.

    Returns:
        A scalar.
    """
    is_label = tf.ones_like(name_features[:, 0])
    prior = mapping.prior(mapping.label_vectors(name_features, tf.zeros_like(is_label), is_label))
    V = column_ridge(SupportSet(x, label_sets, supports, is_label), prior, mapping.hyperparameters)
    queries = 1.0 - supports
    label_mask = tf.ones_like(supports[:, :1]) * is_label
    losses = label_losses(mapping.inverse_temperature * score(x, V), label_sets, queries, label_mask)
    total = tf.maximum(tf.reduce_sum(queries, axis=-1), 1.0)
    return tf.reduce_mean(tf.reduce_sum(queries * losses, axis=-1) / total)


def sample_list_rows(rng: np.random.Generator, label_sets: np.ndarray, *, max_texts: int) -> np.ndarray:
    """Examples for one step: all, or about evenly many of each label.

    The labels take turns, and texts without any label take part as if they had one of their own.

    Args:
        rng: All randomness comes from it.
        label_sets: ``(N, C)``, ones and zeros.
        max_texts: The largest number of texts.

    Returns:
        Positions of examples.
    """
    if len(label_sets) <= max_texts:
        return np.arange(len(label_sets))
    has_none = label_sets.sum(axis=1) == 0
    columns = np.concatenate([label_sets > 0, has_none[:, None]], axis=1)
    waiting = [rng.permutation(np.flatnonzero(column)).tolist() for column in columns.T]
    chosen: dict[int, None] = {}
    while len(chosen) < max_texts:
        for turn in rng.permutation(len(waiting)).tolist():
            while waiting[turn] and waiting[turn][-1] in chosen:
                waiting[turn].pop()
            if waiting[turn] and len(chosen) < max_texts:
                chosen[waiting[turn].pop()] = None
    return np.array(list(chosen))


def sample_list_supports(rng: np.random.Generator, num_texts: int, *, num_splits: int) -> np.ndarray:
    """The supports of several splits of the same examples.

    Args:
        rng: All randomness comes from it.
        num_texts: Number of examples, at least two.
        num_splits: Number of splits.

    Returns:
        Bool ``(num_splits, num_texts)``, with texts on either side.
    """
    supports = np.zeros((num_splits, num_texts), bool)
    for support in supports:
        share = rng.uniform(_SMALLEST_SHARE, _LARGEST_SHARE)
        count = int(np.clip(round(share * num_texts), 1, num_texts - 1))
        support[rng.permutation(num_texts)[:count]] = True
    return supports
